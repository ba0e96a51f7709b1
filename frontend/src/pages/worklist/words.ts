import type {
  FlagKind,
  HoldReason,
  LocationClass,
  PriorityClass,
  Reason,
  WorklistItem,
} from "../../api/types";
import { formatTime } from "../../time/dates";
import { personName } from "../../ui/person";

export const PRIORITIES: Record<PriorityClass, string> = { stat: "STAT", asap: "ASAP", routine: "routine" };

export const LOCATIONS: Record<LocationClass, string> = {
  er: "ER",
  icu: "ICU",
  inpatient: "inpatient",
  outpatient: "outpatient",
};

/** What a held study waits for. */
export const HOLD_REASONS: Record<HoldReason, string> = {
  priors: "priors",
  contrast: "contrast phase",
  images: "missing images",
  information: "clinical information",
};

export const FLAG_WORDS: Record<FlagKind, string> = { teaching: "teaching", peer_review: "peer review" };

/** "priors, until 14:32" */
export function holdLine(held: NonNullable<WorklistItem["held"]>): string {
  return `${HOLD_REASONS[held.reason]}, until ${formatTime(Date.parse(held.until))}`;
}

/** The whole of a hold, for a title and for the peek panel. */
export function holdSentence(held: NonNullable<WorklistItem["held"]>): string {
  const note = held.note && ` (${held.note})`;
  const until = formatTime(Date.parse(held.until));
  return `On hold by ${personName(held.by)} until ${until}: waiting for ${HOLD_REASONS[held.reason]}${note}`;
}

export function raisedSentence(raised: NonNullable<WorklistItem["raised"]>): string {
  const at = formatTime(Date.parse(raised.at));
  return `Raised to ${PRIORITIES[raised.to]} by ${personName(raised.by)} at ${at}: ${raised.reason}`;
}

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

/** "Neuro", or "shared: Neuro" once its group left the study to everybody; nothing without a group. */
export function groupLine(item: Pick<WorklistItem, "groups" | "shared">): string {
  const names = item.groups.map((one) => one.name).join(", ");
  return names && item.shared ? `shared: ${names}` : names;
}

/** The same as a sentence. */
export function groupSentence(item: Pick<WorklistItem, "groups" | "shared">): string {
  const names = item.groups.map((one) => one.name).join(" and ");
  if (!names) return "";
  return item.shared ? `Open to all readers: nobody of ${names} was on duty` : `For the readers of ${names}`;
}
