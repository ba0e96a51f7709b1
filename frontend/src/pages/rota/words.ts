import { formatMoment, formatTime, formatWeekday, toLocalInput } from "../../time/dates";
import { personName } from "../../ui/person";
import type { Duty, Gap, HandedStudy, OpenStudy, Shift } from "./rota";

export const DUTIES: Record<Duty, string> = { reading: "reads", on_call: "is on call" };

/** "Sat 28 Nov 18:00" */
export function momentWords(iso: string): string {
  const moment = Date.parse(iso);
  return `${formatWeekday(moment)} ${formatTime(moment)}`;
}

/** "Sat 28 Nov 18:00 to Sun 29 Nov 08:00", the second day left out when it is the first. */
export function spanWords(from: string, to: string): string {
  const [first, last] = [Date.parse(from), Date.parse(to)];
  const sameDay = formatWeekday(first) === formatWeekday(last);
  return `${momentWords(from)} to ${sameDay ? formatTime(last) : momentWords(to)}`;
}

/** "Neuro" or "on call 1, ER" or "on call 2, whole house". */
export function dutyWords(shift: Pick<Shift, "duty" | "group" | "department" | "position">): string {
  if (shift.duty === "reading") return shift.group?.name ?? "all groups of theirs";
  const whom = shift.department || shift.group?.name || "whole house";
  return `on call ${String(shift.position)}, ${whom}`;
}

/** "Neuro has nobody from Sat 28 Nov 18:00 to Sun 29 Nov 08:00", in the reader's time zone. */
export function gapWords(gap: Gap): string {
  if (!gap.has_members) {
    return `${gap.group?.name ?? ""} has no members: its studies are shown to everybody before they are due`;
  }
  const whom = gap.group?.name ?? (gap.department ? `On call for ${gap.department}` : "On call");
  return `${whom} has nobody from ${spanWords(gap.starts_at, gap.ends_at)}`;
}

export interface Day {
  label: string;
  shifts: Shift[];
  gaps: Gap[];
}

/** Seven days from `now` in the reader's time zone; what lasts over midnight stands on each of its days. */
export function week(shifts: readonly Shift[], gaps: readonly Gap[], now: number): Day[] {
  const dayOf = (moment: number) => toLocalInput(moment).slice(0, 10);
  const touches = (day: string, one: { starts_at: string; ends_at: string }) =>
    dayOf(Date.parse(one.starts_at)) <= day && day <= dayOf(Date.parse(one.ends_at) - 1);
  return Array.from({ length: 7 }, (_, index) => {
    // Noon: an hour of a clock change more or less stays on the same day.
    const noon = Date.parse(`${dayOf(now)}T12:00:00Z`) + index * 24 * 3600_000;
    const day = new Date(noon).toISOString().slice(0, 10);
    const weekday = new Intl.DateTimeFormat("en-GB", { weekday: "short", timeZone: "UTC" }).format(noon);
    const month = new Intl.DateTimeFormat("en-GB", { month: "short", timeZone: "UTC" }).format(noon);
    return {
      label: `${weekday} ${String(new Date(noon).getUTCDate())} ${month.slice(0, 3)}`,
      shifts: shifts.filter((one) => touches(day, one)),
      gaps: gaps.filter((one) => one.has_members && touches(day, one)),
    };
  });
}

const HOLDS: Record<NonNullable<HandedStudy["held"]>["reason"], string> = {
  priors: "priors",
  contrast: "the contrast phase",
  images: "missing images",
  information: "clinical information",
};

/** "on hold for priors until 28 Nov 18:00: asked ward 4", or nothing. */
function holdWords(study: HandedStudy): string {
  if (!study.held) return "";
  const until = study.held.until ? ` until ${formatMoment(study.held.until)}` : "";
  return `on hold for ${HOLDS[study.held.reason]}${until}${study.held.note ? `: ${study.held.note}` : ""}`;
}

/** How a study of a hand-over stands now: "free, a draft is there", "Dr. B is reading it", "signed". */
export function openWords(study: HandedStudy): string {
  if (study.state === "signed") return "signed";
  const where = study.claimed_by
    ? `${personName(study.claimed_by)} is reading it`
    : study.assigned_to
      ? `assigned to ${personName(study.assigned_to)}`
      : "free";
  return [where, study.has_draft && "a draft is there", holdWords(study)].filter(Boolean).join(", ");
}

const BECAUSE: Record<Exclude<OpenStudy["because"][number], "held" | "alert">, string> = {
  claimed: "you are reading it",
  assigned: "assigned to you",
  draft: "your draft",
};

/** Why a study is my open work: "you are reading it, your draft". */
export function becauseWords(study: OpenStudy): string {
  return study.because
    .map((one) => (one === "held" ? holdWords(study) : one === "alert" ? "" : BECAUSE[one]))
    .filter(Boolean)
    .join(", ");
}
