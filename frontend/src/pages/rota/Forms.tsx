import { Button } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { explain } from "../../api/client";
import { fromLocalInput, toLocalInput } from "../../time/dates";
import { personName } from "../../ui/person";
import {
  groupsQuery,
  peopleQuery,
  rotaApi,
  type Duty,
  type Group,
  type NewGroup,
  type NewShift,
} from "./rota";
import paper from "../../ui/Paper.module.css";
import styles from "./Rota.module.css";

const text = (form: FormData, name: string) => {
  const value = form.get(name);
  return typeof value === "string" ? value.trim() : "";
};
const words = (said: string) =>
  said
    .split(/[,;]+/)
    .map((one) => one.trim())
    .filter(Boolean);

/** Runs an action, keeps the error beside it, and reads the calendar anew when it went well. */
export function useAction(): { said: string; run: (action: () => Promise<unknown>) => Promise<boolean> } {
  const client = useQueryClient();
  const [said, setSaid] = useState("");
  return {
    said,
    run: async (action) => {
      setSaid("");
      try {
        await action();
        void client.invalidateQueries({ queryKey: ["rota"] });
        return true;
      } catch (error) {
        setSaid(explain(error));
        return false;
      }
    },
  };
}

/** What the form of a shift says, as the API takes it; times are the reader's own. */
export function shiftOf(form: FormData): NewShift {
  const duty = text(form, "duty") as Duty;
  const moment = (name: string) => {
    const found = fromLocalInput(text(form, name));
    return Number.isNaN(found) ? "" : new Date(found).toISOString();
  };
  return {
    duty,
    username: text(form, "username"),
    starts_at: moment("starts_at"),
    ends_at: moment("ends_at"),
    note: text(form, "note"),
    group: text(form, "group") ? Number(text(form, "group")) : null,
    ...(duty === "on_call"
      ? { department: text(form, "department"), position: Number(text(form, "position")) || 1 }
      : {}),
  };
}

/** A new shift; asks for department and position only when it is on call. */
export function AddShift({ onDone }: { onDone: () => void }) {
  const { said, run } = useAction();
  const [duty, setDuty] = useState<Duty>("reading");
  const [from] = useState(() => Math.ceil(Date.now() / 3600_000) * 3600_000);
  const people = useQuery(peopleQuery(duty));
  const groups = useQuery(groupsQuery);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const made = shiftOf(new FormData(event.currentTarget));
    if (await run(() => rotaApi.planShift(made))) onDone();
  };
  return (
    <form onSubmit={(event) => void submit(event)} aria-label="New shift">
      <div className={`${paper.form} ${styles.form}`}>
        <label>
          Duty
          <select
            name="duty"
            value={duty}
            onChange={(event) => setDuty(event.currentTarget.value as Duty)}
            autoFocus
          >
            <option value="reading">reading</option>
            <option value="on_call">on call</option>
          </select>
        </label>
        <label>
          Who
          <select name="username" required>
            <option value="">choose</option>
            {(people.data ?? []).map((one) => (
              <option key={one.username} value={one.username}>
                {personName(one)}
              </option>
            ))}
          </select>
        </label>
        <label>
          Group
          <select name="group">
            <option value="">{duty === "reading" ? "all groups of theirs" : "none"}</option>
            {(groups.data ?? [])
              .filter((one) => one.active)
              .map((one) => (
                <option key={one.id} value={one.id}>
                  {one.name}
                </option>
              ))}
          </select>
        </label>
        {duty === "on_call" && (
          <>
            <label>
              Department (empty: whole house)
              <input type="text" name="department" maxLength={120} autoComplete="off" />
            </label>
            <label>
              Called as number
              <input type="number" name="position" min={1} max={99} defaultValue={1} />
            </label>
          </>
        )}
        <label>
          From
          <input type="datetime-local" name="starts_at" required defaultValue={toLocalInput(from)} />
        </label>
        <label>
          Until
          <input
            type="datetime-local"
            name="ends_at"
            required
            defaultValue={toLocalInput(from + 8 * 3600_000)}
          />
        </label>
        <label>
          Note
          <input type="text" name="note" maxLength={200} autoComplete="off" />
        </label>
      </div>
      <span className={`${paper.actions} ${styles.actions}`}>
        <Button type="submit">Plan the shift</Button>
        <Button onClick={onDone}>Close</Button>
        {said && <span role="alert">{said}</span>}
      </span>
    </form>
  );
}

/** What the form of a group says, as the API takes it. */
export function groupOf(form: FormData): NewGroup {
  return {
    name: text(form, "name"),
    description: text(form, "description"),
    modalities: words(text(form, "modalities")),
    body_parts: words(text(form, "body_parts")),
    institutions: words(text(form, "institutions")),
    location_classes: form.getAll("location") as NewGroup["location_classes"],
    share_before_minutes: Number(text(form, "share_before_minutes")) || 0,
  };
}

/** A new group, or a changed one. */
export function EditGroup({ group, onDone }: { group?: Group; onDone: () => void }) {
  const { said, run } = useAction();
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const made = groupOf(new FormData(event.currentTarget));
    const save = () => (group ? rotaApi.changeGroup(group.id, made) : rotaApi.addGroup(made));
    if (await run(save)) onDone();
  };
  const lists = [
    ["modalities", "Modalities (CT, MR)", group?.modalities],
    ["body_parts", "Body parts (HEAD, BRAIN)", group?.body_parts],
    ["institutions", "Sites, as they are sent", group?.institutions],
  ] as const;
  return (
    <form onSubmit={(event) => void submit(event)} aria-label={group ? `Change ${group.name}` : "New group"}>
      <div className={`${paper.form} ${styles.form}`}>
        <label>
          Name
          <input type="text" name="name" required maxLength={80} defaultValue={group?.name} autoFocus />
        </label>
        <label>
          What for
          <input type="text" name="description" maxLength={200} defaultValue={group?.description} />
        </label>
        {lists.map(([name, label, value]) => (
          <label key={name}>
            {label}
            <input type="text" name={name} defaultValue={(value ?? []).join(", ")} autoComplete="off" />
          </label>
        ))}
        <label>
          While nobody reads, others see its studies … minutes before they are due
          <input
            type="number"
            name="share_before_minutes"
            min={0}
            max={10080}
            defaultValue={group?.share_before_minutes ?? 60}
          />
        </label>
        <fieldset>
          <legend>Locations (none: all)</legend>
          {["er", "icu", "inpatient", "outpatient"].map((one) => (
            <label key={one}>
              <input
                type="checkbox"
                name="location"
                value={one}
                defaultChecked={group?.location_classes.includes(one)}
              />{" "}
              {one}
            </label>
          ))}
        </fieldset>
      </div>
      <p className={styles.quiet}>
        A study belongs to the group when it has one of every list that is filled; an empty list asks nothing.
      </p>
      <span className={`${paper.actions} ${styles.actions}`}>
        <Button type="submit">{group ? "Save" : "Make the group"}</Button>
        <Button onClick={onDone}>Close</Button>
        {said && <span role="alert">{said}</span>}
      </span>
    </form>
  );
}
