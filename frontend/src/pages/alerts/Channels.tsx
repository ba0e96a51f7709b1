import { useQuery } from "@tanstack/react-query";

import { channelsQuery } from "../../api/alerting";
import type { ChannelState } from "../../api/types";
import { useLiveInterval } from "../../live/live";
import { formatMoment } from "../../time/dates";
import { Failed, LoadingRows } from "../../ui/states";
import paper from "../../ui/Paper.module.css";
import styles from "./Alerts.module.css";

export const CHANNEL_WORDS: Record<string, string> = {
  page: "page",
  push: "browser message",
  email: "e-mail",
  sms: "text message",
  webhook: "webhook",
};

export const channelName = (channel: string) => CHANNEL_WORDS[channel] ?? channel;

function Row({ channel }: { channel: ChannelState }) {
  return (
    <tr data-testid="channel-row">
      <td>{channelName(channel.channel)}</td>
      <td>
        {channel.ok ? (
          "✓ works"
        ) : (
          <span className={styles.bad}>
            ! fails since {formatMoment(channel.failing_since)}: {channel.error}
          </span>
        )}
      </td>
      <td>{channel.last_ok_at ? formatMoment(channel.last_ok_at) : "nothing yet"}</td>
    </tr>
  );
}

/** Whether each way beside the page carries messages; one that fails stays here until it carried one again. */
export function Channels() {
  const interval = useLiveInterval();
  const channels = useQuery({ ...channelsQuery, refetchInterval: interval });
  return (
    <section aria-label="Channels">
      <h2>Channels</h2>
      {channels.isPending && <LoadingRows rows={2} />}
      {channels.isError && <Failed error={channels.error} onRetry={() => void channels.refetch()} />}
      {channels.isSuccess &&
        (channels.data.length === 0 ? (
          <p className={styles.quiet}>
            No alert has gone beyond the pages yet. Name mail server, text message provider or webhook in the
            settings; browsers are switched on by each person on the ER page.
          </p>
        ) : (
          <table className={`${paper.table} ${styles.table}`} aria-label="Channels">
            <thead>
              <tr>
                <th>way</th>
                <th>state</th>
                <th>carried the last message</th>
              </tr>
            </thead>
            <tbody>
              {channels.data.map((one) => (
                <Row key={one.channel} channel={one} />
              ))}
            </tbody>
          </table>
        ))}
    </section>
  );
}
