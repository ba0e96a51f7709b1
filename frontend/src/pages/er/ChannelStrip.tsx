import { useQuery } from "@tanstack/react-query";

import { channelsQuery } from "../../api/alerting";
import { useLiveInterval, useLiveState } from "../../live/live";
import { formatTime } from "../../time/dates";
import { channelName } from "../alerts/Channels";
import styles from "./Er.module.css";

/** The ways by which alerts travel, and whether each works: what fails is said in words. */
export function ChannelStrip() {
  const interval = useLiveInterval();
  const { phase } = useLiveState();
  const channels = useQuery({ ...channelsQuery, refetchInterval: interval });
  const failing = (channels.data ?? []).filter((one) => !one.ok);
  const working = (channels.data ?? []).filter((one) => one.ok);
  return (
    <p className={styles.channels} data-testid="channel-strip" role="status">
      <span>This page {phase === "live" ? "✓" : `! ${phase}`}</span>
      {working.map((one) => (
        <span key={one.channel}>{channelName(one.channel)} ✓</span>
      ))}
      {failing.map((one) => (
        <span key={one.channel} className={styles.failing}>
          ! {channelName(one.channel)} fails since{" "}
          {one.failing_since ? formatTime(Date.parse(one.failing_since)) : "a while"}: {one.error}
        </span>
      ))}
      {channels.isError && <span className={styles.failing}>! the other ways are not known now</span>}
    </p>
  );
}
