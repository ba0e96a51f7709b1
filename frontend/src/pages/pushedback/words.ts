import type { PushedBackRow } from "../../api/types";

export const CLASSES = { stat: "STAT", asap: "ASAP", routine: "Routine" } as const;

/** "2 h 5 min"; "–" while nothing is known. */
export function minutesInWords(minutes: number | null): string {
  if (minutes === null) return "–";
  if (minutes > 0 && minutes < 1) return "< 1 min";
  const whole = Math.round(minutes);
  const hours = Math.floor(whole / 60);
  const rest = whole % 60;
  if (hours === 0) return `${String(rest)} min`;
  return rest === 0 ? `${String(hours)} h` : `${String(hours)} h ${String(rest)} min`;
}

export interface Bar {
  day: string;
  minutes: number;
  /** 0 to 1, of the longest. */
  share: number;
}

/** Minutes of each day over all classes, the first day first. */
export function barsOf(rows: readonly PushedBackRow[]): Bar[] {
  const sums = new Map<string, number>();
  for (const row of rows) sums.set(row.day, (sums.get(row.day) ?? 0) + row.minutes_total);
  const most = Math.max(0, ...sums.values());
  return [...sums]
    .sort(([one], [other]) => one.localeCompare(other))
    .map(([day, minutes]) => ({ day, minutes, share: most > 0 ? minutes / most : 0 }));
}

/** The day `back` days before the calendar day `day`. */
export function daysBefore(day: string, back: number): string {
  const moment = new Date(`${day}T00:00:00Z`);
  moment.setUTCDate(moment.getUTCDate() - back);
  return moment.toISOString().slice(0, 10);
}
