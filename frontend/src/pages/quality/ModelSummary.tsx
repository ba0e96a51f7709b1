import { percent } from "../../ai/wording";
import type { Proportion, QualitySummary } from "../../api/types";
import { AiMark } from "../../ui/AiMark";
import { countsOf, METRICS, modelName, type Selection, type View } from "./cases";
import styles from "./Quality.module.css";

const WIDTH = 220;
const HEIGHT = 18;

/** A proportion as a point on its 95 % interval, from 0 to 100 %. */
function Interval({ value }: { value: Proportion }) {
  const x = (share: number) => 5 + share * (WIDTH - 10);
  return (
    <svg className={styles.interval} viewBox={`0 0 ${String(WIDTH)} ${String(HEIGHT)}`} aria-hidden="true">
      {[0, 0.5, 1].map((tick) => (
        <line key={tick} className={styles.tick} x1={x(tick)} x2={x(tick)} y1={2} y2={HEIGHT - 2} />
      ))}
      <line className={styles.whisker} x1={x(value.low)} x2={x(value.high)} y1={HEIGHT / 2} y2={HEIGHT / 2} />
      <circle className={styles.point} cx={x(value.value)} cy={HEIGHT / 2} r={4} />
    </svg>
  );
}

interface Props {
  summary: QualitySummary;
  onSelect: (selection: Selection) => void;
}

/** How one model has done here: the four fields, and what follows from them with intervals. */
export function ModelSummary({ summary, onSelect }: Props) {
  const model = modelName(summary);
  const field = (view: View, label: string, count: number) => (
    <td>
      <button
        type="button"
        onClick={() => onSelect({ view, model })}
        aria-label={`${label}: ${String(count)}`}
      >
        {count}
      </button>
    </td>
  );
  return (
    <section className={styles.model} aria-label={`Model ${model}`}>
      <header>
        <h1>
          <AiMark /> {model} <small>{summary.state}</small>
        </h1>
        <button type="button" onClick={() => onSelect({ view: "all", model })}>
          {summary.n} signed studies
        </button>
        {summary.small_sample && (
          <p className={styles.small}>Small sample: read the intervals, not the points.</p>
        )}
      </header>
      <div className={styles.modelBody}>
        <table className={styles.fields}>
          <thead>
            <tr>
              <td />
              <th scope="col">report: present</th>
              <th scope="col">report: absent</th>
            </tr>
          </thead>
          <tbody>
            <tr>
              <th scope="row">AI flagged</th>
              {field("tp", "True positive", summary.tp)}
              {field("fp", "False positive", summary.fp)}
            </tr>
            <tr>
              <th scope="row">AI found nothing</th>
              {field("fn", "False negative", summary.fn)}
              {field("tn", "True negative", summary.tn)}
            </tr>
          </tbody>
        </table>
        <dl className={styles.metrics}>
          {METRICS.map(({ key, label, question }) => {
            const value = summary[key];
            return (
              <div key={key}>
                <dt title={question}>{label}</dt>
                <dd>
                  {value ? (
                    <>
                      <Interval value={value} />
                      <b>{percent(value.value)}</b>
                      <span>
                        {percent(value.low)} to {percent(value.high)} · {countsOf(summary, key)}
                      </span>
                    </>
                  ) : (
                    <span>no cases yet</span>
                  )}
                </dd>
              </div>
            );
          })}
        </dl>
      </div>
    </section>
  );
}
