import { Button } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { explain } from "../../api/client";
import { api, quarantineQuery } from "../../api/queries";
import type { QuarantinedInstance } from "../../api/types";
import { formatMoment } from "../../time/dates";
import { columnsOf, DataTable } from "../../ui/DataTable";
import { Empty, Failed, LoadingRows } from "../../ui/states";
import styles from "./Archive.module.css";

const REASONS: Record<QuarantinedInstance["reason"], string> = {
  not_dicom: "not DICOM, or not readable",
  invalid: "attributes missing or malformed",
  uid_conflict: "same UID, other content",
  patient_conflict: "belongs to another patient or study",
  unsupported: "class or transfer syntax not accepted",
};

/** Two ways out of quarantine; discarding is for good and asks once more. */
function Decide({ row }: { row: QuarantinedInstance }) {
  const client = useQueryClient();
  const [sure, setSure] = useState(false);
  const [said, setSaid] = useState("");

  const run = async (action: () => Promise<string>) => {
    setSaid("");
    try {
      setSaid(await action());
      void client.invalidateQueries({ queryKey: ["archive"] });
    } catch (error) {
      setSaid(explain(error));
    }
  };

  return (
    <span className={styles.decide}>
      <Button
        onClick={() =>
          void run(async () => {
            const result = await api.releaseQuarantined(row.id);
            return `${result.outcome}${result.detail ? `: ${result.detail}` : ""}`;
          })
        }
      >
        Try again
      </Button>
      {sure ? (
        <Button onClick={() => void run(() => api.discardQuarantined(row.id).then(() => "discarded"))}>
          Discard for good
        </Button>
      ) : (
        <Button onClick={() => setSure(true)}>Discard…</Button>
      )}
      {said && <span role="status">{said}</span>}
    </span>
  );
}

const held = columnsOf<QuarantinedInstance>();
const columns = held.columns([
  held.accessor("received_at", { header: "received", cell: (cell) => formatMoment(cell.getValue()) }),
  held.accessor("source", { header: "from" }),
  held.accessor((row) => REASONS[row.reason], { id: "reason", header: "why it was kept out" }),
  held.accessor("detail", { header: "in words" }),
  held.accessor("sop_instance_uid", { header: "SOP Instance UID" }),
  held.display({ id: "decide", header: "", cell: (cell) => <Decide row={cell.row.original} /> }),
]);

const NONE: QuarantinedInstance[] = [];

/** What came and could not be filed, for an administrator to decide. */
export function Quarantine() {
  const quarantine = useQuery(quarantineQuery);
  const rows = quarantine.data?.results ?? NONE;
  if (quarantine.isPending) return <LoadingRows />;
  if (quarantine.isError) {
    return <Failed error={quarantine.error} onRetry={() => void quarantine.refetch()} />;
  }
  if (rows.length === 0) {
    return (
      <Empty title="Nothing is in quarantine">
        What cannot be stored safely is kept here with its reason, instead of being lost.
      </Empty>
    );
  }
  return (
    <DataTable
      label="Quarantined instances"
      columns={columns}
      data={rows}
      rowKey={(row) => row.id}
      testid="quarantine-row"
    />
  );
}
