import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useRef, useState, type FormEvent } from "react";

import { Refused } from "../../api/client";
import { useAction } from "./Forms";
import { groupsQuery, rotaApi, type CalendarImport, type Duty, type ImportResult } from "./rota";
import paper from "../../ui/Paper.module.css";
import styles from "./Rota.module.css";

const LARGEST = 1_000_000;

function Lines({ title, lines }: { title: string; lines: readonly string[] }) {
  if (lines.length === 0) return null;
  return (
    <details open={lines.length <= 12}>
      <summary>
        {String(lines.length)} {title}
      </summary>
      <ul>
        {lines.map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ul>
    </details>
  );
}

/** What an import did, or would do; what it could not match stands first. */
export function Result({ result }: { result: ImportResult }) {
  const would = result.dry_run ? "would be " : "";
  const nothing = [result.added, result.changed, result.cancelled].every((one) => one.length === 0);
  return (
    <div role="status" aria-label="What the file does">
      {result.unmatched.map((one) => (
        <p key={one.what} className={`${paper.trouble} ${styles.trouble}`}>
          <b>! not taken:</b> {one.what}: {one.why}
        </p>
      ))}
      <Lines title={`${would}added`} lines={result.added} />
      <Lines title={`${would}changed`} lines={result.changed} />
      <Lines title={`${would}cancelled`} lines={result.cancelled} />
      <Lines title="left as decided here" lines={result.kept} />
      <p className={styles.quiet}>
        {nothing && `Nothing ${would || "was "}changed. `}
        {String(result.unchanged)} are here already, {String(result.over)} are over.
      </p>
    </div>
  );
}

/** A calendar file: first what it would do, then, by a second click, doing it. */
export function ImportCalendar({ onDone }: { onDone: () => void }) {
  const { said, run } = useAction();
  const groups = useQuery(groupsQuery);
  const [tried, setTried] = useState<CalendarImport | null>(null);
  const [result, setResult] = useState<ImportResult | null>(null);
  const [busy, setBusy] = useState(false);
  const chosen = useRef<HTMLInputElement>(null);
  const send = async (body: CalendarImport) => {
    setBusy(true);
    const went = await run(async () => setResult(await rotaApi.importCalendar(body)));
    setBusy(false);
    setTried(went && body.dry_run ? body : null);
  };
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setResult(null);
    setTried(null);
    void run(async () => {
      const file = chosen.current?.files?.[0];
      if (!file || file.size === 0) throw new Refused("Choose a calendar file (.ics).");
      if (file.size > LARGEST) throw new Refused("The file is larger than 1 MB. Export a shorter span.");
      const group = form.get("group");
      await send({
        calendar: await file.text(),
        dry_run: true,
        duty: form.get("duty") as Duty,
        group: typeof group === "string" && group ? Number(group) : null,
        complete: form.get("complete") === "on",
      });
    });
  };
  return (
    <form onSubmit={submit} aria-label="Import a calendar file" onChange={() => setTried(null)}>
      <div className={`${paper.form} ${styles.form}`}>
        <label>
          Calendar file (.ics)
          <input ref={chosen} type="file" accept=".ics,text/calendar" autoFocus />
        </label>
        <label>
          Duty, unless an event says it
          <select name="duty">
            <option value="reading">reading</option>
            <option value="on_call">on call</option>
          </select>
        </label>
        <label>
          Group, unless an event names one
          <select name="group">
            <option value="">none</option>
            {(groups.data ?? [])
              .filter((one) => one.active)
              .map((one) => (
                <option key={one.id} value={one.id}>
                  {one.name}
                </option>
              ))}
          </select>
        </label>
        <fieldset>
          <label>
            <input type="checkbox" name="complete" /> The file is the whole plan of this duty and group:
            cancel what an earlier file planned and this one does not
          </label>
        </fieldset>
      </div>
      <p className={styles.quiet}>
        People are found by the attendee&apos;s address or name, or by the name in the title. Nothing is
        changed before you have seen what would be.
      </p>
      <span className={`${paper.actions} ${styles.actions}`}>
        <Button type="submit" loading={busy}>
          See what it would do
        </Button>
        {tried && (
          <Button disabled={busy} onClick={() => void send({ ...tried, dry_run: false })}>
            Do it
          </Button>
        )}
        <Button onClick={onDone}>Close</Button>
        {said && <span role="alert">{said}</span>}
      </span>
      {result && <Result result={result} />}
    </form>
  );
}
