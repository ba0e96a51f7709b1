import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { fatigueQuery } from "../../api/alerting";
import type { Fatigue } from "../../api/types";
import { PageFooter } from "../../app/Shell";
import { Empty, Failed, LoadingRows } from "../../ui/states";
import paper from "../../ui/Paper.module.css";
import styles from "./Alerts.module.css";
import { Quiets } from "./Quiets";

const PERIODS = [7, 30, 90] as const;
type Row = Fatigue["rows"][number];

/** "12 of 15": how many were true of those that somebody decided. */
export function trueOfDecided(row: Pick<Row, "true" | "false">): string {
  const decided = row.true + row.false;
  return decided === 0 ? "–" : `${String(row.true)} of ${String(decided)}`;
}

function Rows({ rows }: { rows: readonly Row[] }) {
  return (
    <table className={`${paper.table} ${styles.table}`} aria-label="Alerts by model and site">
      <thead>
        <tr>
          <th>model</th>
          <th>site</th>
          <th>alerts</th>
          <th>true</th>
          <th>false</th>
          <th>not decided yet</th>
          <th>true of decided</th>
          <th>without an answer</th>
          <th>median to the answer</th>
          <th>known, not rung</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={`${row.model} ${row.version} ${row.site}`} data-testid="fatigue-row">
            <td>
              {row.model} {row.version}
            </td>
            <td>{row.site || "no name sent"}</td>
            <td>{row.alerts}</td>
            <td>{row.true}</td>
            <td>{row.false}</td>
            <td>{row.undecided}</td>
            <td>{trueOfDecided(row)}</td>
            <td>
              {row.unanswered > 0 ? <span className={styles.bad}>! {row.unanswered}</span> : row.unanswered}
            </td>
            <td>{row.median_minutes === null ? "–" : `${String(row.median_minutes)} min`}</td>
            <td>{row.not_rung}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Hours({ counts, zone }: { counts: readonly number[]; zone: string }) {
  const most = Math.max(...counts, 1);
  return (
    <figure className={styles.figure}>
      <figcaption>Alerts by hour of the day, {zone}</figcaption>
      <svg
        className={styles.hours}
        viewBox="0 0 480 96"
        role="img"
        aria-label={counts.map((count, hour) => `${String(hour)} h: ${String(count)}`).join(", ")}
      >
        {counts.map((count, hour) => {
          const height = (count / most) * 60;
          return (
            <g key={hour}>
              <rect x={hour * 20 + 2} y={78 - height} width={16} height={height} />
              {count > 0 && (
                <text x={hour * 20 + 10} y={74 - height}>
                  {count}
                </text>
              )}
              <text x={hour * 20 + 10} y={92} data-quiet="">
                {hour}
              </text>
            </g>
          );
        })}
      </svg>
    </figure>
  );
}

/** How alerts weigh on people: how many, how many of them true, how long until an answer, at which hours. */
export default function FatiguePage() {
  const [days, setDays] = useState<number>(30);
  const fatigue = useQuery(fatigueQuery(days));
  return (
    <>
      <div className={`${paper.page} ${styles.page}`}>
        <h1>Alert fatigue</h1>
        <div className={styles.actions}>
          <label>
            The last{" "}
            <select value={days} onChange={(event) => setDays(Number(event.currentTarget.value))}>
              {PERIODS.map((one) => (
                <option key={one} value={one}>
                  {one} days
                </option>
              ))}
            </select>
          </label>
        </div>
        {fatigue.isPending && <LoadingRows rows={4} />}
        {fatigue.isError && <Failed error={fatigue.error} onRetry={() => void fatigue.refetch()} />}
        {fatigue.isSuccess &&
          (fatigue.data.rows.length === 0 ? (
            <Empty title={`No alert in the last ${String(days)} days`}>
              Counts stand here once a live model has flagged a critical finding.
            </Empty>
          ) : (
            <>
              {fatigue.data.cut && (
                <p className={styles.bad} role="status">
                  ! Only the latest alerts were counted. Choose a shorter time.
                </p>
              )}
              <Rows rows={fatigue.data.rows} />
              <Hours counts={fatigue.data.by_hour} zone={fatigue.data.time_zone} />
            </>
          ))}
        <Quiets />
      </div>
      <PageFooter>True and false by QA’s verdict, otherwise by the signed report.</PageFooter>
    </>
  );
}
