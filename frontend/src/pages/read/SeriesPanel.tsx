import type { PlannedModel, TriagePlan, TriageRun } from "../../api/types";
import { AiMark } from "../../ui/AiMark";
import { Icon } from "../../ui/icons";
import styles from "./SeriesPanel.module.css";

type Series = PlannedModel["series"][number];

function seriesName(series: Series): string {
  const number = series.series_number ? `Series ${String(series.series_number)}` : "A series";
  return series.series_description ? `${number}, ${series.series_description}` : number;
}

function SeriesLine({ series }: { series: Series }) {
  const parts = series.parts
    .map((part) => `${part.points > 0 ? "+" : ""}${String(part.points)} ${part.text}`)
    .join("\n");
  return (
    <li data-testid="considered-series" data-chosen={series.chosen || undefined} title={parts}>
      <span>
        {series.chosen && <Icon name="check" size={12} />} {seriesName(series)}
      </span>
      <span className={styles.why}>{series.reason}</span>
    </li>
  );
}

/** What a run noticed about its input: slices left out or missing. */
function notes(model: PlannedModel, runs: readonly TriageRun[]): string {
  const run = runs.find(
    (one) =>
      one.model === model.model &&
      one.model_version === model.model_version &&
      one.series_instance_uid === model.chosen_series_instance_uid &&
      one.state === "done",
  );
  return run?.outcome_reason ?? "";
}

interface Props {
  plan: TriagePlan | undefined;
  runs: readonly TriageRun[];
}

/** Which series each model was given, and of every other series why not. */
export function SeriesPanel({ plan, runs }: Props) {
  if (!plan) return null;
  return (
    <details className={styles.panel} data-testid="series-panel">
      <summary>
        <AiMark /> Which series, and why
      </summary>
      {plan.models.length === 0 && <p className={styles.why}>{plan.reason}</p>}
      {plan.models.map((model) => (
        <section key={`${model.model} ${model.model_version}`} aria-label={`Series for ${model.model}`}>
          <h3>
            {model.model} {model.model_version}
            {model.model_state !== "live" && ` (${model.model_state})`}
          </h3>
          {model.reason && <p className={styles.why}>Not analysed: {model.reason}</p>}
          <ul>
            {model.series.map((series) => (
              <SeriesLine key={series.series_instance_uid} series={series} />
            ))}
          </ul>
          {notes(model, runs) && (
            <p className={styles.note} data-testid="input-notes">
              Of the images: {notes(model, runs)}
            </p>
          )}
        </section>
      ))}
    </details>
  );
}
