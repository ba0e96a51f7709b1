import { lazy, Suspense } from "react";
import { Link, Redirect, Route, Switch, useLocation, useSearchParams } from "wouter";
import { QueryErrorResetBoundary } from "@tanstack/react-query";

import { Problem } from "../api/client";
import { Empty, Failed, LoadingRows } from "../ui/states";
import { Boundary } from "./Boundary";
import { hasRole, homeFor, places, useMe } from "./session";
import { Shell } from "./Shell";

const WorklistPage = lazy(() => import("../pages/worklist/WorklistPage"));
const ReadPage = lazy(() => import("../pages/read/ReadPage"));
const TemplatesPage = lazy(() => import("../pages/templates/TemplatesPage"));
const CosignPage = lazy(() => import("../pages/cosign/CosignPage"));
const ErPage = lazy(() => import("../pages/er/ErPage"));
const WallPage = lazy(() => import("../pages/er/WallPage"));
const QualityPage = lazy(() => import("../pages/quality/QualityPage"));
const ArchivePage = lazy(() => import("../pages/archive/ArchivePage"));
const DeliveriesPage = lazy(() => import("../pages/deliveries/DeliveriesPage"));
const ModelsPage = lazy(() => import("../pages/models/ModelsPage"));
const ModelPage = lazy(() => import("../pages/models/ModelPage"));
const ComparisonPage = lazy(() => import("../pages/models/ComparisonPage"));
const FatiguePage = lazy(() => import("../pages/alerts/FatiguePage"));
const PolicyPage = lazy(() => import("../pages/alerts/PolicyPage"));
const RotaPage = lazy(() => import("../pages/rota/RotaPage"));
const SimulationPage = lazy(() => import("../pages/simulation/SimulationPage"));
const ReadingModesPage = lazy(() => import("../pages/modes/ReadingModesPage"));
const PushedBackPage = lazy(() => import("../pages/pushedback/PushedBackPage"));
const PriorityPage = lazy(() => import("../pages/policies/PriorityPage"));
const GuidePage = lazy(() => import("../pages/guide/GuidePage"));

function NotYours({ home }: { home: string }) {
  return (
    <Empty title="This page is not part of your role">
      Ask your administrator if you need it, or go to <a href={home}>your own page</a>.
    </Empty>
  );
}

/** The reading window before a study was opened, and after one was closed. */
function Waiting() {
  return (
    <Empty title="This window shows the study that is opened in the list">
      Press Enter on a row of the list in the other window. Or go to <Link href="/">the list</Link> here.
    </Empty>
  );
}

function Pages() {
  const me = useMe();
  const home = homeFor(me);
  const allowed = (path: string) => {
    const place = places.find((one) => one.path === path);
    return !place || place.roles.length === 0 || hasRole(me, ...place.roles);
  };
  const guard = (path: string, page: React.ReactNode) => (allowed(path) ? page : <NotYours home={home} />);
  const [path] = useLocation();
  const [search] = useSearchParams();
  // A screen on the wall has no bar and nothing else to click.
  if (path === "/er" && search.has("wall") && allowed("/er")) {
    return (
      <Suspense fallback={<LoadingRows />}>
        <WallPage />
      </Suspense>
    );
  }
  return (
    <Shell me={me}>
      <Suspense fallback={<LoadingRows />}>
        <Switch>
          <Route path="/">{allowed("/") ? <WorklistPage /> : <Redirect to={home} replace />}</Route>
          <Route path="/read/:uid">{({ uid }) => guard("/", <ReadPage key={uid} uid={uid} />)}</Route>
          <Route path="/reading">{guard("/", <Waiting />)}</Route>
          <Route path="/report-templates">{guard("/report-templates", <TemplatesPage />)}</Route>
          <Route path="/co-sign">{guard("/co-sign", <CosignPage />)}</Route>
          <Route path="/er">{guard("/er", <ErPage />)}</Route>
          <Route path="/quality">{guard("/quality", <QualityPage />)}</Route>
          <Route path="/archive">{guard("/archive", <ArchivePage />)}</Route>
          <Route path="/deliveries">{guard("/deliveries", <DeliveriesPage />)}</Route>
          <Route path="/rota">{guard("/rota", <RotaPage />)}</Route>
          <Route path="/simulation">{guard("/simulation", <SimulationPage />)}</Route>
          <Route path="/models">{guard("/models", <ModelsPage />)}</Route>
          <Route path="/models/compare">{guard("/models", <ComparisonPage />)}</Route>
          <Route path="/models/:id">{({ id }) => guard("/models", <ModelPage key={id} id={id} />)}</Route>
          <Route path="/alert-fatigue">{guard("/alert-fatigue", <FatiguePage />)}</Route>
          <Route path="/policies/alerts">{guard("/policies/alerts", <PolicyPage />)}</Route>
          <Route path="/reading-modes">{guard("/reading-modes", <ReadingModesPage />)}</Route>
          <Route path="/pushed-back">{guard("/pushed-back", <PushedBackPage />)}</Route>
          <Route path="/policies/priority">{guard("/policies/priority", <PriorityPage />)}</Route>
          <Route path="/guide">
            <GuidePage />
          </Route>
          <Route>
            <Empty title="There is no such page">
              Go to <a href={home}>your own page</a>.
            </Empty>
          </Route>
        </Switch>
      </Suspense>
    </Shell>
  );
}

export function App() {
  return (
    <QueryErrorResetBoundary>
      {({ reset }) => (
        <Boundary
          fallback={(error, retry) =>
            error instanceof Problem && error.status === 403 ? (
              <Empty title="You are not signed in">
                <a href="/accounts/login/">Sign in</a> to go on.
              </Empty>
            ) : (
              <Failed
                error={error}
                onRetry={() => {
                  reset();
                  retry();
                }}
              />
            )
          }
        >
          <Suspense fallback={<LoadingRows />}>
            <Pages />
          </Suspense>
        </Boundary>
      )}
    </QueryErrorResetBoundary>
  );
}
