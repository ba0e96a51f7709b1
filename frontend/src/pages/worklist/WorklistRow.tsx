import { memo } from "react";

import { aiLine } from "../../ai/wording";
import type { WorklistItem } from "../../api/types";
import { formatTime } from "../../time/dates";
import { AiMark } from "../../ui/AiMark";
import { Icon } from "../../ui/icons";
import { patientName, personName } from "../../ui/person";
import { TimeLeft } from "./TimeLeft";
import styles from "./Worklist.module.css";
import { LOCATIONS, PRIORITIES, rowReasons } from "./words";

interface Props {
  item: WorklistItem;
  index: number;
  total: number;
  top: number;
  slides: boolean;
  selected: boolean;
  onSelect: (uid: string) => void;
  onOpen: (item: WorklistItem) => void;
  onClaim: ((item: WorklistItem) => void) | null;
  onHover: (uid: string) => void;
}

function State({ item, onClaim }: Pick<Props, "item" | "onClaim">) {
  if (item.state === "signed") return <span className={styles.state}>{item.report_state ?? "signed"}</span>;
  const free = item.state === "open";
  const label = free ? "free" : item.is_mine ? "mine" : personName(item.claimed_by);
  const quiet = free
    ? item.study_state === "receiving"
      ? "receiving…"
      : ""
    : item.claim_expires_at
      ? `until ${formatTime(Date.parse(item.claim_expires_at))}`
      : "";
  return (
    <span className={styles.state} data-state={free ? "free" : item.is_mine ? "mine" : "taken"}>
      <span className={styles.line}>
        {!free && !item.is_mine && <Icon name="lock" size={11} />} {label}
      </span>
      <small>{quiet}</small>
      {onClaim && (free || item.is_mine) && (
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
          {free ? "Claim" : "Release"}
        </button>
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
  const { item, index, total, top, slides, selected, onSelect, onOpen, onClaim, onHover } = props;
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
      <span className={styles.class} data-class={item.priority_class}>
        <b>{PRIORITIES[item.priority_class]}</b>
        <small>{LOCATIONS[item.location_class]}</small>
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
      <State item={item} onClaim={onClaim} />
    </div>
  );
});
