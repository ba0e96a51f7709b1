import type { LocationClass, PriorityClass, Reason } from "../../api/types";

export const PRIORITIES: Record<PriorityClass, string> = { stat: "STAT", asap: "ASAP", routine: "routine" };

export const LOCATIONS: Record<LocationClass, string> = {
  er: "ER",
  icu: "ICU",
  inpatient: "inpatient",
  outpatient: "outpatient",
};

export function reasonText(reason: Reason): string {
  return reason.text;
}

/** Minutes a reason moves the deadline: "60 min", "−25 min", or nothing. */
export function reasonMinutes(reason: Reason): string {
  if (reason.minutes === null) return "";
  const rounded = Math.round(reason.minutes);
  return `${rounded < 0 ? "−" : ""}${String(Math.abs(rounded))} min`;
}
