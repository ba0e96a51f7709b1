import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";

import { modelsQuery } from "../../api/queries";
import type { Model } from "../../api/types";
import { PageFooter } from "../../app/Shell";
import { hasRole, useMe } from "../../app/session";
import { useLiveInterval } from "../../live/live";
import { formatMoment } from "../../time/dates";
import { AiMark } from "../../ui/AiMark";
import { Empty, Failed, LoadingRows } from "../../ui/states";
import { AddModel } from "./AddModel";
import { fullName, ordered, STATE_WORDS } from "./words";
import styles from "./Models.module.css";

function Row({ model }: { model: Model }) {
  const { runs } = model;
  return (
    <tr data-testid="model-row" data-key={model.id}>
      <td>
        <Link href={`/models/${model.id}`}>
          <AiMark /> {fullName(model)}
        </Link>
        <small>
          {model.kind}, {model.dimensions}D
        </small>
      </td>
      <td>
        <span className={styles.state} data-state={model.state} title={STATE_WORDS[model.state]}>
          {model.state}
        </span>
        <small>since {formatMoment(model.state_changed_at)}</small>
      </td>
      <td>
        {model.targets.map((target) => (
          <div key={target.name}>
            {target.meaning}
            <small>
              {target.criticality} · raises from {target.rank_threshold} · alerts from{" "}
              {target.alert_threshold}
            </small>
          </div>
        ))}
      </td>
      <td>{model.looks_at.length > 0 ? model.looks_at.join("; ") : "nothing: no active rule"}</td>
      <td className={styles.number}>
        {runs.positive + runs.negative}
        <small>{runs.positive} flagged</small>
      </td>
      <td className={styles.number}>
        {runs.not_analysed}
        <small>{runs.failed} failed</small>
      </td>
      <td className={styles.number}>{runs.waiting}</td>
      <td>
        {runs.last_finished_at ? formatMoment(runs.last_finished_at) : "not yet"}
        <small>{runs.last_runtime}</small>
      </td>
    </tr>
  );
}

/** Which AI works here, in what state, on what, and how much of it. */
export default function ModelsPage() {
  const me = useMe();
  const interval = useLiveInterval();
  const models = useQuery({ ...modelsQuery, refetchInterval: interval });
  const rows = ordered(models.data ?? []);
  return (
    <>
      <div className={styles.page}>
        <div className={styles.bar}>
          <h1>Which AI works here?</h1>
          <Link href="/models/compare">Compare two models</Link>
        </div>
        {models.isError && <Failed error={models.error} onRetry={() => void models.refetch()} />}
        {models.isPending && <LoadingRows />}
        {models.isSuccess && rows.length === 0 && (
          <Empty title="No model is registered">
            Studies are read in their ordered priority. Add a bundle below, or run{" "}
            <code>manage.py models add</code> on the server.
          </Empty>
        )}
        {rows.length > 0 && (
          <table className={styles.table} aria-label="Models">
            <thead>
              <tr>
                <th>model</th>
                <th>state</th>
                <th>looks for</th>
                <th>looks at</th>
                <th className={styles.number}>analysed</th>
                <th className={styles.number}>not analysed</th>
                <th className={styles.number}>waiting</th>
                <th>last result</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((model) => (
                <Row key={model.id} model={model} />
              ))}
            </tbody>
          </table>
        )}
        {hasRole(me, "pacs_administrator") && <AddModel />}
      </div>
      <PageFooter>draft → shadow → live → retired · a model goes live by two administrators</PageFooter>
    </>
  );
}
