import { useQuery } from "@tanstack/react-query";
import { useEffect, useLayoutEffect, useRef, useState } from "react";

import { findingName, milliliters } from "../../ai/wording";
import { erQuery } from "../../api/queries";
import type { Alert, ErPatient } from "../../api/types";
import { IdleGuard } from "../../app/IdleGuard";
import { useMe } from "../../app/session";
import { startLive, useLiveInterval } from "../../live/live";
import { useClock } from "../../time/clock";
import { formatTime, setTimeZone } from "../../time/dates";
import { formatElapsed } from "../../time/remaining";
import { AiMark } from "../../ui/AiMark";
import { Icon } from "../../ui/icons";
import { patientName, personName } from "../../ui/person";
import { Empty, Failed } from "../../ui/states";
import { PRIORITIES } from "../worklist/words";
import { Answered, isRinging } from "./AlertCard";
import { ChannelStrip } from "./ChannelStrip";
import { AiWords, Stage } from "./PatientLine";
import { Preview } from "./Preview";
import { ringKey } from "./ring";
import { useRinging } from "./useRinging";
import styles from "./Wall.module.css";

/** Cards beside each other; what rings beyond them leads the list below, which turns its pages. */
export const MOST_CARDS = 4;
const PAGE_SECONDS = 12;

/** Which rows a wall shows at a moment: it cannot be scrolled, so it turns pages. */
export function pageOf<T>(
  rows: readonly T[],
  fitting: number,
  turn: number,
): { shown: T[]; page: number; pages: number } {
  const size = Math.max(1, fitting);
  const pages = Math.max(1, Math.ceil(rows.length / size));
  const page = turn % pages;
  return { shown: rows.slice(page * size, (page + 1) * size), page: page + 1, pages };
}

/** How many rows of the stylesheet's height fit into the list. */
function useFitting(): { ref: React.RefObject<HTMLUListElement | null>; fitting: number } {
  const ref = useRef<HTMLUListElement>(null);
  const [fitting, setFitting] = useState(8);
  useLayoutEffect(() => {
    const list = ref.current;
    if (!list) return;
    const measure = () => {
      const row = parseFloat(getComputedStyle(list).getPropertyValue("--row-em")) || 4.4;
      const em = parseFloat(getComputedStyle(list).fontSize) || 16;
      setFitting(Math.max(1, Math.floor(list.clientHeight / (row * em))));
    };
    const observer = new ResizeObserver(measure);
    observer.observe(list);
    measure();
    return () => observer.disconnect();
  }, []);
  return { ref, fitting };
}

function RingingCard({ patient, alert }: { patient: ErPatient; alert: Alert }) {
  const since = useClock((now) => formatElapsed(alert.raised_at, now));
  const { finding } = alert;
  const size = finding.volume_ml === null ? "" : `, about ${milliliters(finding.volume_ml)}`;
  return (
    <article className={styles.card} data-testid="wall-alert" aria-label="Unanswered alert">
      <Preview url={alert.preview_url || patient.preview_url} caption={alert.caption} />
      <div>
        <p className={styles.where}>{alert.location || patient.location || "Location unknown"}</p>
        <p>
          {patientName(alert.patient.name)} · {alert.patient.age ?? "age unknown"} {alert.patient.sex}
        </p>
        <p className={styles.finding}>
          <AiMark /> Possible {findingName(finding)}
          {finding.side && `, ${finding.side}`}
          {size}
        </p>
        <p className={styles.since}>
          <Icon name="danger" size={26} /> {since} without an answer
        </p>
        {alert.next_step && (
          <p className={styles.next}>
            Next at {formatTime(Date.parse(alert.next_step.at))}: {alert.next_step.who}
          </p>
        )}
      </div>
    </article>
  );
}

function Row({ patient }: { patient: ErPatient }) {
  const { alert, report } = patient;
  const ringing = isRinging(alert);
  return (
    <li className={styles.row} data-testid="wall-patient" data-ringing={ringing || undefined}>
      <span>
        <b>{patient.location || "–"}</b>
        <small>{PRIORITIES[patient.priority_class]}</small>
      </span>
      <span>
        {patientName(patient.patient.name)}
        <small>
          {patient.patient.age ?? "–"} {patient.patient.sex}
        </small>
      </span>
      <Stage patient={patient} />
      <span className={styles.news}>
        {ringing && <b className={styles.since}>! alert without an answer</b>}
        {alert && !ringing && <Answered alert={alert} />}
        {report ? (
          <span className={styles.report}>
            {report.impression || "Signed without an impression"}
            <small>
              {report.state === "preliminary" ? "preliminary, " : ""}signed by {personName(report.signed_by)},{" "}
              {formatTime(Date.parse(report.signed_at))}
            </small>
          </span>
        ) : (
          <AiWords patient={patient} />
        )}
      </span>
    </li>
  );
}

/** The department on a screen on the wall: large, nothing to click, every patient from scan to report. */
export default function WallPage() {
  const me = useMe();
  setTimeZone(me.time_zone);
  useEffect(() => startLive(), []);
  const interval = useLiveInterval();
  const patients = useQuery({ ...erQuery, refetchInterval: interval });
  const time = useClock((now) => formatTime(now));
  const turn = useClock((now) => Math.floor(now / 1000 / PAGE_SECONDS));
  const { ref, fitting } = useFitting();
  const rows = patients.data ?? [];
  const ringing = rows.filter((row) => isRinging(row.alert));
  const cards = ringing.slice(0, MOST_CARDS);
  const listed = rows.filter((row) => !cards.includes(row));
  const { shown, page, pages } = pageOf(listed, fitting, turn);
  const { audible, enable } = useRinging(ringing.flatMap((row) => (row.alert ? [ringKey(row.alert)] : [])));

  useEffect(() => {
    // Nothing to click: whoever sets the screen up presses any key once, and it may sound.
    window.addEventListener("keydown", enable);
    return () => window.removeEventListener("keydown", enable);
  }, [enable]);

  const onlyTheWall = me.roles.length === 1 && me.roles[0] === "er_staff";
  return (
    <main className={styles.wall} data-testid="er-wall">
      {!onlyTheWall && <IdleGuard me={me} />}
      <header className={styles.top}>
        <h1>{me.department || "Emergency"}</h1>
        <ChannelStrip />
        {!audible && <span className={styles.next}>! no sound: press any key once</span>}
        <time>{time}</time>
      </header>
      {patients.isError && <Failed error={patients.error} />}
      <section
        className={styles.cards}
        aria-label="Unanswered alerts"
        aria-live="assertive"
        data-many={cards.length > 2 || undefined}
      >
        {cards.map((row) => row.alert && <RingingCard key={row.alert.id} patient={row} alert={row.alert} />)}
      </section>
      {patients.isSuccess && rows.length === 0 && (
        <Empty title="No ER patient has images here">A patient stands here from the first image.</Empty>
      )}
      <ul className={styles.rows} ref={ref} aria-label="Patients">
        {shown.map((row) => (
          <Row key={row.study_instance_uid} patient={row} />
        ))}
      </ul>
      <footer className={styles.foot}>
        <span>
          {rows.length === 1 ? "1 patient" : `${String(rows.length)} patients`}
          {pages > 1 && ` · page ${String(page)} of ${String(pages)}`}
          {ringing.length > 0 && " · Answer an alert on a phone or a workstation: ER page"}
        </span>
        <span>Not a cleared medical device. Demonstration weights.</span>
      </footer>
    </main>
  );
}
