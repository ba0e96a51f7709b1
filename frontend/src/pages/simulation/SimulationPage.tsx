import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useSearchParams } from "wouter";

import { explain } from "../../api/client";
import { PageFooter } from "../../app/Shell";
import { formatMoment } from "../../time/dates";
import { personName } from "../../ui/person";
import { Empty, Failed, LoadingRows } from "../../ui/states";
import { ParametersForm } from "./ParametersForm";
import { Results } from "./Results";
import {
  defaultsQuery,
  newestQuery,
  simulationApi,
  simulationQuery,
  type Parameters,
  type Simulation,
} from "./simulation";
import styles from "./Simulation.module.css";
import { percent } from "./words";

function Shown({ simulation }: { simulation: Simulation }) {
  if (simulation.state === "failed") {
    return (
      <p className={styles.said} role="alert">
        This simulation ended without a result. {simulation.error}
      </p>
    );
  }
  if (simulation.result) return <Results result={simulation.result} />;
  const words = simulation.state === "waiting" ? "Waiting for a worker" : "Playing";
  return (
    <div className={styles.progress}>
      <label htmlFor="progress">{words}</label>
      <progress id="progress" max={1} value={simulation.progress} /> {percent(simulation.progress)}
    </div>
  );
}

function Newest({ shown, onShow }: { shown: string; onShow: (id: string) => void }) {
  const newest = useQuery(newestQuery);
  if (newest.isError) return <Failed error={newest.error} onRetry={() => void newest.refetch()} />;
  if (!newest.data || newest.data.length === 0) return null;
  return (
    <section>
      <h2>Earlier simulations</h2>
      <ul className={styles.newest}>
        {newest.data.map((one) => (
          <li key={one.id}>
            <button
              type="button"
              aria-current={one.id === shown ? "true" : undefined}
              onClick={() => onShow(one.id)}
            >
              {one.name || `Simulation ${one.id}`}
            </button>
            <small>
              {one.state === "done" ? "" : `${one.state} · `}
              {one.requested_by ? personName(one.requested_by) : "somebody"}, {formatMoment(one.created_at)}
            </small>
          </li>
        ))}
      </ul>
    </section>
  );
}

export default function SimulationPage() {
  const client = useQueryClient();
  const [params, setParams] = useSearchParams();
  const defaults = useQuery(defaultsQuery);
  const id = params.get("id") ?? "";
  const simulation = useQuery({ ...simulationQuery(id), enabled: id !== "" });
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState("");

  const show = (which: string) => setParams({ id: which });
  const run = async (name: string, parameters: Parameters) => {
    setBusy(true);
    setSaid("");
    try {
      const asked = await simulationApi.ask(name, parameters);
      client.setQueryData(simulationQuery(asked.id).queryKey, asked);
      void client.invalidateQueries({ queryKey: newestQuery.queryKey });
      show(asked.id);
    } catch (error) {
      setSaid(explain(error));
    } finally {
      setBusy(false);
    }
  };

  // A simulation that is looked at again brings its department back into the form.
  const from = id ? simulation.data?.parameters : defaults.data?.parameters;
  return (
    <div className={styles.page}>
      <h1>What would an order of the list do here?</h1>
      <div className={styles.body}>
        <aside className={styles.aside}>
          {from ? (
            <ParametersForm
              key={id}
              from={from}
              busy={busy}
              said={said}
              onRun={(name, of) => void run(name, of)}
            />
          ) : (
            <LoadingRows rows={10} />
          )}
          <Newest shown={id} onShow={show} />
        </aside>
        <div className={styles.results} aria-live="polite">
          {defaults.isError && <Failed error={defaults.error} onRetry={() => void defaults.refetch()} />}
          {!id && (
            <Empty title="Play a department through under four orders of the list">
              The same studies are read first in, first out; by order priority; flagged always first; and by
              Firstread&apos;s deadlines. Set the sliders to your department, or take this site&apos;s own
              figures, and press Simulate. It takes some seconds.
            </Empty>
          )}
          {simulation.isError && (
            <Failed error={simulation.error} onRetry={() => void simulation.refetch()} />
          )}
          {simulation.data && <Shown simulation={simulation.data} />}
        </div>
      </div>
      <PageFooter>
        <span>
          A model of queues, not of patients: what it leaves out stands in docs/adr/0020-simulation.md
        </span>
      </PageFooter>
    </div>
  );
}
