import { useEffect, useRef } from "react";

import { eventsQuery, queryClient } from "../../api/queries";
import type { WorklistEvent, WorklistItem } from "../../api/types";
import { formatTime } from "../../time/dates";
import { patientName, personName } from "../../ui/person";
import type { Told } from "./useActions";

const OF_CLAIMS: readonly WorklistEvent["kind"][] = ["claimed", "released", "expired", "taken_over"];

/** What the holder of a study must know when another took it over; empty when the claim ended otherwise. */
export async function takenOverWords(uid: string): Promise<string> {
  const events = await queryClient.fetchQuery({ ...eventsQuery(uid), staleTime: 0 });
  const last = events.find((event) => OF_CLAIMS.includes(event.kind));
  if (last?.kind !== "taken_over") return "";
  const at = formatTime(Date.parse(last.at));
  return `${personName(last.by)} took this study over at ${at}: “${last.reason}”. Your draft is kept in the report.`;
}

/** Tells a reader at once when another takes over a study they hold, whatever the list shows. */
export function useTakenOver(items: readonly WorklistItem[], tell: (told: Told) => void): void {
  const held = useRef(new Map<string, string>());
  useEffect(() => {
    const mine = items.filter((item) => item.is_mine && item.state === "claimed");
    const now = new Map(
      mine.map((item) => [item.study_instance_uid, patientName(item.patient.name)] as const),
    );
    for (const [uid, who] of held.current) {
      if (now.has(uid)) continue;
      void takenOverWords(uid).then(
        (words) => words && tell({ text: `${who}: ${words}`, undo: null, readOnlyUid: uid }),
        () => undefined,
      );
    }
    held.current = now;
  }, [items, tell]);
}
