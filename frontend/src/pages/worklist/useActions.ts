import { useCallback, useMemo, useRef, useState } from "react";

import { explain, Problem } from "../../api/client";
import { api, queryClient } from "../../api/queries";
import type { ActionAnswer, FlagKind, HoldReason, Me, Reader, WorklistItem } from "../../api/types";
import { patientName, personName } from "../../ui/person";
import { showItem } from "./useWorklist";
import { FLAG_WORDS, PRIORITIES } from "./words";

export interface Told {
  text: string;
  /** What "Undo" takes back; null where there is nothing to take back. */
  undo: Undoable | null;
  /** The study can be looked at without claiming it. */
  readOnlyUid?: string;
}

export interface Undoable {
  uid: string;
  event: string;
  text: string;
}

const REMEMBERED = 20;

/** What the row looks like as soon as the reader asked; the server's answer replaces it. */
type Patch = Partial<WorklistItem>;

const changedRow = (error: unknown): WorklistItem | null =>
  (error instanceof Problem && error.document.row) || null;

/** The list's actions: shown at once, put back when the server refuses, remembered for undo. */
export function useActions(me: Me) {
  const [told, tell] = useState<Told | null>(null);
  const done = useRef<Undoable[]>([]);
  // What is on its way to the server; an undo waits for it, because that is what it means to undo.
  const under = useRef<Promise<unknown>>(Promise.resolve());

  const act = useCallback(
    async (item: WorklistItem, text: string, patch: Patch, call: () => Promise<ActionAnswer>) => {
      const who = patientName(item.patient.name);
      showItem({ ...item, ...patch });
      try {
        const answer = await call();
        showItem(answer.item);
        const undo = answer.event
          ? { uid: item.study_instance_uid, event: answer.event, text: `${who}: ${text}` }
          : null;
        if (undo) done.current = [...done.current, undo].slice(-REMEMBERED);
        tell({ text: `${who}: ${text}`, undo });
      } catch (error) {
        showItem(changedRow(error) ?? item);
        tell({ text: `${who}: not done. ${explain(error)}`, undo: null });
      }
      void queryClient.invalidateQueries({ queryKey: ["worklist", "events", item.study_instance_uid] });
    },
    [],
  );

  const run = useCallback(
    (...what: Parameters<typeof act>) => {
      const answer = act(...what);
      under.current = Promise.all([under.current, answer]);
      return answer;
    },
    [act],
  );

  const undo = useCallback(async (what?: Undoable) => {
    await under.current;
    const last = what ?? done.current.at(-1);
    if (!last) {
      tell({ text: "Nothing of yours is left to undo on this list.", undo: null });
      return;
    }
    done.current = done.current.filter((one) => one.event !== last.event);
    try {
      showItem((await api.undo(last.uid, last.event)).item);
      tell({ text: `Undone: ${last.text}`, undo: null });
    } catch (error) {
      const row = changedRow(error);
      if (row) showItem(row);
      tell({ text: `Not undone. ${explain(error)}`, undo: null });
    }
    void queryClient.invalidateQueries({ queryKey: ["worklist", "events", last.uid] });
    void queryClient.invalidateQueries({ queryKey: ["worklist", "history", last.uid] });
  }, []);

  const acts = useMemo(() => {
    const self = { username: me.username, display_name: me.display_name };
    return {
      assign: (item: WorklistItem, to: Pick<Reader, "username" | "display_name">) =>
        run(
          item,
          to.username === me.username ? "assigned to me" : `assigned to ${personName(to)}`,
          { assigned_to: to },
          () => api.assign(item.study_instance_uid, to.username, item.assigned_to?.username ?? ""),
        ),
      unassign: (item: WorklistItem) =>
        run(item, "assigned to nobody", { assigned_to: null }, () =>
          api.unassign(item.study_instance_uid, item.assigned_to?.username ?? ""),
        ),
      hold: (item: WorklistItem, body: { reason: HoldReason; note: string; until: string | null }) =>
        run(
          item,
          "on hold",
          {
            held: {
              reason: body.reason,
              note: body.note,
              by: self,
              at: new Date().toISOString(),
              until: body.until ?? item.due_at,
            },
          },
          () => api.hold(item.study_instance_uid, body),
        ),
      unhold: (item: WorklistItem) =>
        run(item, "hold ended", { held: null }, () => api.unhold(item.study_instance_uid)),
      raise: (item: WorklistItem, to: "stat" | "asap", reason: string) =>
        run(item, `raised to ${PRIORITIES[to]}`, { priority_class: to }, () =>
          api.raise(item.study_instance_uid, to, reason),
        ),
      decline: (item: WorklistItem, reason: string) =>
        run(item, "declined, not offered to you for 2 h", {}, () =>
          api.decline(item.study_instance_uid, reason),
        ),
      takeOver: (item: WorklistItem, reason: string) =>
        run(item, `taken over from ${personName(item.claimed_by)}`, {}, () =>
          api.takeOver(item.study_instance_uid, item.claimed_by?.username ?? "", reason),
        ),
      flag: (item: WorklistItem, kind: FlagKind, note: string) =>
        run(item, `marked: ${FLAG_WORDS[kind]}`, {}, () => api.flag(item.study_instance_uid, kind, note)),
      unflag: (item: WorklistItem, kind: FlagKind) =>
        run(
          item,
          `mark taken away: ${FLAG_WORDS[kind]}`,
          { flags: item.flags.filter((one) => one.kind !== kind) },
          () => api.unflag(item.study_instance_uid, kind),
        ),
    };
  }, [me.display_name, me.username, run]);

  return { acts, told, tell, undo };
}

export type Acts = ReturnType<typeof useActions>["acts"];
