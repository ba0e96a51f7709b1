import { Button, Kbd, PasswordInput, Textarea } from "@mantine/core";
import { useState } from "react";

import { explain } from "../../../api/client";
import { api } from "../../../api/queries";
import type { Report } from "../../../api/types";
import { formatMoment } from "../../../time/dates";
import { hasRole, useMe } from "../../../app/session";
import { personName } from "../../../ui/person";
import { ChangeForm } from "./ChangeForm";
import { Deliveries } from "./Deliveries";
import { Paper } from "./Paper";
import { Conclusions } from "./Conclusions";
import styles from "./Report.module.css";

const STATES: Record<Report["state"], string> = {
  draft: "Draft",
  preliminary: "Preliminary",
  final: "Final",
  addendum: "Final with addendum",
  corrected: "Corrected",
  amended: "Amended",
};

interface Props {
  report: Report;
  mayAddend: boolean;
  onChange: (report: Report) => void;
  /** Opens a preliminary report to change or co-sign it. */
  onRevise: (() => void) | null;
  onNext: (() => void) | null;
}

/** A report as text: after the signature, or for those who only read. */
export function SignedReport({ report, mayAddend, onChange, onRevise, onNext }: Props) {
  const me = useMe();
  const [form, setForm] = useState<"none" | "addendum" | "change">("none");
  const writing = form === "addendum";
  const preliminary = report.state === "preliminary";
  const attending = mayAddend && !hasRole(me, "resident");
  const [password, setPassword] = useState("");
  const [text, setText] = useState("");
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const signed = report.signed_at !== null;

  const addend = async () => {
    setBusy(true);
    setError("");
    try {
      onChange(await api.addendum(report.id, text.trim(), password));
      setText("");
      setForm("none");
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
              {me.site.sign_asks_password && (
                <PasswordInput
                  aria-label="Your password, to sign"
                  placeholder="Password to sign"
                  autoComplete="current-password"
                  value={password}
                  onChange={(event) => setPassword(event.currentTarget.value)}
                />
              )}
              <Button
                variant="filled"
                data-testid="addendum-sign"
                loading={busy}
                disabled={text.trim() === ""}
                onClick={() => void addend()}
              >
                Sign the addendum
              </Button>
              <Button onClick={() => setForm("none")}>Close</Button>
            </div>
          </section>
        )}
        {form === "change" && (
          <ChangeForm
            report={report}
            username={me.username}
            asksPassword={me.site.sign_asks_password}
            onChange={(fresh) => {
              onChange(fresh);
              setForm("none");
            }}
            onClose={() => setForm("none")}
          />
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
            {preliminary && onRevise && (
              <Button variant="filled" data-testid="revise" onClick={onRevise}>
                {attending ? "Change or co-sign" : "Change"}
              </Button>
            )}
            {!preliminary && attending && form === "none" && (
              <>
                <Button data-testid="addendum" onClick={() => setForm("addendum")}>
                  Add an addendum
                </Button>
                <Button data-testid="change" onClick={() => setForm("change")}>
                  Correct or amend
                </Button>
              </>
            )}
            {onNext && (
              <Button
                variant={preliminary ? "default" : "filled"}
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
