import { memo } from "react";

import { aiLine } from "../../ai/wording";
import type { WorklistItem } from "../../api/types";
import { formatTime } from "../../time/dates";
import { AiMark } from "../../ui/AiMark";
import { Icon, type IconName } from "../../ui/icons";
import { patientName, personName } from "../../ui/person";
import { TimeLeft } from "./TimeLeft";
import styles from "./Worklist.module.css";
import {
  FLAG_WORDS,
  groupLine,
  groupSentence,
  holdLine,
  holdSentence,
  LOCATIONS,
  PRIORITIES,
  raisedSentence,
  rowReasons,
} from "./words";

interface Props {
  item: WorklistItem;
  index: number;
  total: number;
  top: number;
  slides: boolean;
  selected: boolean;
  onSelect: (uid: string) => void;
  onOpen: (item: WorklistItem) => void;
  /** Username of whoever looks at it. */
  me: string;
  onClaim: ((item: WorklistItem) => void) | null;
  onMenu: ((item: WorklistItem) => void) | null;
  onHover: (uid: string) => void;
}

interface Standing {
  kind: "free" | "mine" | "taken" | "held" | "assigned";
  icon: IconName | null;
  label: string;
  quiet: string;
}

/** Who has the study and what it waits for, in two lines; the icon and the words carry it, not the colour. */
function standing(item: WorklistItem, me: string): Standing {
  const assignee = item.assigned_to
    ? item.assigned_to.username === me
      ? "me"
      : personName(item.assigned_to)
    : "";
  if (item.state === "claimed") {
    const until = item.claim_expires_at ? `until ${formatTime(Date.parse(item.claim_expires_at))}` : "";
    return item.is_mine
      ? { kind: "mine", icon: null, label: "mine", quiet: until }
      : { kind: "taken", icon: "lock", label: personName(item.claimed_by), quiet: until };
  }
  if (item.held) {
    const quiet = holdLine(item.held) + (assignee && ` · for ${assignee}`);
    return { kind: "held", icon: "hold", label: "on hold", quiet };
  }
  const quiet = item.study_state === "receiving" ? "receiving…" : groupLine(item);
  return assignee
    ? { kind: "assigned", icon: "person", label: `for ${assignee}`, quiet: quiet || "assigned" }
    : { kind: "free", icon: null, label: "free", quiet };
}

function State({ item, me, onClaim, onMenu }: Pick<Props, "item" | "me" | "onClaim" | "onMenu">) {
  if (item.state === "signed") return <span className={styles.state}>{item.report_state ?? "signed"}</span>;
  const { kind, icon, label, quiet } = standing(item, me);
  return (
    <span
      className={styles.state}
      data-state={kind}
      data-testid="worklist-state"
      title={item.held ? holdSentence(item.held) : groupSentence(item) || undefined}
    >
      <span className={styles.line}>
        {icon && <Icon name={icon} size={11} />} {label}
      </span>
      <small>{quiet}</small>
      {onClaim && (
        <span className={styles.rowButtons}>
          {(item.state === "open" || item.is_mine) && (
            <button
              type="button"
              className={styles.claim}
              data-testid="claim"
              tabIndex={-1}
              onClick={(event) => {
                event.stopPropagation();
                onClaim(item);
              }}
            >
              {item.is_mine ? "Release" : "Claim"}
            </button>
          )}
          {onMenu && (
            <button
              type="button"
              className={styles.claim}
              aria-label={`All actions on ${patientName(item.patient.name)}`}
              data-testid="row-menu"
              tabIndex={-1}
              onClick={(event) => {
                event.stopPropagation();
                onMenu(item);
              }}
            >
              <Icon name="more" size={12} />
            </button>
          )}
        </span>
      )}
    </span>
  );
}

export function AiCell({ item }: { item: WorklistItem }) {
  const line = aiLine(item);
  return (
    <span className={styles.ai} data-tone={line.tone} data-testid="worklist-ai" title={line.text}>
      <span className={styles.line}>
        {line.tone === "none" ? (
          <span className="visually-hidden">AI: </span>
        ) : (
          <AiMark quiet={line.tone !== "flag"} />
        )}
        <span>{line.text}</span>
      </span>
      <small>{line.detail}</small>
    </span>
  );
}

/** One study: the first line says what matters, the second stays quiet. */
export const WorklistRow = memo(function WorklistRow(props: Props) {
  const { item, index, total, top, slides, selected, onSelect, onOpen, onHover } = props;
  const uid = item.study_instance_uid;
  const [reason, ...more] = rowReasons(item.reasons);
  return (
    <div
      id={`row-${uid}`}
      role="option"
      aria-selected={selected}
      aria-posinset={index + 1}
      aria-setsize={total}
      className={styles.row}
      data-slides={slides || undefined}
      data-testid="worklist-row"
      data-study-uid={uid}
      data-accession={item.accession_number}
      style={{ transform: `translateY(${String(top)}px)` }}
      onClick={() => onSelect(uid)}
      onDoubleClick={() => onOpen(item)}
      onPointerEnter={() => onHover(uid)}
    >
      <TimeLeft item={item} />
      <span
        className={styles.class}
        data-class={item.priority_class}
        title={item.raised ? raisedSentence(item.raised) : undefined}
      >
        <b>
          {PRIORITIES[item.priority_class]}
          {item.raised && <Icon name="raise" size={11} />}
        </b>
        <small>
          {item.raised ? `raised · ${LOCATIONS[item.location_class]}` : LOCATIONS[item.location_class]}
        </small>
      </span>
      <span className={styles.patient} title={`${item.patient.name} · ${item.patient.id}`}>
        <span className={styles.line}>
          <b>{patientName(item.patient.name)}</b>
          <span className={styles.ageSex}>
            {item.patient.age ?? "–"} {item.patient.sex}
          </span>
        </span>
        <small>{item.location || item.patient.id}</small>
      </span>
      <span className={styles.modality}>
        <span>{item.modality}</span>
        <small title="images">{item.number_of_instances}</small>
      </span>
      <span className={styles.study} title={item.study_description}>
        <span className={styles.line}>
          <span>{item.study_description || item.body_part || "No description"}</span>
          {item.prior_count > 0 && (
            <i>
              {item.prior_count} prior{item.prior_count === 1 ? "" : "s"}
            </i>
          )}
          {item.flags.map((flag) => (
            <i key={flag.kind} title={[personName(flag.by), flag.note].filter(Boolean).join(": ")}>
              {FLAG_WORDS[flag.kind]}
            </i>
          ))}
        </span>
        <small>{item.reason_for_exam || item.accession_number}</small>
      </span>
      <AiCell item={item} />
      <span className={styles.why} title={item.reasons.map((one) => one.text).join("\n")}>
        <span className={styles.twoLines}>
          {reason ?? "by its order"}
          {more.length > 0 && <small> · {more.join(" · ")}</small>}
        </span>
      </span>
      <State item={item} me={props.me} onClaim={props.onClaim} onMenu={props.onMenu} />
    </div>
  );
});
