import { Button } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { explain } from "../../api/client";
import { addCommunication, communicationsQuery } from "../../api/alerting";
import type { Communication, WorklistItem } from "../../api/types";
import { hasRole, useMe } from "../../app/session";
import { formatMoment } from "../../time/dates";
import { Icon } from "../../ui/icons";
import { personName } from "../../ui/person";
import { Failed } from "../../ui/states";
import styles from "./Communications.module.css";

const METHODS: Record<Communication["method"], string> = {
  phone: "by phone",
  in_person: "in person",
  message: "by secure message",
};
const CATEGORIES = ["1: within minutes", "2: within hours", "3: within days"];

function Entry({ entry }: { entry: Communication }) {
  return (
    <li data-testid="communication">
      {formatMoment(entry.told_at)}: {personName(entry.caller)} told {entry.told_name}
      {entry.told_role && ` (${entry.told_role})`} {METHODS[entry.method]}: {entry.subject}
      <small>
        {entry.read_back ? (
          <>
            <Icon name="check" size={12} /> read back
          </>
        ) : (
          "! not read back"
        )}
        {` · ACR category ${String(entry.category)}`}
        {entry.note && ` · ${entry.note}`}
      </small>
    </li>
  );
}

function CallForm({ item, onDone }: { item: WorklistItem; onDone: () => void }) {
  const client = useQueryClient();
  const flags = item.findings.filter((one) => one.presence === "present");
  const [code, setCode] = useState(flags[0]?.code ?? "");
  const [subject, setSubject] = useState(flags[0]?.meaning ?? "");
  const [name, setName] = useState("");
  const [role, setRole] = useState("");
  const [method, setMethod] = useState<Communication["method"]>("phone");
  const [category, setCategory] = useState(1);
  const [readBack, setReadBack] = useState(false);
  const [note, setNote] = useState("");
  const [toldAt] = useState(() => new Date().toISOString());
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState("");

  const send = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setSaid("");
    try {
      await addCommunication({
        study_instance_uid: item.study_instance_uid,
        finding_code: code,
        subject: subject.trim(),
        category: category as 1 | 2 | 3,
        told_name: name.trim(),
        told_role: role.trim(),
        method,
        read_back: readBack,
        note: note.trim(),
        told_at: toldAt,
      });
      // The checks before signing ask for it.
      void client.invalidateQueries({ queryKey: ["reports"] });
      onDone();
    } catch (error) {
      setSaid(explain(error));
    } finally {
      setBusy(false);
    }
  };

  return (
    <form className={styles.form} onSubmit={(event) => void send(event)}>
      {flags.length > 0 && (
        <label>
          About
          <select
            value={code}
            onChange={(event) => {
              const chosen = flags.find((one) => one.code === event.currentTarget.value);
              setCode(chosen?.code ?? "");
              if (chosen) setSubject(chosen.meaning);
            }}
          >
            {[...new Map(flags.map((one) => [one.code, one.meaning]))].map(([one, meaning]) => (
              <option key={one} value={one}>
                {meaning}
              </option>
            ))}
            <option value="">something else</option>
          </select>
        </label>
      )}
      <label>
        What I told
        <input
          required
          maxLength={200}
          value={subject}
          onChange={(event) => setSubject(event.currentTarget.value)}
        />
      </label>
      <label>
        To whom
        <input
          required
          autoFocus
          maxLength={120}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
      </label>
      <label>
        Their role
        <input maxLength={120} value={role} onChange={(event) => setRole(event.currentTarget.value)} />
      </label>
      <label>
        How
        <select
          value={method}
          onChange={(event) => setMethod(event.currentTarget.value as Communication["method"])}
        >
          {Object.entries(METHODS).map(([key, words]) => (
            <option key={key} value={key}>
              {words}
            </option>
          ))}
        </select>
      </label>
      <label>
        ACR category
        <select value={category} onChange={(event) => setCategory(Number(event.currentTarget.value))}>
          {CATEGORIES.map((words, index) => (
            <option key={words} value={index + 1}>
              {words}
            </option>
          ))}
        </select>
      </label>
      <label>
        Note
        <input maxLength={500} value={note} onChange={(event) => setNote(event.currentTarget.value)} />
      </label>
      <label className={styles.check}>
        <input
          type="checkbox"
          checked={readBack}
          onChange={(event) => setReadBack(event.currentTarget.checked)}
        />
        They repeated it in their own words
      </label>
      {said && <p role="alert">{said}</p>}
      <Button type="submit" loading={busy} disabled={name.trim() === "" || subject.trim() === ""}>
        Write it down
      </Button>
      <Button onClick={onDone}>Back</Button>
    </form>
  );
}

/** Who was told a result of this study, and the form for the next call. */
export function Communications({ item }: { item: WorklistItem }) {
  const me = useMe();
  const calls = useQuery(communicationsQuery(item.study_instance_uid));
  const [adding, setAdding] = useState(false);
  const rows = calls.data ?? [];
  return (
    <section className={styles.panel} aria-label="Calls">
      <h2>Calls</h2>
      {calls.isError && <Failed error={calls.error} onRetry={() => void calls.refetch()} />}
      {calls.isSuccess && rows.length === 0 && <p>Nobody has been told by phone or in person yet</p>}
      <ul>
        {rows.map((entry) => (
          <Entry key={entry.id} entry={entry} />
        ))}
      </ul>
      {hasRole(me, "radiologist") && !adding && (
        <Button onClick={() => setAdding(true)}>Write down a call</Button>
      )}
      {adding && (
        <CallForm
          item={item}
          onDone={() => {
            setAdding(false);
            void calls.refetch();
          }}
        />
      )}
    </section>
  );
}
