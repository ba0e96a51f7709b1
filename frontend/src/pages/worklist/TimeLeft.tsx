import type { WorklistItem } from "../../api/types";
import { useClock } from "../../time/clock";
import { formatTime } from "../../time/dates";
import { formatRemaining, speakRemaining, urgencyOf } from "../../time/remaining";
import { Icon } from "../../ui/icons";
import styles from "./Worklist.module.css";

const ICONS = { calm: "clock", soon: "soon", danger: "danger" } as const;

/** Time left until the study is due: number, colour and icon, from one clock for all rows. */
export function TimeLeft({ item }: { item: WorklistItem }) {
  const due = Date.parse(item.due_at);
  const text = useClock((now) => formatRemaining(due - now));
  const spoken = useClock((now) => speakRemaining(due - now));
  const urgency = useClock((now) => urgencyOf(item, now));
  if (item.state === "signed") {
    return (
      <span className={styles.due} data-testid="worklist-due">
        <b className={styles.signed}>signed</b>
      </span>
    );
  }
  const over = text.startsWith("−");
  return (
    <span className={styles.due} data-urgency={urgency} data-testid="worklist-due">
      <b>
        <span className="visually-hidden">{spoken}</span>
        <span aria-hidden="true">{over ? text.slice(1) : text}</span>
        <Icon name={ICONS[urgency]} size={13} />
      </b>
      <small>{over ? "overdue" : formatTime(due)}</small>
    </span>
  );
}
