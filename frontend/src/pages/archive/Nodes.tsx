import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { explain } from "../../api/client";
import { api, nodesQuery } from "../../api/queries";
import type { RemoteNode } from "../../api/types";
import { formatMoment } from "../../time/dates";
import { columnsOf, DataTable } from "../../ui/DataTable";
import { Empty, Failed, LoadingRows } from "../../ui/states";
import styles from "./Archive.module.css";

/** C-ECHO to a peer, with what it said. */
function Echo({ node }: { node: RemoteNode }) {
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState("");
  const echo = async () => {
    setBusy(true);
    try {
      const result = await api.echo(node.id);
      setSaid(`${result.ok ? "answers" : "does not answer"}: ${result.detail}`);
    } catch (error) {
      setSaid(explain(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <span className={styles.decide}>
      <Button loading={busy} onClick={() => void echo()}>
        Echo
      </Button>
      <span role="status">{said}</span>
    </span>
  );
}

const peer = columnsOf<RemoteNode>();
const columns = peer.columns([
  peer.accessor("name", { header: "name" }),
  peer.accessor("ae_title", { header: "AE title" }),
  peer.accessor((row) => `${row.host}:${String(row.port)}`, { id: "address", header: "address" }),
  peer.accessor((row) => (row.may_store ? "may send" : "–"), { id: "may", header: "rights" }),
  peer.accessor((row) => (row.active ? "active" : "off"), { id: "active", header: "state" }),
  peer.accessor("last_echo_at", {
    header: "last echo",
    cell: (cell) => {
      const { last_echo_ok: ok } = cell.row.original;
      return `${formatMoment(cell.getValue())}${ok === null ? "" : ok ? ", answered" : ", no answer"}`;
    },
  }),
  peer.display({ id: "echo", header: "", cell: (cell) => <Echo node={cell.row.original} /> }),
]);

const NONE: RemoteNode[] = [];

/** The DICOM peers this archive knows; they are edited in the administration. */
export function Nodes() {
  const nodes = useQuery(nodesQuery);
  const rows = nodes.data?.results ?? NONE;
  if (nodes.isPending) return <LoadingRows />;
  if (nodes.isError) return <Failed error={nodes.error} onRetry={() => void nodes.refetch()} />;
  if (rows.length === 0) {
    return (
      <Empty title="No DICOM peer is registered">
        Register modalities and archives in the <a href="/admin/">administration</a>.
      </Empty>
    );
  }
  return (
    <DataTable label="DICOM peers" columns={columns} data={rows} rowKey={(row) => row.id} testid="node-row" />
  );
}
