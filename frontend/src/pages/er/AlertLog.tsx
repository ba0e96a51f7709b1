import type { Alert } from "../../api/types";
import { formatTime } from "../../time/dates";
import { channelName } from "../alerts/Channels";
import styles from "./Er.module.css";

type Delivery = Alert["deliveries"][number];

const STATES: Record<Delivery["state"], string> = {
  waiting: "waits",
  sending: "is being sent",
  sent: "sent",
  failed: "given up",
  withdrawn: "not needed any more",
};

/** What stands in no line of the log yet: messages on their way, and those that were not taken so far. */
export function onTheWay(deliveries: readonly Delivery[]): string[] {
  return deliveries
    .filter((one) => one.state === "waiting" || one.state === "sending")
    .map((one) => {
      const tried = one.attempts > 0 && one.error ? `, ! ${one.error} Tried ${String(one.attempts)}×` : "";
      return `${channelName(one.channel)} to ${one.who} ${STATES[one.state]}${tried}`;
    });
}

/** How many messages of the alert arrived, by channel: "e-mail 2 of 3, browser message 1 of 1". */
export function arrived(deliveries: readonly Delivery[]): string {
  const channels = [...new Set(deliveries.map((one) => one.channel))];
  return channels
    .map((channel) => {
      const all = deliveries.filter((one) => one.channel === channel && one.state !== "withdrawn");
      const sent = all.filter((one) => one.state === "sent").length;
      const mark = all.some((one) => one.state === "failed") ? "! " : "";
      return all.length === 0
        ? ""
        : `${mark}${channelName(channel)} ${String(sent)} of ${String(all.length)}`;
    })
    .filter(Boolean)
    .join(", ");
}

const SHOWN = 3;

/** Who was told, by which way, with what result; the older lines fold away, nothing is left out. */
export function AlertLog({ alert, folded = false }: { alert: Alert; folded?: boolean }) {
  const lines = alert.told.map(
    (one) =>
      `${formatTime(Date.parse(one.at))} ${one.who}, ${channelName(one.channel).replaceAll("_", " ")}: ${one.outcome}`,
  );
  const older = folded ? lines : lines.slice(0, -SHOWN);
  const latest = folded ? [] : lines.slice(-SHOWN);
  const sent = arrived(alert.deliveries);
  return (
    <div className={styles.log} data-testid="alert-log">
      {older.length > 0 && (
        <details>
          <summary>
            {folded ? `Log of ${String(lines.length)} lines` : `${String(older.length)} earlier lines`}
          </summary>
          <ul>
            {older.map((line, index) => (
              <li key={`${String(index)} ${line}`}>{line}</li>
            ))}
          </ul>
        </details>
      )}
      {latest.length > 0 && (
        <ul>
          {latest.map((line, index) => (
            <li key={`${String(index)} ${line}`}>{line}</li>
          ))}
        </ul>
      )}
      {!folded && (
        <ul>
          {onTheWay(alert.deliveries).map((line) => (
            <li key={line}>{line}</li>
          ))}
        </ul>
      )}
      {sent && <p>Messages that arrived: {sent}</p>}
    </div>
  );
}
