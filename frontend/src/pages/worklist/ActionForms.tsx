import { Button, NativeSelect, TextInput } from "@mantine/core";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState, type SyntheticEvent } from "react";

import { readersQuery } from "../../api/queries";
import type { FlagKind, HoldReason, Me, Person, WorklistItem } from "../../api/types";
import { formatTime } from "../../time/dates";
import { personName } from "../../ui/person";
import { Failed } from "../../ui/states";
import styles from "./Actions.module.css";
import { FLAG_WORDS, HOLD_REASONS, PRIORITIES } from "./words";

const REASON_LENGTH = 200;

interface Form {
  onDone: () => void;
}

interface Choice {
  key: string;
  name: string;
  quiet: string;
  choose: () => void;
}

/** Type a few letters of a name, Enter assigns to the marked one. Myself stands first. */
export function AssignForm({
  item,
  me,
  onAssign,
  onNobody,
  onDone,
}: Form & { item: WorklistItem; me: Me; onAssign: (to: Person) => void; onNobody: () => void }) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const found = useQuery({ ...readersQuery(text.trim()), placeholderData: keepPreviousData });
  const readers = [...(found.data ?? [])].sort(
    (a, b) => Number(b.username === me.username) - Number(a.username === me.username),
  );
  const choices: Choice[] = readers
    .filter((one) => one.username !== item.assigned_to?.username)
    .map((one) => ({
      key: one.username,
      name: one.username === me.username ? `${personName(one)} (me)` : personName(one),
      quiet: `${String(one.reading)} reading, ${String(one.assigned)} assigned`,
      choose: () => onAssign({ username: one.username, display_name: one.display_name }),
    }));
  if (item.assigned_to && !text.trim())
    choices.push({ key: "", name: "Nobody", quiet: `now ${personName(item.assigned_to)}`, choose: onNobody });
  const marked = Math.min(at, choices.length - 1);
  const take = (choice: Choice | undefined) => {
    if (!choice || found.isPlaceholderData) return;
    choice.choose();
    onDone();
  };
  return (
    <>
      <TextInput
        autoFocus
        data-autofocus
        role="combobox"
        aria-label="Reader"
        aria-expanded
        aria-controls="readers"
        aria-activedescendant={choices[marked] ? `reader-${String(marked)}` : undefined}
        placeholder="Type a name"
        autoComplete="off"
        value={text}
        onChange={(event) => {
          setText(event.currentTarget.value);
          setAt(0);
        }}
        onKeyDown={(event) => {
          const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
          if (by) setAt((marked + by + choices.length) % Math.max(1, choices.length));
          else if (event.key === "Enter") take(choices[marked]);
          else return;
          event.preventDefault();
        }}
      />
      {found.isError && <Failed error={found.error} onRetry={() => void found.refetch()} />}
      <ul id="readers" role="listbox" aria-label="Readers" className={styles.readers}>
        {choices.map((choice, index) => (
          <li
            key={choice.key}
            id={`reader-${String(index)}`}
            role="option"
            aria-selected={index === marked}
            onPointerEnter={() => setAt(index)}
            onClick={() => take(choice)}
          >
            <span>{choice.name}</span> <small>{choice.quiet}</small>
          </li>
        ))}
      </ul>
      {found.isSuccess && choices.length === 0 && (
        <p className={styles.hint}>No radiologist of this name. Clear the field to see all.</p>
      )}
    </>
  );
}

/** Enter in any field sends the form, also from a select. */
function Fields({
  button,
  disabled = false,
  onSubmit,
  children,
}: {
  button: string;
  disabled?: boolean;
  onSubmit: () => void;
  children: React.ReactNode;
}) {
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    if (!disabled) onSubmit();
  };
  return (
    <form
      className={styles.form}
      onSubmit={submit}
      onKeyDown={(event) => {
        if (event.key === "Enter" && event.target instanceof HTMLSelectElement) submit(event);
      }}
    >
      {children}
      <Button type="submit" disabled={disabled}>
        {button}
      </Button>
    </form>
  );
}

const MINUTES = [15, 30, 60, 120, 240] as const;

/** How long a hold may last: choices before the deadline, and the deadline itself. */
export function holdChoices(due: number, now: number): { value: string; label: string }[] {
  const shorter = MINUTES.filter((minutes) => now + minutes * 60_000 < due).map((minutes) => ({
    value: new Date(now + minutes * 60_000).toISOString(),
    label: `${minutes < 60 ? `${String(minutes)} min` : `${String(minutes / 60)} h`}, until ${formatTime(now + minutes * 60_000)}`,
  }));
  return [{ value: "", label: `until it is due, ${formatTime(due)}` }, ...shorter];
}

