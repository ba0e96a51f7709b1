import { useQuery } from "@tanstack/react-query";

import { signedOverQuery } from "../../api/queries";
import { formatMoment } from "../../time/dates";
import { Failed } from "../../ui/states";
import { patientName, personName } from "../../ui/person";
import styles from "./Quality.module.css";

const SIGNED = { preliminary: "preliminary", signed: "final", cosigned: "co-signed" };

/** Checks before signing that somebody overrode, each with its reason; folded away until asked for. */
export function SignedOver() {
  const found = useQuery(signedOverQuery);
  if (found.isError) return <Failed error={found.error} onRetry={() => void found.refetch()} />;
  const rows = found.data?.results ?? [];
  return (
    <details className={styles.signedOver} data-testid="signed-over">
      <summary>
        Signed over a check: {found.data?.count ?? 0} report{found.data?.count === 1 ? "" : "s"}
      </summary>
      {rows.length === 0 ? (
        <p>Nobody has signed over an open check. When somebody does, check and reason stand here.</p>
      ) : (
        <table className={styles.table} aria-label="Checks signed over">
          <thead>
            <tr>
              <th>signed</th>
              <th>patient, study</th>
              <th>by</th>
              <th>what was open</th>
              <th>reason given</th>
            </tr>
          </thead>
          <tbody>
            {rows.flatMap((row) =>
              row.overrides.map((one) => (
                <tr key={`${row.report_id}-${String(row.version)}-${one.code ?? ""}`}>
                  <td>
                    {formatMoment(row.at)}
                    <small>{SIGNED[row.state]}</small>
                  </td>
                  <td>
                    <a href={`/read/${row.study_instance_uid}`}>{patientName(row.patient.name)}</a>
                    <small>{row.study_description}</small>
                  </td>
                  <td>{personName(row.by)}</td>
                  <td>{one.text || one.code}</td>
                  <td>{one.reason}</td>
                </tr>
              )),
            )}
          </tbody>
        </table>
      )}
    </details>
  );
}
