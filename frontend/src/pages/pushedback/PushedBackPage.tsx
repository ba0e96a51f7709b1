import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import type { Overtaken, PriorityClass, PushedBack } from "../../api/types";
import { PageFooter } from "../../app/Shell";
import { formatDay, formatMoment, today } from "../../time/dates";
import { Empty, Failed, LoadingRows } from "../../ui/states";
import { overtakenQuery, pushedBackQuery, type Days } from "./queries";
import { barsOf, CLASSES, daysBefore, minutesInWords } from "./words";
import paper from "../../ui/Paper.module.css";
import styles from "./PushedBack.module.css";

const SPANS = [7, 28, 90] as const;

interface Wanted {
  days: Days;
  priority: PriorityClass | "";
}

function Chart({ ledger }: { ledger: PushedBack }) {
  const bars = barsOf(ledger.by_class_and_day);
  return (
    <figure className={styles.chart} aria-label="Minutes that passed studies waited longer, by day">
      {bars.map((bar) => (
        <div key={bar.day} className={styles.line}>
          <span>{formatDay(bar.day)}</span>
          <i style={{ inlineSize: `${String(Math.round(bar.share * 100))}%` }} aria-hidden="true" />
          <b>{minutesInWords(bar.minutes)}</b>
        </div>
      ))}
    </figure>
  );
}

function Sums({ ledger, onOpen }: { ledger: PushedBack; onOpen: (wanted: Wanted) => void }) {
  return (
    <table className={`${paper.table} ${styles.table}`} aria-label="Pushed back by class and day">
      <thead>
        <tr>
          <th>day</th>
          <th>class</th>
          <th>studies passed</th>
          <th>by promotions</th>
          <th>minutes in all</th>
          <th>median of a study</th>
          <th>longest</th>
          <th>still open</th>
          <th aria-label="rows" />
        </tr>
      </thead>
      <tbody>
        {ledger.by_class_and_day.map((row) => (
          <tr key={`${row.day} ${row.priority_class}`} data-testid="pushed-back-row">
            <td>{formatDay(row.day)}</td>
            <td>{CLASSES[row.priority_class]}</td>
            <td>{row.studies_passed}</td>
            <td>{row.promotions}</td>
            <td>{minutesInWords(row.minutes_total)}</td>
            <td>{minutesInWords(row.minutes_median)}</td>
            <td>{minutesInWords(row.minutes_longest)}</td>
            <td>{row.not_settled}</td>
            <td>
              <Button
                size="compact-xs"
                aria-label={`Studies of ${formatDay(row.day)}, ${CLASSES[row.priority_class]}`}
                onClick={() => onOpen({ days: { from: row.day, to: row.day }, priority: row.priority_class })}
              >
                Studies
              </Button>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function StudyCell({ study }: { study: Overtaken["passed"] }) {
  return (
    <td>
      <a href={`/read/${study.study_instance_uid}`}>{study.patient.name.replaceAll("^", " ")}</a>
      <small>
        {CLASSES[study.priority_class]}, {study.modality} {study.study_description}
        {study.accession_number && `, ${study.accession_number}`}
      </small>
    </td>
  );
}

function Studies({ wanted, onClose }: { wanted: Wanted; onClose: () => void }) {
  const [page, setPage] = useState(1);
  const rows = useQuery(overtakenQuery(wanted.days, wanted.priority, page));
  const title = `${formatDay(wanted.days.from)}${wanted.priority ? `, ${CLASSES[wanted.priority]}` : ""}`;
  return (
    <section aria-label={`Studies passed on ${title}`}>
      <div className={paper.bar}>
        <h2>Who was passed by whom: {title}</h2>
        <Button onClick={onClose}>Close</Button>
      </div>
      {rows.isPending && <LoadingRows rows={4} />}
      {rows.isError && <Failed error={rows.error} onRetry={() => void rows.refetch()} />}
      {rows.data && (
        <>
          <table className={`${paper.table} ${styles.table}`} aria-label={`Promotions of ${title}`}>
            <thead>
              <tr>
                <th>when</th>
                <th>passed</th>
                <th>promoted before it</th>
                <th>because</th>
                <th>waited longer</th>
              </tr>
            </thead>
            <tbody>
              {rows.data.results.map((row) => (
                <tr key={row.id}>
                  <td>{formatMoment(row.at)}</td>
                  <StudyCell study={row.passed} />
                  <StudyCell study={row.promoted} />
                  <td>{row.cause}</td>
                  <td>{row.minutes === null ? "not known yet" : minutesInWords(row.minutes)}</td>
                </tr>
              ))}
            </tbody>
          </table>
          <div className={paper.bar}>
            <span>{rows.data.count} promotions</span>
            <Button disabled={!rows.data.previous} onClick={() => setPage(page - 1)}>
              Earlier page
            </Button>
            <Button disabled={!rows.data.next} onClick={() => setPage(page + 1)}>
              Next page
            </Button>
          </div>
        </>
      )}
    </section>
  );
}

export default function PushedBackPage() {
  const [span, setSpan] = useState<number>(SPANS[0]);
  const [wanted, setWanted] = useState<Wanted | null>(null);
  const to = today();
  const ledger = useQuery(pushedBackQuery({ from: daysBefore(to, span - 1), to }));
  const rows = ledger.data?.by_class_and_day ?? [];
  return (
    <>
      <div className={paper.page}>
        <div className={paper.bar}>
          <h1>Pushed back</h1>
          <select
            aria-label="How far back"
            value={span}
            onChange={(event) => {
              setSpan(Number(event.currentTarget.value));
              setWanted(null);
            }}
          >
            {SPANS.map((days) => (
              <option key={days} value={days}>
                {days} days
              </option>
            ))}
          </select>
        </div>
        <p className={styles.lead}>
          When AI, a patient&rsquo;s age or a reader puts a study forward, others that nobody was reading yet
          wait longer. Each of them stands here, with the minutes for which the promoted study was read while
          it went on waiting. Several readers read at once, so this is the most that a promotion can have
          cost. Orders and new policies are not counted.
        </p>
        {ledger.isPending && <LoadingRows rows={6} />}
        {ledger.isError && <Failed error={ledger.error} onRetry={() => void ledger.refetch()} />}
        {ledger.isSuccess && rows.length === 0 && (
          <Empty title="Nobody was pushed back">
            No promotion passed a waiting study in these {span} days. Choose more days above, or look at the{" "}
            <a href="/policies/priority">policy</a> that says what promotes.
          </Empty>
        )}
        {ledger.data && rows.length > 0 && (
          <>
            <p role="status">
              {ledger.data.totals.studies_passed} studies were passed by {ledger.data.totals.promotions}{" "}
              others and waited {minutesInWords(ledger.data.totals.minutes_total)} longer in all; the longest{" "}
              {minutesInWords(ledger.data.totals.minutes_longest)}.
            </p>
            <Chart ledger={ledger.data} />
            <Sums ledger={ledger.data} onOpen={setWanted} />
          </>
        )}
        {wanted && (
          <Studies
            key={`${wanted.days.from} ${wanted.priority}`}
            wanted={wanted}
            onClose={() => setWanted(null)}
          />
        )}
      </div>
      <PageFooter />
    </>
  );
}