export function HoldForm({
  item,
  now,
  onHold,
  onDone,
}: Form & {
  item: WorklistItem;
  now: number;
  onHold: (body: { reason: HoldReason; note: string; until: string | null }) => void;
}) {
  const [reason, setReason] = useState<HoldReason>("priors");
  const [until, setUntil] = useState("");
  const [note, setNote] = useState("");
  const [opened] = useState(now);
  return (
    <Fields
      button="Hold"
      onSubmit={() => {
        onHold({ reason, note: note.trim(), until: until || null });
        onDone();
      }}
    >
      <NativeSelect
        autoFocus
        data-autofocus
        label="Waits for"
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value as HoldReason)}
        data={Object.entries(HOLD_REASONS).map(([value, label]) => ({ value, label }))}
      />
      <NativeSelect
        label="At most"
        value={until}
        onChange={(event) => setUntil(event.currentTarget.value)}
        data={holdChoices(Date.parse(item.due_at), opened)}
      />
      <TextInput
        label="Note"
        placeholder="who was asked"
        maxLength={REASON_LENGTH}
        value={note}
        onChange={(event) => setNote(event.currentTarget.value)}
      />
      <p className={styles.hint}>It is offered again by its deadline at the latest.</p>
    </Fields>
  );
}

export function RaiseForm({
  item,
  onRaise,
  onDone,
}: Form & { item: WorklistItem; onRaise: (to: "stat" | "asap", reason: string) => void }) {
  const choices = (["stat", "asap"] as const).filter((one) => one !== item.priority_class);
  const [to, setTo] = useState<"stat" | "asap">("stat");
  const [reason, setReason] = useState("");
  return (
    <Fields
      button={`Raise to ${PRIORITIES[to]}`}
      disabled={!reason.trim()}
      onSubmit={() => {
        onRaise(to, reason.trim());
        onDone();
      }}
    >
      <NativeSelect
        label={`From ${PRIORITIES[item.priority_class]} to`}
        value={to}
        onChange={(event) => setTo(event.currentTarget.value as "stat" | "asap")}
        data={choices.map((value) => ({ value, label: PRIORITIES[value] }))}
      />
      <TextInput
        autoFocus
        data-autofocus
        label="Reason"
        maxLength={REASON_LENGTH}
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value)}
      />
      <p className={styles.hint}>Only upwards. The deadline counts from now and never comes later.</p>
    </Fields>
  );
}

/** An action that needs nothing but a reason. */
export function ReasonForm({
  button,
  hint,
  onReason,
  onDone,
}: Form & { button: string; hint: string; onReason: (reason: string) => void }) {
  const [reason, setReason] = useState("");
  return (
    <Fields
      button={button}
      disabled={!reason.trim()}
      onSubmit={() => {
        onReason(reason.trim());
        onDone();
      }}
    >
      <TextInput
        autoFocus
        data-autofocus
        label="Reason"
        maxLength={REASON_LENGTH}
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value)}
      />
      <p className={styles.hint}>{hint}</p>
    </Fields>
  );
}

export function FlagForm({
  item,
  onFlag,
  onUnflag,
  onDone,
}: Form & {
  item: WorklistItem;
  onFlag: (kind: FlagKind, note: string) => void;
  onUnflag: (kind: FlagKind) => void;
}) {
  const [kind, setKind] = useState<FlagKind>("teaching");
  const [note, setNote] = useState("");
  const set = item.flags.find((one) => one.kind === kind);
  return (
    <Fields
      button={set ? "Take the mark away" : "Mark"}
      onSubmit={() => {
        if (set) onUnflag(kind);
        else onFlag(kind, note.trim());
        onDone();
      }}
    >
      <NativeSelect
        autoFocus
        data-autofocus
        label="For"
        value={kind}
        onChange={(event) => setKind(event.currentTarget.value as FlagKind)}
        data={Object.entries(FLAG_WORDS).map(([value, label]) => ({ value, label }))}
      />
      {set ? (
        <p className={styles.hint}>
          Marked by {personName(set.by)} at {formatTime(Date.parse(set.at))}
          {set.note && `: ${set.note}`}
        </p>
      ) : (
        <TextInput
          label="Note"
          maxLength={REASON_LENGTH}
          value={note}
          onChange={(event) => setNote(event.currentTarget.value)}
        />
      )}
      <p className={styles.hint}>A mark says nothing about urgency and moves no deadline.</p>
    </Fields>
  );
}
