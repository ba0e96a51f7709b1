import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { createPortal, flushSync } from "react-dom";

import { aiLine } from "../../ai/wording";
import type { Me, WorklistItem } from "../../api/types";
import { formatMoment } from "../../time/dates";
import { patientName, personName } from "../../ui/person";
import { groupsQuery } from "../rota/rota";
import { filterWords, type Filters } from "./filters";
import styles from "./Print.module.css";
import { FLAG_WORDS, holdLine, LOCATIONS, PRIORITIES, tellingFirst } from "./words";

interface Props {
  items: readonly WorklistItem[];
  /** How many the list has; more than `items` while the rest is on its way. */
  total: number;
  filters: Filters;
  me: Me;
}

function stateWords(item: WorklistItem): string {
  const parts = [
    item.state === "signed" ? (item.report_state ?? "signed") : "",
    item.state === "claimed" ? `read by ${personName(item.claimed_by)}` : "",
    item.held ? `on hold: ${holdLine(item.held)}` : "",
    item.assigned_to ? `assigned to ${personName(item.assigned_to)}` : "",
    ...item.flags.map((flag) => FLAG_WORDS[flag.kind]),
  ].filter(Boolean);
  return parts.join("; ") || "free";
}

/** The whole list on paper, made only while the browser prints: black on white, its head on every page. */
export function PrintList({ items, total, filters, me }: Props) {
  const [at, setAt] = useState<string | null>(null);
  const groups = useQuery({ ...groupsQuery, staleTime: 300_000 });
  const names = new Map((groups.data ?? []).map((group) => [String(group.id), group.name]));
  useEffect(() => {
    // The browser takes the page right after this event: the rows must stand by then.
    const before = () => flushSync(() => setAt(new Date().toISOString()));
    const after = () => setAt(null);
    window.addEventListener("beforeprint", before);
    window.addEventListener("afterprint", after);
    return () => {
      window.removeEventListener("beforeprint", before);
      window.removeEventListener("afterprint", after);
    };
  }, []);
  if (!at) return null;
  const missing = total > items.length ? `, ${String(total - items.length)} more not loaded yet` : "";
  return createPortal(
    <div className={styles.paper} data-print data-testid="print-list">
      <table>
        <thead>
          <tr>
            <th colSpan={7} className={styles.banner}>
              <b>Firstread reading worklist</b> · {me.site.name} · NOT FOR CLINICAL USE
              <br />
              {filterWords(filters, names)} · {items.length} studies{missing} · printed {formatMoment(at)} by{" "}
              {me.display_name || me.username} · times in {me.time_zone || "this computer's zone"}
            </th>
          </tr>
          <tr>
            <th>Due</th>
            <th>Class</th>
            <th>Patient</th>
            <th>Study</th>
            <th>AI</th>
            <th>Why it stands here</th>
            <th>State</th>
          </tr>
        </thead>
        <tbody>
          {items.map((item) => (
            <tr key={item.id}>
              <td>{formatMoment(item.due_at)}</td>
              <td>
                {PRIORITIES[item.priority_class]}
                {item.raised && " (raised)"}
                <br />
                {LOCATIONS[item.location_class]}
              </td>
              <td>
                {patientName(item.patient.name)}
                <br />
                {item.patient.id} · {item.patient.age ?? "–"} {item.patient.sex}
              </td>
              <td>
                {item.modality} {item.study_description}
                <br />
                {item.accession_number}
              </td>
              <td>AI: {aiLine(item).text}</td>
              <td>
                {tellingFirst(item.reasons)
                  .map((reason) => reason.text)
                  .join("; ")}
              </td>
              <td>{stateWords(item)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>,
    document.body,
  );
}
