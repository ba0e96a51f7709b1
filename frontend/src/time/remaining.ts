import type { WorklistItem } from "../api/types";

/** Milliseconds to words a reader takes in at a glance: "45s", "4m", "1h 05m", "2d 3h"; overdue has a minus. */
export function formatRemaining(ms: number): string {
  const sign = ms < 0 ? "−" : "";
  const seconds = Math.floor(Math.abs(ms) / 1000);
  if (seconds < 60) return `${sign}${String(seconds)}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${sign}${String(minutes)}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${sign}${String(hours)}h ${String(minutes % 60).padStart(2, "0")}m`;
  return `${sign}${String(Math.floor(hours / 24))}d ${String(hours % 24)}h`;
}

/** The same for a screen reader: "due in 4 minutes", "overdue by 1 hour 5 minutes". */
export function speakRemaining(ms: number): string {
  const minutes = Math.floor(Math.abs(ms) / 60_000);
  const parts: string[] = [];
  const plural = (n: number, word: string) => `${String(n)} ${word}${n === 1 ? "" : "s"}`;
  const days = Math.floor(minutes / 1440);
  const hours = Math.floor((minutes % 1440) / 60);
  if (days > 0) parts.push(plural(days, "day"));
  if (hours > 0) parts.push(plural(hours, "hour"));
  if (days === 0 && (minutes % 60 > 0 || hours === 0)) parts.push(plural(minutes % 60, "minute"));
  return `${ms < 0 ? "overdue by" : "due in"} ${parts.join(" ")}`;
}

export type Urgency = "calm" | "soon" | "danger";

export const SOON_MS = 30 * 60_000;

/**
 * How loud the time left is. Red is kept for a patient in danger: an overdue study that is urgent by its
 * order, its place or an AI finding. Overdue routine work is amber, or red would mean nothing by noon.
 */
export function urgencyOf(item: WorklistItem, now: number): Urgency {
  const left = Date.parse(item.due_at) - now;
  if (left >= SOON_MS) return "calm";
  if (left >= 0) return "soon";
  const urgent =
    item.priority_class !== "routine" ||
    item.location_class === "er" ||
    item.location_class === "icu" ||
    item.findings.some((finding) => finding.presence === "present");
  return urgent ? "danger" : "soon";
}

/** Elapsed time since a moment: "9m", "1h 05m". */
export function formatElapsed(from: string, now: number): string {
  return formatRemaining(Math.max(0, now - Date.parse(from)));
}
