import { Button } from "@mantine/core";
import { useEffect, useState } from "react";

import { explain, Problem } from "../../../api/client";
import { api } from "../../../api/queries";
import type { Amendment, Report } from "../../../api/types";
import { changedSections, textsOf, type Texts } from "./merge";
import styles from "./Report.module.css";

interface Props {
  report: Report;
  username: string;
  asksPassword: boolean;
  onChange: (report: Report) => void;
  onClose: () => void;
}

interface Kept {
  kind: Amendment["kind"];
  reason: string;
  texts: Texts;
}

/** What was typed and not signed survives a closed page; unreadable leftovers are dropped. */
function restored(key: string, start: Kept): Kept {
  const stored = localStorage.getItem(key);
  if (stored === null) return start;
  try {
    return { ...start, ...(JSON.parse(stored) as Partial<Kept>) };
  } catch {
    return start;
  }
}

/** New words in the place of signed ones: what, why, and the signature in one step. */
export function ChangeForm({ report, username, asksPassword, onChange, onClose }: Props) {
  const key = `firstread.change.${username}.${report.id}.${String(report.version)}`;
  const [kept, setKept] = useState(() =>
    restored(key, { kind: "corrected", reason: "", texts: textsOf(report) }),
  );
  const [password, setPassword] = useState("");
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const sections = changedSections(textsOf(report), kept.texts);
  const ready = sections.length > 0 && kept.reason.trim() !== "" && (!asksPassword || password !== "");

  useEffect(() => {
    if (sections.length > 0 || kept.reason) localStorage.setItem(key, JSON.stringify(kept));
  }, [key, kept, sections.length]);

  const sign = async () => {
    setBusy(true);
    setError("");
    try {
      const { kind, reason } = kept;
      const fresh = await api.amend(report.id, { version: report.version, kind, reason, sections, password });
      localStorage.removeItem(key);
      onChange(fresh);
    } catch (problem) {
      setError(
        problem instanceof Problem && problem.document.current
          ? "Somebody changed this report meanwhile. Load the page again to see it; your words are kept here."
          : explain(problem),
      );
    } finally {
      setBusy(false);
    }
  };

  return (
    <section className={`${styles.section} ${styles.change}`} aria-label="Correct or amend">
      <label>
        What is this?
        <select
          value={kept.kind}
          data-testid="change-kind"
          onChange={(event) => setKept({ ...kept, kind: event.currentTarget.value as Kept["kind"] })}
        >
          <option value="corrected">Correction: something signed was wrong</option>
          <option value="amended">Amendment: it was right, and more is known now</option>
        </select>
      </label>
      {report.sections
        .filter((section) => !section.key.startsWith("addendum-"))
        .map((section) => (
          <label key={section.key}>
            {section.title}
            <textarea
              rows={3}
              data-testid={`change-${section.key}`}
              value={kept.texts[section.key] ?? ""}
              onChange={(event) =>
                setKept({ ...kept, texts: { ...kept.texts, [section.key]: event.currentTarget.value } })
              }
            />
          </label>
        ))}
      <label>
        Why it is changed; everybody who got the report reads this
        <textarea
          rows={2}
          data-testid="change-reason"
          value={kept.reason}
          onChange={(event) => setKept({ ...kept, reason: event.currentTarget.value })}
        />
      </label>
      {asksPassword && (
        <label>
          Your password
          <input
            type="password"
            className={styles.password}
            autoComplete="current-password"
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
        </label>
      )}
      {error && (
        <p className={styles.obstacle} role="alert">
          {error}
        </p>
      )}
      <div className={styles.choices}>
        <Button
          variant="filled"
          data-testid="change-sign"
          loading={busy}
          disabled={!ready}
          onClick={() => void sign()}
        >
          Sign the change
        </Button>
        <Button onClick={onClose}>Close</Button>
      </div>
    </section>
  );
}
