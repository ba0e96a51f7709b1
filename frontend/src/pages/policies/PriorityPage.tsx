import { Button } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { explain } from "../../api/client";
import type { PriorityPolicy } from "../../api/types";
import { hasRole, useMe } from "../../app/session";
import { PageFooter } from "../../app/Shell";
import { formatMoment } from "../../time/dates";
import { Empty, Failed, LoadingRows } from "../../ui/states";
import { Draft } from "./Draft";
import { Minutes } from "./Minutes";
import { policiesQuery, policyApi } from "./queries";
import { policyInWords } from "./words";
import paper from "../../ui/Paper.module.css";
import styles from "./Policies.module.css";

function History({
  versions,
  onCopy,
}: {
  versions: readonly PriorityPolicy[];
  onCopy?: (from: PriorityPolicy) => void;
}) {
  return (
    <table className={styles.table} aria-label="History of the priority policy">
      <thead>
        <tr>
          <th>version</th>
          <th>state</th>
          <th>in force since</th>
          <th>by</th>
          <th>because</th>
          <th aria-label="actions" />
        </tr>
      </thead>
      <tbody>
        {versions.map((one) => (
          <tr key={one.id} data-testid="policy-version">
            <td>{one.version}</td>
            <td>{one.state}</td>
            <td>{formatMoment(one.activated_at)}</td>
            <td>{one.activated_by?.display_name ?? "–"}</td>
            <td>{one.reason}</td>
            <td>
              {onCopy && (
                <Button size="compact-xs" onClick={() => onCopy(one)}>
                  New draft from {one.version}
                </Button>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export default function PriorityPage() {
  const me = useMe();
  const client = useQueryClient();
  const [said, setSaid] = useState("");
  const versions = useQuery(policiesQuery);
  const rows = versions.data?.results ?? [];
  const active = rows.find((one) => one.state === "active");
  const mayChange = hasRole(me, "pacs_administrator");
  const copy = async (from: PriorityPolicy) => {
    setSaid("");
    try {
      await policyApi.draft(from.document, "");
      await client.invalidateQueries({ queryKey: ["policies"] });
    } catch (error) {
      setSaid(explain(error));
    }
  };
  return (
    <>
      <div className={paper.page}>
        <h1>Priority policy{active && ` ${active.version}`}</h1>
        {versions.isPending && <LoadingRows rows={6} />}
        {versions.isError && <Failed error={versions.error} onRetry={() => void versions.refetch()} />}
        {versions.isSuccess && !active && (
          <Empty title="No version is in force">
            The list is ranked by the policy that Firstread ships. Restart the house, or run{" "}
            <code>manage.py migrate</code>: that writes it down.
          </Empty>
        )}
        {active && (
          <>
            {policyInWords(active.document).map((sentence) => (
              <p key={sentence} className={styles.sentence}>
                {sentence}
              </p>
            ))}
            <Minutes policy={active.document} />
          </>
        )}
        {said && <p role="alert">{said}</p>}
        {mayChange &&
          rows.filter((one) => one.state === "draft").map((one) => <Draft key={one.id} draft={one} />)}
        {rows.length > 0 && (
          <>
            <h2>History</h2>
            <History
              versions={rows.filter((one) => one.state !== "draft")}
              onCopy={mayChange ? (from) => void copy(from) : undefined}
            />
          </>
        )}
      </div>
      <PageFooter />
    </>
  );
}
