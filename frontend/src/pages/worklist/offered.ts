import type { WorklistItem } from "../../api/types";
import { personName } from "../../ui/person";

/** The actions on a row that a popover asks details for. */
export type ActionName = "assign" | "hold" | "raise" | "decline" | "takeOver" | "flag";

export const ACTIONS: readonly { name: ActionName; key: string; label: string }[] = [
  { name: "assign", key: "S", label: "Assign" },
  { name: "hold", key: "H", label: "Hold" },
  { name: "raise", key: "P", label: "Raise priority" },
  { name: "decline", key: "D", label: "Decline" },
  { name: "takeOver", key: "T", label: "Take over" },
  { name: "flag", key: "G", label: "Mark" },
];

/** Why an action makes no sense on this row, in words; empty when it does. */
export function whyNot(name: ActionName, item: WorklistItem, now: number): string {
  if (name === "flag") return "";
  if (item.state === "signed") return "This study is signed.";
  const another = item.state === "claimed" && !item.is_mine ? personName(item.claimed_by) : "";
  switch (name) {
    case "takeOver":
      return another ? "" : "Nobody else is reading this study: claim it with C.";
    case "raise":
      return item.priority_class === "stat" ? "STAT is the most urgent class already." : "";
    case "hold":
      if (item.held) return "";
      if (another) return `${another} is reading this study.`;
      return Date.parse(item.due_at) <= now ? "This study is overdue: it cannot be held." : "";
    case "assign":
    case "decline":
      return another ? `${another} is reading this study.` : "";
  }
}

export function actionLabel(name: ActionName, item: WorklistItem): string {
  if (name === "hold" && item.held) return "End the hold";
  return ACTIONS.find((one) => one.name === name)?.label ?? name;
}
