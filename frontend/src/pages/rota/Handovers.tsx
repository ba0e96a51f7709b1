import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { Link } from "wouter";

import { useMe } from "../../app/session";
import { useLiveInterval } from "../../live/live";
import { formatMoment, formatTime } from "../../time/dates";
import { patientName, personName } from "../../ui/person";
import { Failed, LoadingRows } from "../../ui/states";
import { useAction } from "./Forms";
import {
  handoversQuery,
  openWorkQuery,
  peopleQuery,
  rotaApi,
  type HandedStudy,
  type Handover,
  type OpenStudy,
} from "./rota";
import { becauseWords, openWords } from "./words";
import paper from "../../ui/Paper.module.css";
import styles from "./Rota.module.css";

function StudyWords({ study }: { study: HandedStudy }) {
  return (
    <>
      <Link href={`/read/${study.study_instance_uid}`}>{patientName(study.patient.name)}</Link>
      {study.patient.age && ` ${study.patient.age}`} {study.patient.sex}
      <small>
        {study.modality} · {study.study_description} · {study.priority_class}
        {study.state !== "signed" && ` · due ${formatMoment(study.due_at)}`}
      </small>
    </>
  );
}

function Alerts({ study }: { study: HandedStudy }) {
  return study.open_alerts.map((one) => (
    <small key={one.id} className={styles.ringing}>
      <b>! alert unanswered</b> since {formatTime(Date.parse(one.raised_at))}: {one.meaning}
    </small>
  ));
}

/** One hand-over that waits: who left what for whom, and the button that takes it. */
export function Waiting({ handover }: { handover: Handover }) {
  const { said, run } = useAction();
  const [busy, setBusy] = useState(false);
  const open = handover.studies.filter((one) => one.state !== "signed").length;
  const take = async () => {
    setBusy(true);
    await run(() => rotaApi.take(handover.id));
    setBusy(false);
  };
  return (
    <article
      className={styles.card}
      aria-label={`Hand-over from ${personName(handover.by)}`}
      data-testid="handover"
    >
      <h3>
        {handover.is_mine ? "You" : personName(handover.by)} at {formatMoment(handover.at)}
        {handover.to && `, for ${handover.for_me ? "you" : personName(handover.to)}`}
        {handover.group && `, ${handover.group.name}`}
      </h3>
      {handover.note && <p className={styles.note}>{handover.note}</p>}
      <ul>
        {handover.studies.map((one) => (
          <li key={one.study_instance_uid}>
            <StudyWords study={one} />
            <small>{openWords(one)}</small>
            <Alerts study={one} />
          </li>
        ))}
      </ul>
      <span className={`${paper.actions} ${styles.actions}`}>
        <Button loading={busy} onClick={() => void take()}>
          {handover.is_mine ? "Take back" : open === 0 ? "Take note" : `Take over ${String(open)}`}
        </Button>
        {said && <span role="alert">{said}</span>}
      </span>
    </article>
  );
}

function Choice({
  study,
  chosen,
  onChange,
}: {
  study: OpenStudy;
  chosen: boolean;
  onChange: (chosen: boolean) => void;
}) {
  return (
    <tr data-testid="open-study">
      <td>
        <input
          type="checkbox"
          aria-label={`Hand over ${patientName(study.patient.name)}`}
          checked={chosen}
          onChange={(event) => onChange(event.currentTarget.checked)}
        />
      </td>
      <td>
        <StudyWords study={study} />
      </td>
      <td>
        {becauseWords(study)}
        <Alerts study={study} />
      </td>
    </tr>
  );
}

