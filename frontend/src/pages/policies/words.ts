import type { PolicyDocument, PriorityPolicyPreview } from "../../api/types";
import { minutesInWords } from "../pushedback/words";

export const PRIORITIES = ["stat", "asap", "routine"] as const;
export const LOCATIONS = ["er", "icu", "inpatient", "outpatient"] as const;
export const CRITICALITIES = ["critical", "urgent", "normal"] as const;
export const LOCATION_WORDS = {
  er: "ER",
  icu: "ICU",
  inpatient: "Inpatient",
  outpatient: "Outpatient",
} as const;

/** What a policy does, sentence by sentence. */
export function policyInWords(policy: PolicyDocument): string[] {
  const promoted = CRITICALITIES.flatMap((one) => {
    const minutes = policy.finding_minutes[one];
    return minutes === undefined ? [] : [`${one} finding within ${minutesInWords(minutes)} of the result`];
  });
  return [
    "The list is ordered by deadline, ties by arrival. Nothing ever moves a study behind the place that its order gives it.",
    `Without an order a study is due within ${minutesInWords(policy.minutes_without_order)}.`,
    promoted.length > 0
      ? `AI puts forward: ${promoted.join(", ")}.`
      : "No finding of AI puts a study forward.",
    ...(policy.ages ?? []).map(
      (age) =>
        `Patients of ${String(age.from_years)} to below ${String(age.below_years)} years are due within ${minutesInWords(age.minutes)}.`,
    ),
  ];
}

/** "Of 41 open studies 7 would move up, 3 down." */
export function previewInWords(preview: PriorityPolicyPreview): string {
  const first =
    preview.looked_at < preview.open
      ? `Of the ${String(preview.looked_at)} most urgent of ${String(preview.open)} open studies`
      : `Of ${String(preview.open)} open studies`;
  return `${first} ${String(preview.up)} would move up, ${String(preview.down)} down; ${String(preview.sooner)} would be due sooner, ${String(preview.later)} later.`;
}

/** The policy with other minutes at `path` ("target_minutes.stat.er"); an empty value takes a finding out. */
export function withMinutes(policy: PolicyDocument, path: string, minutes: number | null): PolicyDocument {
  const copy = structuredClone(policy) as unknown as Record<string, unknown>;
  const way = path.split(".");
  const last = way.pop() ?? "";
  let place = copy;
  for (const name of way) place = place[name] as Record<string, unknown>;
  if (minutes === null) Reflect.deleteProperty(place, last);
  else place[last] = minutes;
  return copy as unknown as PolicyDocument;
}
