import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { personName } from "../../ui/person";
import { useAction } from "./Forms";
import { peopleQuery, rotaApi, type Shift } from "./rota";
import { dutyWords, spanWords } from "./words";
import paper from "../../ui/Paper.module.css";
import styles from "./Rota.module.css";

/** Give a shift to somebody else, or cancel it; each with a reason. */
export function Decide({ shift }: { shift: Shift }) {
  const { said, run } = useAction();
  const [doing, setDoing] = useState<"" | "give" | "cancel">("");
  const [reason, setReason] = useState("");
  const [to, setTo] = useState("");
  const people = useQuery({ ...peopleQuery(shift.duty), enabled: doing === "give" });
  const whose = `${personName(shift.person)}, ${spanWords(shift.starts_at, shift.ends_at)}`;
  if (doing === "") {
    return (
      <span className={`${paper.actions} ${styles.actions}`}>
        <Button size="compact-xs" aria-label={`Give: ${whose}`} onClick={() => setDoing("give")}>
          Give…
        </Button>
        <Button size="compact-xs" aria-label={`Cancel: ${whose}`} onClick={() => setDoing("cancel")}>
          Cancel…
        </Button>
      </span>
    );
  }
  const act = () =>
    doing === "give"
      ? rotaApi.giveShift(shift.id, to, reason.trim())
      : rotaApi.cancelShift(shift.id, reason.trim());
  return (
    <span className={`${paper.actions} ${styles.actions}`}>
      {doing === "give" && (
        <select
          aria-label="To whom"
          value={to}
          autoFocus
          onChange={(event) => setTo(event.currentTarget.value)}
        >
          <option value="">to whom?</option>
          {(people.data ?? [])
            .filter((one) => one.username !== shift.person.username)
            .map((one) => (
              <option key={one.username} value={one.username}>
                {personName(one)}
              </option>
            ))}
        </select>
      )}
      <input
        type="text"
        aria-label="Why"
        placeholder="Why"
        maxLength={200}
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value)}
      />
      <Button
        size="compact-xs"
        disabled={reason.trim() === "" || (doing === "give" && to === "")}
        onClick={() => void run(act)}
      >
        {doing === "give" ? "Give the shift" : "Cancel the shift"}
      </Button>
      <Button size="compact-xs" onClick={() => setDoing("")}>
        Keep
      </Button>
      {said && <span role="alert">{said}</span>}
    </span>
  );
}

/** One shift in a line: who, what for, from when to when. */
export function ShiftLine({ shift, mayWrite }: { shift: Shift; mayWrite: boolean }) {
  return (
    <li data-testid="shift-line">
      <b>{personName(shift.person)}</b>
      {shift.is_mine && " (you)"} <span className={styles.quiet}>{dutyWords(shift)}</span>
      <small>
        {spanWords(shift.starts_at, shift.ends_at)}
        {shift.note && ` · ${shift.note}`}
      </small>
      {mayWrite && <Decide shift={shift} />}
    </li>
  );
}
