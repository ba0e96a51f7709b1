import { Button } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { explain } from "../../api/client";
import { api, deliveriesQuery, troublesQuery } from "../../api/queries";
import type { ReportDelivery } from "../../api/types";
import { PageFooter } from "../../app/Shell";
import { useLiveInterval } from "../../live/live";
import { formatMoment } from "../../time/dates";
import { Empty, Failed, LoadingRows } from "../../ui/states";
import { Destinations } from "./Destinations";
import { ACTIONS, KINDS, MARKS, stateWords } from "./words";
import paper from "../../ui/Paper.module.css";
import styles from "./Deliveries.module.css";

/** Try again, look at the message, or let it be with a reason. */
export function Decide({ delivery }: { delivery: ReportDelivery }) {
  const client = useQueryClient();
  const [reason, setReason] = useState<string | null>(null);
  const [payload, setPayload] = useState("");
  const [said, setSaid] = useState("");
  const run = async (action: () => Promise<unknown>) => {
    setSaid("");
    try {
      await action();
      void client.invalidateQueries({ queryKey: ["reports"] });
    } catch (error) {
      setSaid(explain(error));
    }
  };
  const open = delivery.state === "dead" || delivery.state === "failed";
  return (
    <>
      <span className={paper.actions}>
        {open && <Button onClick={() => void run(() => api.retryDelivery(delivery.id))}>Try again</Button>}
        <Button
          aria-expanded={payload !== ""}
          onClick={() =>
            payload
              ? setPayload("")
              : void run(async () => setPayload((await api.deliveryPayload(delivery.id)).text))
          }
        >
          {payload ? "Hide message" : "Message"}
        </Button>
        {open && reason === null && <Button onClick={() => setReason("")}>Discard…</Button>}
        {open && reason !== null && (
          <>
            <input
              type="text"
              autoFocus
              aria-label="Why it need not arrive"
              placeholder="Why it need not arrive"
              value={reason}
              maxLength={300}
              onChange={(event) => setReason(event.currentTarget.value)}
            />
            <Button
              disabled={reason.trim() === ""}
              onClick={() => void run(() => api.discardDelivery(delivery.id, reason.trim()))}
            >
              Discard
            </Button>
            <Button onClick={() => setReason(null)}>Keep</Button>
          </>
        )}
        {said && <span role="alert">{said}</span>}
      </span>
      {payload && (
        <pre className={styles.payload} tabIndex={0} aria-label="Message as it is sent">
          {payload}
        </pre>
      )}
    </>
  );
}

const SHOWN = {
  dead: ["dead"],
  open: ["waiting", "sending", "failed"],
  all: [],
} as const satisfies Record<string, readonly ReportDelivery["state"][]>;
type Shown = keyof typeof SHOWN;

function Letters() {
  const client = useQueryClient();
  const [shown, setShown] = useState<Shown>("dead");
  const [said, setSaid] = useState("");
  const interval = useLiveInterval();
  const deliveries = useQuery({
    ...deliveriesQuery({ state: [...SHOWN[shown]] }),
    refetchInterval: interval,
  });
  const rows = deliveries.data?.results ?? [];
  const retryAll = async () => {
    try {
      const { retried } = await api.retryAllDeliveries();
      setSaid(`${String(retried)} tried again`);
      void client.invalidateQueries({ queryKey: ["reports"] });
    } catch (error) {
      setSaid(explain(error));
    }
  };
  return (
    <section aria-label="Deliveries">
      <div className={paper.tools}>
        <h2>Deliveries</h2>
        <select
          aria-label="Which deliveries"
          value={shown}
          onChange={(event) => setShown(event.currentTarget.value as Shown)}
        >
          <option value="dead">given up</option>
          <option value="open">on their way</option>
          <option value="all">all</option>
        </select>
        <span role="status">{said}</span>
        {shown === "dead" && rows.length > 0 && (
          <Button onClick={() => void retryAll()}>Try all again</Button>
        )}
      </div>
      {deliveries.isPending && <LoadingRows rows={4} />}
      {deliveries.isError && <Failed error={deliveries.error} onRetry={() => void deliveries.refetch()} />}
      {deliveries.isSuccess && rows.length === 0 && (
        <Empty title={shown === "dead" ? "Nothing was given up" : "No delivery here"}>
          A report that its destination refuses, or that fails for half a day, stands here until somebody
          tries it again or says why it need not arrive.
        </Empty>
      )}
      {rows.length > 0 && (
        <table className={paper.table} aria-label="Deliveries of signed reports">
          <thead>
            <tr>
              <th>to</th>
              <th>report</th>
              <th>state</th>
              <th>why</th>
              <th aria-label="actions" />
            </tr>
          </thead>
          <tbody>
            {rows.map((one) => (
              <tr key={one.id} data-testid="delivery-row">
                <td>
                  {one.destination}
                  <small>{KINDS[one.kind]}</small>
                </td>
                <td>
                  report {one.report}, {ACTIONS[one.action] ?? one.action}
                  <small>study {one.study_instance_uid}</small>
                </td>
                <td>
                  <span aria-hidden="true">{MARKS[one.state]}</span> {stateWords(one)}
                  <small>
                    {one.sent_at
                      ? formatMoment(one.sent_at)
                      : `${one.attempts === 1 ? "1 attempt" : `${String(one.attempts)} attempts`} since ${formatMoment(one.created_at)}`}
                  </small>
                </td>
                <td>{one.reason || one.error || one.acknowledgement || "–"}</td>
                <td>
                  <Decide delivery={one} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {deliveries.data && deliveries.data.count > rows.length && (
        <p>
          {rows.length} of {deliveries.data.count} are shown, the latest first.
        </p>
      )}
    </section>
  );
}

function counted(reports: number): string {
  return reports === 1 ? "1 report" : `${String(reports)} reports`;
}

/** How signed reports leave the house, and what did not arrive. */
export default function DeliveriesPage() {
  const interval = useLiveInterval();
  const troubles = useQuery({ ...troublesQuery, refetchInterval: interval });
  return (
    <>
      <div className={paper.page}>
        <h1>Did every report arrive?</h1>
        {(troubles.data ?? []).map((one) => (
          <p key={one.name} className={paper.trouble} role="alert">
            <b>! {one.name}</b>{" "}
            {one.failing_since && `does not answer since ${formatMoment(one.failing_since)}: ${one.error} `}
            {one.waiting > 0 && `${counted(one.waiting)} on the way. `}
            {one.dead > 0 && `${counted(one.dead)} given up: decide below.`}
          </p>
        ))}
        <Destinations />
        <Letters />
      </div>
      <PageFooter>every version goes, in order · what fails is tried again for half a day</PageFooter>
    </>
  );
}
