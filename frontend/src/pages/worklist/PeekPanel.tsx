import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { aiLine, findingName, flagFigures, midlineText, ppvLong, probabilityWords } from "../../ai/wording";
import { eventsQuery, historyQuery, priorsQuery, runsQuery } from "../../api/queries";
import type { WorklistItem } from "../../api/types";
import { useClock } from "../../time/clock";
import { formatDay, formatMoment } from "../../time/dates";
import { AiMark } from "../../ui/AiMark";
import { patientName, personName } from "../../ui/person";
import { Failed } from "../../ui/states";
import actions from "./Actions.module.css";
import { actionLabel, ACTIONS, whyNot, type ActionName } from "./offered";
import styles from "./Peek.module.css";
import type { Undoable } from "./useActions";
import {
  FLAG_WORDS,
  groupSentence,
  holdSentence,
  LOCATIONS,
  PRIORITIES,
  raisedSentence,
  reasonMinutes,
} from "./words";

function Thumbnail({ uid }: { uid: string }) {
  const [failed, setFailed] = useState(false);
  if (failed) return <div className={styles.noImage}>No preview of this study</div>;
  return (
    <img
      className={styles.thumb}
      src={`/dicom-web/studies/${uid}/thumbnail`}
      alt="Middle slice of the study, not for diagnostic use"
      onError={() => setFailed(true)}
    />
  );
}

function Ai({ item }: { item: WorklistItem }) {
  const runs = useQuery(runsQuery(item.study_instance_uid));
  const line = aiLine(item);
  const flags = item.findings.filter((finding) => finding.presence === "present");
  return (
    <section>
      <h2>
        <AiMark />
      </h2>
      {flags.length === 0 && <p>{line.text}</p>}
      {flags.map((finding) => (
        <div key={finding.id}>
          <p className={styles.flag}>
            possible {findingName(finding)}
            {finding.probability !== null && `, ${probabilityWords(finding.probability)}`}
          </p>
          <p className={styles.quiet}>{flagFigures(finding)}</p>
          {finding.comparison?.text && <p>{finding.comparison.text}</p>}
          {midlineText(finding) && <p className={styles.quiet}>{midlineText(finding)}</p>}
          <p className={styles.quiet}>{ppvLong(finding.ppv)}</p>
        </div>
      ))}
      {(runs.data ?? []).map((run) => (
        <p key={run.id} className={styles.quiet}>
          {run.model} {run.model_version} ({run.model_state}): {run.state.replace("_", " ")}
          {run.outcome_reason && `, ${run.outcome_reason}`}
          {run.finished_at && `, ${formatMoment(run.finished_at)}`} · {run.input_instance_count} images
        </p>
      ))}
    </section>
  );
}

interface Acting {
  /** Null for those who may only look. */
  onAsk: ((name: ActionName) => void) | null;
  onUndo: (what: Undoable) => void;
}

const minute = (now: number) => Math.floor(now / 60_000) * 60_000;

function Actions({ item, onAsk }: { item: WorklistItem; onAsk: (name: ActionName) => void }) {
  const now = useClock(minute);
  return (
    <div className={actions.bar} role="group" aria-label="Actions">
      {ACTIONS.map(({ name, key }) => {
        const refusal = whyNot(name, item, now);
        return (
          <button
            key={name}
            type="button"
            disabled={refusal !== ""}
            title={refusal}
            onClick={() => onAsk(name)}
          >
            {actionLabel(name, item)} <kbd>{key}</kbd>
          </button>
        );
      })}
    </div>
  );
}

/** Assignment, hold, raised priority and marks, in sentences. */
function Standing({ item }: { item: WorklistItem }) {
  const group = groupSentence(item);
  if (!item.assigned_to && !item.held && !item.raised && item.flags.length === 0 && !group) return null;
  return (
    <section>
      <h2>Whose it is</h2>
      {group && <p>{group}</p>}
      {item.assigned_to && <p>Assigned to {personName(item.assigned_to)}</p>}
      {item.held && <p>{holdSentence(item.held)}</p>}
      {item.raised && <p>{raisedSentence(item.raised)}</p>}
      {item.flags.map((flag) => (
        <p key={flag.kind}>
          Marked for {FLAG_WORDS[flag.kind]} by {personName(flag.by)}
          {flag.note && `: ${flag.note}`}
        </p>
      ))}
    </section>
  );
}

