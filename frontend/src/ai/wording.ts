import type { AiStatus, Finding, Ppv, Proportion, WorklistItem } from "../api/types";

/**
 * What the pages say about AI. Two rules hold everywhere: nothing found is told with the model's name and is
 * never called normal or negative, and an absent answer is told as absent, with its reason.
 */
const NAMES: Record<string, string> = {
  "1386000": "intracranial hemorrhage",
};

export function findingName(finding: Finding): string {
  return NAMES[finding.code] ?? finding.meaning.toLowerCase();
}

export function percent(value: number): string {
  return `${String(Math.round(value * 100))} %`;
}

export function milliliters(value: number): string {
  return `${value < 10 ? value.toFixed(1) : String(Math.round(value))} mL`;
}

/** Shift of the midline with its uncertainty; "" for one that the uncertainty covers, for AI denies nothing. */
export function midlineText(finding: Finding): string {
  const { midline_shift_mm: shift, midline_shift_uncertainty_mm: within } = finding;
  if (shift === null) return "";
  const about = within === null ? "" : ` ± ${within.toFixed(0)}`;
  if (Math.abs(shift) <= Math.max(within ?? 0, 1)) return "";
  return `midline shift ${Math.abs(shift).toFixed(0)}${about} mm to the ${shift > 0 ? "left" : "right"}`;
}

/** Words for a probability, so that two readers take the number the same way. */
export function probabilityWords(p: number): string {
  if (p >= 0.9) return "very likely";
  if (p >= 0.7) return "likely";
  if (p >= 0.4) return "possible";
  if (p >= 0.2) return "less likely";
  return "unlikely";
}

/** Two decimals, and never a certainty that rounding made up. */
export function probabilityText(p: number): string {
  if (p < 0.005) return "< 0.01";
  return p > 0.995 ? "> 0.99" : p.toFixed(2);
}

export function ppvShort(ppv: Ppv | null): string {
  return ppv && ppv.flags > 0 ? `PPV ${percent(ppv.value)} (of ${String(ppv.flags)})` : "no local PPV yet";
}

export function interval(p: Proportion): string {
  return `${percent(p.value)} (95 % interval ${percent(p.low)} to ${percent(p.high)})`;
}

export function ppvLong(ppv: Ppv | null): string {
  if (!ppv || ppv.flags === 0) return "No local figures yet: no flag of this model has been reviewed here.";
  const were = ppv.true_flags === 1 ? "was" : "were";
  const share = `of ${String(ppv.flags)} such flags here, ${String(ppv.true_flags)} ${were} true`;
  return `PPV ${interval(ppv)}; ${share}${ppv.flags < 30 ? "; small sample" : ""}`;
}

export interface AiLine {
  tone: "flag" | "clear" | "pending" | "missing" | "none";
  /** The statement itself; always shown after the label "AI". */
  text: string;
  /** Figures behind it, quiet, on the second line. */
  detail: string;
}

interface AiCarrier {
  ai_status: AiStatus;
  ai_hidden?: WorklistItem["ai_hidden"];
  ai_reason: string;
  findings: Finding[];
}

function size(finding: Finding): string {
  if (finding.volume_ml !== null) return milliliters(finding.volume_ml);
  return finding.largest_diameter_mm === null ? "" : `${finding.largest_diameter_mm.toFixed(0)} mm`;
}

/** The finding that speaks for the study: the most probable one that is present. */
export function leadFinding(findings: readonly Finding[]): Finding | undefined {
  return findings
    .filter((finding) => finding.presence === "present")
    .reduce<Finding | undefined>(
      (best, one) => (best && (best.probability ?? 0) >= (one.probability ?? 0) ? best : one),
      undefined,
    );
}

export function flagFigures(finding: Finding): string {
  const p = finding.probability === null ? "" : probabilityText(finding.probability);
  return [p, size(finding), ppvShort(finding.ppv)].filter(Boolean).join(" · ");
}

/** How many other findings a study has, by name: two boxes of one kind are one kind of finding. */
function andMore(findings: readonly Finding[], lead: Finding): string {
  const names = new Set(findings.filter((one) => one.presence === "present").map(findingName));
  names.delete(findingName(lead));
  return names.size > 0 ? `, ${String(names.size)} more` : "";
}

/** What the AI column says for a study. */
export function aiLine(item: AiCarrier): AiLine {
  const lead = leadFinding(item.findings);
  if (lead) {
    const name = `possible ${findingName(lead)}`;
    const judged = lead.decision ? ` (${lead.decision})` : "";
    return {
      tone: "flag",
      text: `${name}${judged}${andMore(item.findings, lead)}`,
      detail: flagFigures(lead),
    };
  }
  const reason = item.ai_reason ? `: ${item.ai_reason}` : "";
  switch (item.ai_status) {
    case "hidden":
      return {
        tone: "none",
        text:
          item.ai_hidden === "after_first_look"
            ? "hidden until your first look"
            : "hidden until the signature",
        detail: "",
      };
    case "waiting":
      return { tone: "pending", text: "waiting", detail: item.ai_reason };
    case "running":
      return { tone: "pending", text: "running", detail: item.ai_reason };
    case "failed":
      return { tone: "missing", text: `failed${reason}`, detail: "" };
    case "not_analysed":
      return { tone: "missing", text: `not analysed${reason}`, detail: "" };
    case "not_applicable":
      return { tone: "none", text: `no model for this study${reason}`, detail: "" };
    case "done": {
      const models = [...new Set(item.findings.map((f) => `${f.model} ${f.model_version}`.trim()))];
      const by = models.length > 0 ? models.join(", ") : "the model";
      return { tone: "clear", text: `nothing found by ${by}`, detail: "" };
    }
  }
}
