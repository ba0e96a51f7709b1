import { useQuery } from "@tanstack/react-query";
import { Modal } from "@mantine/core";

import { deskQuery } from "../api/queries";
import { formatMoment } from "../time/dates";
import { Failed, LoadingRows } from "../ui/states";
import styles from "./DeskDialog.module.css";

/** Which applications follow this reader by FHIRcast, and what a new one needs. */
export function DeskDialog({ onClose }: { onClose: () => void }) {
  const desk = useQuery({ ...deskQuery, staleTime: 0, refetchInterval: 5_000 });
  return (
    <Modal opened onClose={onClose} title="Applications on my desk" size="lg">
      {desk.isPending && <LoadingRows rows={2} />}
      {desk.error && <Failed error={desk.error} onRetry={() => void desk.refetch()} />}
      {desk.data && (
        <>
          {desk.data.applications.length === 0 && (
            <p>None. Dictation or another viewer can show the study that you open here.</p>
          )}
          <ul className={styles.applications}>
            {desk.data.applications.map((one, index) => (
              <li key={index}>
                <b>{one.name}</b> {one.connected ? "connected" : "not connected"} · until{" "}
                {formatMoment(one.lease_until)}
                <span className={styles.events}>{one.events.join(", ")}</span>
              </li>
            ))}
          </ul>
          <dl className={styles.address}>
            <dt>Hub</dt>
            <dd>{desk.data.hub_url}</dd>
            <dt>Topic</dt>
            <dd>{desk.data.topic}</dd>
          </dl>
          <p className={styles.quiet}>
            A new application needs both, and an API token of yours. The topic changes when you sign out.
          </p>
        </>
      )}
    </Modal>
  );
}
