import { Button, Kbd, Textarea } from "@mantine/core";
import { useState } from "react";

import { explain } from "../../../api/client";
import { api } from "../../../api/queries";
import type { Report } from "../../../api/types";
import { formatMoment } from "../../../time/dates";
import { personName } from "../../../ui/person";
import { Deliveries } from "./Deliveries";
import { Paper } from "./Paper";
import { Conclusions } from "./Conclusions";
import styles from "./Report.module.css";

const STATES: Record<Report["state"], string> = {
  draft: "Draft",
  final: "Final",
  addendum: "Final with addendum",
  corrected: "Corrected",
};

interface Props {
  report: Report;
  mayAddend: boolean;
  onChange: (report: Report) => void;
  onNext: (() => void) | null;
}

/** A report as text: after the signature, or for those who only read. */
export function SignedReport({ report, mayAddend, onChange, onNext }: Props) {
  const [writing, setWriting] = useState(false);
  const [text, setText] = useState("");
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const signed = report.signed_at !== null;

  const addend = async () => {
    setBusy(true);
    setError("");
    try {
      onChange(await api.addendum(report.id, text.trim()));
      setText("");
      setWriting(false);
    } catch (problem) {
      setError(explain(problem));
    } finally {
      setBusy(false);
    }
  };

  return (
    <>
      <article className={styles.document} aria-label="Report">
        {report.sections.map((section) => (
          <section key={section.key} className={styles.section} data-testid={`report-section-${section.key}`}>
            <label>{section.title}</label>
            <p className={styles.still}>{section.text || "–"}</p>
          </section>
        ))}
        <Conclusions conclusions={report.conclusions} onConclude={null} />
        {writing && (
          <section className={styles.section}>
            <Textarea
              label="Addendum"
              data-testid="addendum-text"
              autoFocus
              rows={3}
              value={text}
              onChange={(event) => setText(event.currentTarget.value)}
              error={error || undefined}
            />
            <div className={styles.choices}>
              <Button
                variant="filled"
                data-testid="addendum-sign"
                loading={busy}
                disabled={text.trim() === ""}
                onClick={() => void addend()}
              >
                Sign the addendum
              </Button>
              <Button onClick={() => setWriting(false)}>Close</Button>
            </div>
          </section>
        )}
      </article>
      <div className={styles.signBar}>
        <p className={styles.signedLine} data-testid="signed-state">
          <b>{STATES[report.state]}</b>
          {signed
            ? `, signed by ${personName(report.signed_by)}, ${formatMoment(report.signed_at)}`
            : `, not signed. Last change ${formatMoment(report.updated_at)} by ${personName(report.updated_by)}`}
        </p>
        {signed && <Paper reportId={report.id} />}
        {signed && <Deliveries reportId={report.id} mayRetry={mayAddend} />}
        {signed && (
          <div className={styles.signLine}>
            {mayAddend && !writing && (
              <Button data-testid="addendum" onClick={() => setWriting(true)}>
                Add an addendum
              </Button>
            )}
            {onNext && (
              <Button
                variant="filled"
                data-testid="next"
                onClick={onNext}
                rightSection={<Kbd size="xs">N</Kbd>}
              >
                Next study
              </Button>
            )}
          </div>
        )}
      </div>
    </>
  );
}
