import { LOCATIONS, PRIORITIES } from "../worklist/words";
import type { Mean } from "./simulation";

export const GROUPS = {
  all: "All",
  diseased: "Diseased",
  others: "Without disease",
  flagged: "Flagged by AI",
  unflagged: "Not flagged",
} as const;
export type GroupName = keyof typeof GROUPS;

/** Minutes as people say them: 8.4 min, 56 min, 3 h 05. */
export function minutes(value: number): string {
  if (value < 10) return `${value.toFixed(1)} min`;
  const whole = Math.round(value);
  if (whole < 120) return `${String(whole)} min`;
  return `${String(Math.floor(whole / 60))} h ${String(whole % 60).padStart(2, "0")}`;
}

export function percent(share: number, digits = 0): string {
  return `${(share * 100).toFixed(digits)} %`;
}

/** A change against first in, first out: −72 %, +4 %. */
export function change(share: number | null | undefined): string {
  if (share === null || share === undefined) return "";
  const value = Math.round(share * 100);
  const sign = value > 0 ? "+" : value < 0 ? "−" : "±";
  return `${sign}${String(Math.abs(value))} %`;
}

export function interval(mean: Mean): string {
  if (mean.low === null || mean.high === null) return "";
  return `${minutes(Math.max(0, mean.low))} to ${minutes(mean.high)}`;
}

/** "stat/er" as the list says it. */
export function orderWords(kind: string): string {
  const [priority = "", location = ""] = kind.split("/");
  const words = (table: Record<string, string>, key: string) => table[key] ?? key;
  return `${words(PRIORITIES, priority)}, ${words(LOCATIONS, location)}`;
}

/** Round steps for an axis from 0 to at least `most`: 1, 2 or 5 times a power of ten; for minutes 15, 30, 60. */
export function steps(most: number, wanted = 6): number[] {
  const rough = Math.max(most, 1e-9) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough) ?? rough;
  return Array.from({ length: Math.floor(most / step + 1e-9) + 1 }, (_, index) => index * step);
}