function Events({ item, onAsk, onUndo }: { item: WorklistItem } & Acting) {
  const uid = item.study_instance_uid;
  const events = useQuery({ ...eventsQuery(uid), staleTime: 0 });
  const refetch = events.refetch;
  useEffect(() => void refetch(), [item.version, refetch]);
  return (
    <section>
      <h2>What people did</h2>
      {events.isError && <Failed error={events.error} />}
      {events.data?.length === 0 && <p className={styles.quiet}>Nothing yet</p>}
      <ol className={styles.history}>
        {(events.data ?? []).map((event) => (
          <li key={event.id}>
            <time>{formatMoment(event.at)}</time>
            <span>
              {event.by && `${personName(event.by)} `}
              {event.text}
              {event.reason && <span className={styles.quiet}> “{event.reason}”</span>}
              {event.undone_at && <span className={styles.quiet}> (undone)</span>}
              {onAsk && event.can_undo && (
                <button
                  type="button"
                  className={styles.undo}
                  onClick={() => onUndo({ uid, event: event.id, text: event.text })}
                >
                  Undo
                </button>
              )}
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** What one wants to know before opening a study, without leaving the list. */
export function PeekPanel({
  item,
  onClose,
  ...acting
}: { item: WorklistItem; onClose: () => void } & Acting) {
  const uid = item.study_instance_uid;
  const history = useQuery({ ...historyQuery(uid), staleTime: 0 });
  const priors = useQuery(priorsQuery(uid));
  return (
    <aside className={styles.panel} aria-label="Peek at the selected study" data-testid="peek">
      <header>
        <div>
          <h1>{patientName(item.patient.name)}</h1>
          <p className={styles.quiet}>
            {item.patient.age ?? "–"} {item.patient.sex} · born {formatDay(item.patient.birth_date)} · ID{" "}
            {item.patient.id}
          </p>
        </div>
        <button type="button" onClick={onClose} aria-label="Close the peek panel">
          Esc
        </button>
      </header>
      <Thumbnail key={uid} uid={uid} />
      {acting.onAsk && <Actions item={item} onAsk={acting.onAsk} />}
      <Standing item={item} />
      <section>
        <h2>Order</h2>
        <p>
          {PRIORITIES[item.priority_class]} · {item.location || LOCATIONS[item.location_class]}
        </p>
        <p>{item.reason_for_exam || "No reason for exam was sent"}</p>
        <p className={styles.quiet}>
          {item.accession_number || "no accession number"} · {item.study_description} ·{" "}
          {item.number_of_series} series, {item.number_of_instances} images · arrived{" "}
          {formatMoment(item.arrived_at)}
        </p>
      </section>
      <section>
        <h2>Why it stands here</h2>
        <ul className={styles.reasons}>
          {item.reasons.map((reason, index) => (
            <li key={`${reason.code}-${String(index)}`}>
              <span>{reason.text}</span>
              <span>{reasonMinutes(reason)}</span>
            </li>
          ))}
        </ul>
        <p className={styles.quiet}>
          Due {formatMoment(item.due_at)}; without AI {formatMoment(item.due_without_ai_at)}
        </p>
      </section>
      <Ai item={item} />
      <section>
        <h2>Priors</h2>
        {priors.isError && <Failed error={priors.error} />}
        {priors.data?.length === 0 && <p className={styles.quiet}>None in this archive</p>}
        {priors.data?.map((prior) => (
          <p key={prior.study_instance_uid}>
            {formatDay(prior.study_date)} · {prior.modality} {prior.study_description}
            <span className={styles.quiet}> {prior.impression}</span>
          </p>
        ))}
      </section>
      <section>
        <h2>History of rank</h2>
        {history.isError && <Failed error={history.error} />}
        <ol className={styles.history}>
          {(history.data ?? []).map((change) => (
            <li key={`${change.at}-${change.due_at}`}>
              <time>{formatMoment(change.at)}</time>
              <span>
                due {formatMoment(change.due_at)} <span className={styles.quiet}>{change.cause}</span>
              </span>
            </li>
          ))}
        </ol>
      </section>
      <Events item={item} {...acting} />
    </aside>
  );
}
