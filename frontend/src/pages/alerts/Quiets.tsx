import { Button } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { addQuiet, endQuiet, quietsQuery } from "../../api/alerting";
import { explain } from "../../api/client";
import type { NewQuiet, Quiet } from "../../api/types";
import { hasRole, useMe } from "../../app/session";
import { formatMoment } from "../../time/dates";
import { personName } from "../../ui/person";
import { Empty, Failed, LoadingRows } from "../../ui/states";
import paper from "../../ui/Paper.module.css";
import styles from "./Alerts.module.css";

const HOUR_MS = 3_600_000;
const SPANS: readonly [string, number][] = [
  ["8 hours", 8],
  ["1 day", 24],
  ["3 days", 72],
  ["7 days", 168],
];

/** What the form asks for; null while it names neither a finding nor a reason. */
export function quietOf(form: FormData, now: number): NewQuiet | null {
  const text = (name: string) => String(form.get(name) ?? "").trim();
  const code = text("finding_code");
  const reason = text("reason");
  if (code === "" || reason === "") return null;
  return {
    finding_code: code,
    department: text("department"),
    reason,
    expires_at: new Date(now + Number(text("hours")) * HOUR_MS).toISOString(),
  };
}

function Row({ quiet, mayEnd }: { quiet: Quiet; mayEnd: boolean }) {
  const client = useQueryClient();
  const [said, setSaid] = useState("");
  const what = [quiet.model_name, quiet.finding_code && `finding ${quiet.finding_code}`]
    .filter(Boolean)
    .join(", ");
  const where = [quiet.department, quiet.institution].filter(Boolean).join(", ") || "everywhere";
  return (
    <tr data-testid="quiet-row">
      <td>
        {what}
        <small>{where}</small>
      </td>
      <td>{quiet.reason}</td>
      <td>
        {personName(quiet.by)}, {formatMoment(quiet.created_at)}
      </td>
      <td>
        {quiet.stands
          ? `stands until ${formatMoment(quiet.expires_at)}`
          : `ended ${formatMoment(quiet.ended_at ?? quiet.expires_at)}`}
      </td>
      <td>
        {quiet.stands && mayEnd && (
          <Button
            aria-label={`Ring again for ${what}`}
            onClick={() => {
              endQuiet(quiet.id).then(
                () => client.invalidateQueries({ queryKey: ["quiets"] }),
                (error: unknown) => setSaid(explain(error)),
              );
            }}
          >
            Ring again
          </Button>
        )}
        {said && <span role="alert">{said}</span>}
      </td>
    </tr>
  );
}

/** Known findings that need not ring for a while: each with a reason, a name and an end. */
export function Quiets() {
  const me = useMe();
  const client = useQueryClient();
  const quiets = useQuery(quietsQuery);
  const [said, setSaid] = useState("");
  const may = hasRole(me, "pacs_administrator", "radiologist");
  const add = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const made = quietOf(new FormData(form), Date.now());
    if (made === null) {
      setSaid("Name the finding's code and say why.");
      return;
    }
    setSaid("");
    try {
      await addQuiet(made);
      form.reset();
      await client.invalidateQueries({ queryKey: ["quiets"] });
    } catch (error) {
      setSaid(explain(error));
    }
  };
  return (
    <section aria-label="Quiets">
      <h2>Quiet for a while</h2>
      <p className={styles.quiet}>
        Only what a prior already showed and what has not grown stays quiet. New and grown findings always
        ring, and what did not ring still counts as told to nobody.
      </p>
      {quiets.isPending && <LoadingRows rows={2} />}
      {quiets.isError && <Failed error={quiets.error} onRetry={() => void quiets.refetch()} />}
      {quiets.isSuccess && quiets.data.length === 0 && (
        <Empty title="Nothing is quiet">Every alert rings that the policy tells of.</Empty>
      )}
      {quiets.isSuccess && quiets.data.length > 0 && (
        <table className={`${paper.table} ${styles.table}`} aria-label="Quiets">
          <thead>
            <tr>
              <th>what</th>
              <th>why</th>
              <th>by</th>
              <th>state</th>
              <th />
            </tr>
          </thead>
          <tbody>
            {quiets.data.map((one) => (
              <Row key={one.id} quiet={one} mayEnd={may} />
            ))}
          </tbody>
        </table>
      )}
      {may && (
        <form className={styles.asked} aria-label="Quiet a finding" onSubmit={(event) => void add(event)}>
          <label>
            Finding code <input name="finding_code" placeholder="1386000" maxLength={32} required />
          </label>
          <label>
            Department, empty: all <input name="department" maxLength={120} />
          </label>
          <label>
            Why <input name="reason" maxLength={300} required placeholder="Follow-up scans of known bleeds" />
          </label>
          <label>
            For{" "}
            <select name="hours" defaultValue={24}>
              {SPANS.map(([words, hours]) => (
                <option key={hours} value={hours}>
                  {words}
                </option>
              ))}
            </select>
          </label>
          <Button type="submit">Keep it quiet</Button>
          {said && (
            <span className={styles.bad} role="alert">
              {said}
            </span>
          )}
        </form>
      )}
    </section>
  );
}
