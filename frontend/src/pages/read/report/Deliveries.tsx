import { Button } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { explain } from "../../../api/client";
import { api, deliveriesQuery } from "../../../api/queries";
import { formatMoment } from "../../../time/dates";
import { MARKS, stateWords } from "../../deliveries/words";
import styles from "./Report.module.css";

/** Where this report went, folded away unless somebody asks or something did not arrive. */
export function Deliveries({ reportId, mayRetry }: { reportId: string; mayRetry: boolean }) {
  const client = useQueryClient();
  const [said, setSaid] = useState("");
  const deliveries = useQuery(deliveriesQuery({ report: reportId }));
  const rows = deliveries.data?.results ?? [];
  if (deliveries.isError) return <p className={styles.deliveries}>{explain(deliveries.error)}</p>;
  if (rows.length === 0) return null;
  const late = rows.filter((one) => one.state === "dead" || one.state === "failed");
  const sent = rows.filter((one) => one.state === "sent").length;
  const numbers = [...new Set(rows.map((one) => one.version))].sort((a, b) => a - b);
  const retry = async (id: string) => {
    setSaid("");
    try {
      await api.retryDelivery(id);
      void client.invalidateQueries({ queryKey: ["reports"] });
    } catch (error) {
      setSaid(explain(error));
    }
  };
  return (
    <details className={styles.deliveries} data-testid="deliveries">
      <summary>
        {late.length > 0
          ? `! ${String(late.length)} of ${String(rows.length)} deliveries have not arrived`
          : `Sent: ${String(sent)} of ${String(rows.length)}`}
      </summary>
      <table aria-label="Deliveries of this report">
        <thead>
          <tr>
            <th>to</th>
            <th>version</th>
            <th>state</th>
            <th aria-label="actions" />
          </tr>
        </thead>
        <tbody>
          {rows.map((one) => (
            <tr key={one.id}>
              <td>{one.destination}</td>
              <td>{numbers.indexOf(one.version) + 1}</td>
              <td>
                <span aria-hidden="true">{MARKS[one.state]}</span> {stateWords(one)}
                {one.sent_at && ` ${formatMoment(one.sent_at)}`}
                <small>{one.reason || one.error || one.acknowledgement}</small>
              </td>
              <td>
                {mayRetry && (one.state === "dead" || one.state === "failed") && (
                  <Button aria-label={`Send again to ${one.destination}`} onClick={() => void retry(one.id)}>
                    Retry
                  </Button>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <span role="status">{said}</span>
    </details>
  );
}
