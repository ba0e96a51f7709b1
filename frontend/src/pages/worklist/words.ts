import type { LocationClass, PriorityClass, Reason } from "../../api/types";

export const PRIORITIES: Record<PriorityClass, string> = { stat: "STAT", asap: "ASAP", routine: "routine" };

export const LOCATIONS: Record<LocationClass, string> = {
  er: "ER",
  icu: "ICU",
  inpatient: "inpatient",
  outpatient: "outpatient",
};

/** Reasons as the row tells them: what moved the study forward comes before what it was ordered as. */
export function tellingFirst(reasons: readonly Reason[]): Reason[] {
  const rank = (reason: Reason) => (reason.minutes !== null && reason.minutes < 0 ? 0 : 1);
  return [...reasons].sort((a, b) => rank(a) - rank(b));
}

const TOLD_BESIDE = /^AI: possible [^,]+ (?:> )?[\d.]+(?:, \d+ mL)?, /;

/** The row's reasons; of an only finding without what the AI column beside it says already. */
export function rowReasons(reasons: readonly Reason[]): string[] {
  const only = reasons.filter((reason) => reason.code === "ai_finding").length === 1;
  return tellingFirst(reasons).map(({ code, text }) =>
    only && code === "ai_finding" ? text.replace(TOLD_BESIDE, "AI: ") : text,
  );
}

/** Minutes a reason moves the deadline: "60 min", "−25 min", or nothing. */
export function reasonMinutes(reason: Reason): string {
  if (reason.minutes === null) return "";
  const rounded = Math.round(reason.minutes);
  return `${rounded < 0 ? "−" : ""}${String(Math.abs(rounded))} min`;
}
