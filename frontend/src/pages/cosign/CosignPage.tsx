import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useLocation } from "wouter";

import { toCosignQuery } from "../../api/queries";
import { hasRole, useMe } from "../../app/session";
import { PageFooter } from "../../app/Shell";
import { useKeys } from "../../keyboard/useKeys";
import { useLiveInterval } from "../../live/live";
import { formatMoment } from "../../time/dates";
import { patientName, personName } from "../../ui/person";
import { Empty, Failed, LoadingRows } from "../../ui/states";
import paper from "../../ui/Paper.module.css";
import styles from "./Cosign.module.css";

/** Preliminary reports that wait for an attending, the oldest first. */
export default function CosignPage() {
  const me = useMe();
  const [, navigate] = useLocation();
  const waiting = useQuery({ ...toCosignQuery, refetchInterval: useLiveInterval() });
  const rows = waiting.data?.results ?? [];
  const [selectedId, setSelectedId] = useState("");
  const index = Math.max(
    0,
    rows.findIndex((one) => one.id === selectedId),
  );
  const step = (by: number) => {
    const target = rows[Math.min(rows.length - 1, Math.max(0, index + by))];
    if (target) setSelectedId(target.id);
  };
  const selected = rows[index];
  useKeys("cosign", {
    down: () => step(1),
    up: () => step(-1),
    open: () => selected && navigate(`/read/${selected.study_instance_uid}`),
  });
  useEffect(() => {
    document.querySelector("[data-cosign-selected]")?.scrollIntoView({ block: "nearest" });
  }, [selected?.id]);

  return (
    <>
      <div className={paper.page}>
        <h1>
          {hasRole(me, "resident")
            ? "Preliminary reports that wait for an attending"
            : "Preliminary reports that wait for your signature"}
        </h1>
        {waiting.isError && <Failed error={waiting.error} onRetry={() => void waiting.refetch()} />}
        {waiting.isPending && <LoadingRows />}
        {waiting.isSuccess && rows.length === 0 && (
          <Empty title="Nothing waits for a co-signature">
            What a resident signs, and a wet read, stands here until an attending signs it as final.
          </Empty>
        )}
        {rows.length > 0 && (
          <table className={`${paper.table} ${styles.table}`} aria-label="Reports to co-sign">
            <thead>
              <tr>
                <th>preliminary since</th>
                <th>patient</th>
                <th>study</th>
                <th>signed by</th>
                <th>impression</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((one) => (
                <tr
                  key={one.id}
                  data-testid="to-cosign"
                  data-cosign-selected={one.id === selected?.id || undefined}
                  aria-selected={one.id === selected?.id}
                  onClick={() => setSelectedId(one.id)}
                  onDoubleClick={() => navigate(`/read/${one.study_instance_uid}`)}
                >
                  <td>{formatMoment(one.signed_at)}</td>
                  <td>
                    <a href={`/read/${one.study_instance_uid}`}>{patientName(one.patient.name)}</a>
                    <small>
                      {one.patient.age ?? "–"} {one.patient.sex} · {one.patient.id}
                    </small>
                  </td>
                  <td>
                    {one.modality} {one.study_description}
                    <small>{one.accession_number}</small>
                  </td>
                  <td>
                    {personName(one.signed_by)}
                    {one.changed_since && <small>✎ being changed, not signed yet</small>}
                  </td>
                  <td className={styles.impression}>{one.impression || "Signed without an impression"}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </div>
      <PageFooter>↑ ↓ move · Enter open to change or co-sign</PageFooter>
    </>
  );
}
