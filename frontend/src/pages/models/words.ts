import type { ComparedCase, Model, ModelDecision, ModelState } from "../../api/types";
import { personName } from "../../ui/person";

/** What a state means for people, in one sentence. */
export const STATE_WORDS: Record<ModelState, string> = {
  draft: "Registered and checked. It looks at nothing yet.",
  shadow: "It looks at studies and is measured. No reader sees its results.",
  live: "Its results raise studies and alert.",
  retired: "It looks at nothing any more. What it said stands.",
};

/** A move as a button says it. */
export const MOVE_WORDS: Record<string, string> = {
  shadow: "Run as shadow",
  live: "Go live",
  retired: "Retire",
};

const ORDER: readonly ModelState[] = ["live", "shadow", "draft", "retired"];

/** In use first; of one name the newest version first. */
export function ordered(models: readonly Model[]): Model[] {
  return [...models].sort(
    (a, b) =>
      ORDER.indexOf(a.state) - ORDER.indexOf(b.state) ||
      a.name.localeCompare(b.name) ||
      b.registered_at.localeCompare(a.registered_at),
  );
}

/** The other models that look for a finding that this one looks for: versions of the same name first. */
export function comparable(model: Model, all: readonly Model[]): Model[] {
  const codes = new Set(model.targets.map((target) => target.code));
  return ordered(all)
    .filter((other) => other.id !== model.id && other.targets.some((target) => codes.has(target.code)))
    .sort((a, b) => Number(b.name === model.name) - Number(a.name === model.name));
}

export function fullName(model: Pick<Model, "name" | "version">): string {
  return `${model.name} ${model.version}`;
}

/** A decision in words: "Ann approved it for live". */
export function decisionWords(decision: ModelDecision): string {
  const who = decision.by ? personName(decision.by) : "The house";
  if (decision.action === "approved") return `${who} approved it for live`;
  if (decision.action === "registered") return `${who} registered it as ${decision.to_state}`;
  return `${who} moved it from ${decision.from_state} to ${decision.to_state}`;
}

/** How often two models agree: "212 of 230 studies (92 %)"; null when there is nothing to divide by. */
export function agreement(counts: {
  both: number;
  only_a: number;
  only_b: number;
  neither: number;
}): string | null {
  const agree = counts.both + counts.neither;
  const all = agree + counts.only_a + counts.only_b;
  if (all === 0) return null;
  return `${String(agree)} of ${String(all)} studies (${String(Math.round((100 * agree) / all))} %)`;
}

const CONCLUSIONS = {
  present: "is there",
  absent: "is not there",
  indeterminate: "cannot be decided",
  not_stated: "not stated",
} as const;

/** What the signed report concluded, and which of two models that disagree said so: "is there, as ich 1.0". */
export function reportWords(one: ComparedCase, a: string, b: string): string {
  if (one.report === null) return "not signed yet";
  const said = CONCLUSIONS[one.report.conclusion];
  const presence = one.report.conclusion;
  if (presence !== "present" && presence !== "absent") return said;
  return `${said}, as ${one.a.presence === presence ? a : b}`;
}