/** What I leave: my open studies, all chosen at first, a note, and for whom. */
export function HandOver({ onDone }: { onDone: () => void }) {
  const { said, run } = useAction();
  const work = useQuery(openWorkQuery);
  const me = useMe();
  const people = useQuery(peopleQuery("reading"));
  const [kept, setKept] = useState<ReadonlySet<string>>(new Set());
  const [to, setTo] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  if (work.isPending) return <LoadingRows rows={3} />;
  if (work.isError) return <Failed error={work.error} onRetry={() => void work.refetch()} />;
  const { studies, next } = work.data;
  const chosen = studies.filter((one) => !kept.has(one.study_instance_uid));
  const toWhom = to ?? next?.person.username ?? "";
  const change = (uid: string, wanted: boolean) => {
    const other = new Set(kept);
    if (wanted) other.delete(uid);
    else other.add(uid);
    setKept(other);
  };
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const note = new FormData(event.currentTarget).get("note");
    setBusy(true);
    const went = await run(() =>
      rotaApi.handOver({
        to: toWhom,
        note: typeof note === "string" ? note.trim() : "",
        studies: chosen.map((one) => one.study_instance_uid),
      }),
    );
    setBusy(false);
    if (went) onDone();
  };
  return (
    <form onSubmit={(event) => void submit(event)} aria-label="Hand over">
      {studies.length === 0 ? (
        <p className={styles.quiet}>
          Nothing of yours is open: no claim, no assignment, no hold, no draft, no unanswered alert. A note
          alone can be handed over.
        </p>
      ) : (
        <table className={paper.table} aria-label="My open studies">
          <thead>
            <tr>
              <th aria-label="chosen" />
              <th>study</th>
              <th>why it is open</th>
            </tr>
          </thead>
          <tbody>
            {studies.map((one) => (
              <Choice
                key={one.study_instance_uid}
                study={one}
                chosen={!kept.has(one.study_instance_uid)}
                onChange={(wanted) => change(one.study_instance_uid, wanted)}
              />
            ))}
          </tbody>
        </table>
      )}
      <div className={`${paper.form} ${styles.form}`}>
        <label>
          For whom
          <select value={toWhom} autoFocus onChange={(event) => setTo(event.currentTarget.value)}>
            <option value="">whoever takes it</option>
            {(people.data ?? [])
              .filter((one) => one.username !== me.username)
              .map((one) => (
                <option key={one.username} value={one.username}>
                  {personName(one)}
                  {one.username === next?.person.username && " (reads next)"}
                </option>
              ))}
          </select>
        </label>
        <label className={styles.wide}>
          What the next reader should know
          <textarea name="note" rows={3} maxLength={1000} />
        </label>
      </div>
      <p className={styles.quiet}>
        Your claims and assignments of these studies end at once, so that nobody&apos;s study waits; drafts
        and holds stay. Whoever takes the hand-over gets the studies assigned.
      </p>
      <span className={`${paper.actions} ${styles.actions}`}>
        <Button type="submit" loading={busy}>
          {chosen.length === 0 ? "Hand over the note" : `Hand over ${String(chosen.length)}`}
        </Button>
        <Button onClick={onDone}>Close</Button>
        {said && <span role="alert">{said}</span>}
      </span>
    </form>
  );
}

/** Between shifts: what waits to be taken, and what I leave. */
export function Handovers() {
  const waiting = useQuery({ ...handoversQuery, refetchInterval: useLiveInterval() });
  const [leaving, setLeaving] = useState(false);
  return (
    <section aria-label="Hand-over">
      <div className={paper.tools}>
        <h2>Hand-over</h2>
        <span />
        <Button aria-expanded={leaving} onClick={() => setLeaving(!leaving)}>
          {leaving ? "Close" : "Hand over my work"}
        </Button>
      </div>
      {leaving && <HandOver onDone={() => setLeaving(false)} />}
      {waiting.isPending && <LoadingRows rows={2} />}
      {waiting.isError && <Failed error={waiting.error} onRetry={() => void waiting.refetch()} />}
      {waiting.data?.length === 0 && !leaving && (
        <p className={styles.quiet} role="status">
          Nothing waits to be taken over. At the end of a shift, hand over what is open with a note: it shows
          here until somebody takes it.
        </p>
      )}
      <div className={styles.cards}>
        {(waiting.data ?? []).map((one) => (
          <Waiting key={one.id} handover={one} />
        ))}
      </div>
    </section>
  );
}
