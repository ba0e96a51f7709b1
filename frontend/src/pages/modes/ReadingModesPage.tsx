import { Button } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { explain } from "../../api/client";
import { api, readingModesQuery } from "../../api/queries";
import type { ReadingMode, ReadingModeRow } from "../../api/types";
import { PageFooter } from "../../app/Shell";
import { formatMoment } from "../../time/dates";
import { Failed, LoadingRows } from "../../ui/states";
import { personName } from "../../ui/person";
import styles from "./ReadingModes.module.css";

const MODES: { mode: ReadingMode; label: string; means: string }[] = [
  { mode: "visible", label: "AI visible", means: "Readers see what AI says from the list on." },
  {
    mode: "after_first_look",
    label: "AI after first look",
    means: "Readers commit an impression of each study; then they see AI. Both times are kept.",
  },
  { mode: "hidden", label: "AI hidden", means: "Readers see AI once the report is signed." },
];
const AS_SITE = "as the site";

/** One line: who, which mode, why; changing it asks for a reason first. */
function Row({ row }: { row: ReadingModeRow }) {
  const client = useQueryClient();
  const [chosen, setChosen] = useState<string | null>(null);
  const [reason, setReason] = useState("");
  const [error, setError] = useState("");
  const who = row.reader ? personName(row.reader) : "The site";
  const now = row.mode ?? AS_SITE;

  const save = async () => {
    if (chosen === null || !reason.trim()) return;
    setError("");
    try {
      const mode = chosen === AS_SITE ? null : (chosen as ReadingMode);
      await api.setReadingMode(row.reader?.username ?? "", mode, reason.trim());
      await client.invalidateQueries({ queryKey: readingModesQuery.queryKey });
      setChosen(null);
      setReason("");
    } catch (problem) {
      setError(explain(problem));
    }
  };

  return (
    <tr data-testid="reading-mode" data-reader={row.reader?.username ?? ""}>
      <th scope="row">{who}</th>
      <td>
        <select
          aria-label={`Reading mode of ${who}`}
          value={chosen ?? now}
          onChange={(event) =>
            setChosen(event.currentTarget.value === now ? null : event.currentTarget.value)
          }
        >
          {row.reader && <option value={AS_SITE}>As the site</option>}
          {MODES.map(({ mode, label }) => (
            <option key={mode} value={mode}>
              {label}
            </option>
          ))}
        </select>
      </td>
      <td>
        {chosen === null ? (
          <span className={styles.quiet}>
            {row.set_at
              ? `${row.reason} (${personName(row.set_by)}, ${formatMoment(row.set_at)})`
              : row.reader
                ? ""
                : "As installed"}
          </span>
        ) : (
          <form
            className={styles.change}
            onSubmit={(event) => {
              event.preventDefault();
              void save();
            }}
          >
            <input
              type="text"
              autoFocus
              maxLength={300}
              aria-label={`Why ${who} reads so`}
              placeholder="Why, for those who judge the readings later"
              value={reason}
              onChange={(event) => setReason(event.currentTarget.value)}
            />
            <Button type="submit" disabled={!reason.trim()}>
              Set
            </Button>
            <Button onClick={() => setChosen(null)}>Keep as it is</Button>
          </form>
        )}
        {error && (
          <p role="alert" className={styles.error}>
            {error}
          </p>
        )}
      </td>
    </tr>
  );
}

/** Who sees AI when: for the site, and for readers who read otherwise. */
export default function ReadingModesPage() {
  const { data, error, refetch } = useQuery(readingModesQuery);
  return (
    <div className={styles.page}>
      <h1>Reading modes</h1>
      <dl className={styles.modes}>
        {MODES.map(({ mode, label, means }) => (
          <div key={mode}>
            <dt>{label}</dt>
            <dd>{means}</dd>
          </div>
        ))}
      </dl>
      <p className={styles.quiet}>
        The order of the list stays in every mode: what AI raised stands first, and its reasons are not told.
        A change holds at once, also for studies that are open.
      </p>
      {error ? (
        <Failed error={error} onRetry={() => void refetch()} />
      ) : !data ? (
        <LoadingRows rows={4} />
      ) : (
        <table className={styles.table} aria-label="Reading modes">
          <thead>
            <tr>
              <th scope="col">Who</th>
              <th scope="col">Mode</th>
              <th scope="col">Why</th>
            </tr>
          </thead>
          <tbody>
            {data.map((row) => (
              <Row key={row.reader?.username ?? ""} row={row} />
            ))}
          </tbody>
        </table>
      )}
      {data?.length === 1 && (
        <p className={styles.quiet}>
          No radiologist has an account yet: manage.py adduser NAME --role radiologist
        </p>
      )}
      <PageFooter />
    </div>
  );
}
