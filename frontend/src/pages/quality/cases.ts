import type { QualitySummary, Review } from "../../api/types";

/** Which cases the table shows; the same names stand in the page's address. */
export type View = "queue" | "all" | "discordant" | "tp" | "fp" | "tn" | "fn";

export interface Selection {
  view: View;
  model: string;
}

export const VIEW_WORDS: Record<View, string> = {
  queue: "To review",
  all: "All signed",
  discordant: "AI and report differ",
  tp: "True positive",
  fp: "False positive",
  tn: "True negative",
  fn: "False negative",
};

export function modelName(row: { model: string; model_version?: string; version?: string }): string {
  return `${row.model} ${row.model_version ?? row.version ?? ""}`.trim();
}

/** What is held true of a case: the verdict of QA where there is one, otherwise what was signed. */
export function truthOf(review: Review): string {
  return review.verdict || review.reader_result;
}

/** The field of the 2x2 table a case stands in; null when it cannot be compared. */
export function cellOf(review: Review): "tp" | "fp" | "tn" | "fn" | null {
  const truth = truthOf(review);
  if (truth !== "positive" && truth !== "negative") return null;
  if (review.ai_result === "positive") return truth === "positive" ? "tp" : "fp";
  if (review.ai_result === "negative") return truth === "negative" ? "tn" : "fn";
  return null;
}

function shows(review: Review, { view, model }: Selection): boolean {
  if (model && modelName(review) !== model) return false;
  if (view === "all") return true;
  if (view === "queue") return review.state === "pending" && review.sampled !== "";
  if (view === "discordant") return review.concordance === "discordant";
  return cellOf(review) === view;
}

/** The cases of a selection: pending first, disagreements before the rest, then the latest. */
export function casesOf(reviews: readonly Review[], selection: Selection): Review[] {
  const rank = (review: Review) =>
    (review.state === "pending" ? 0 : 2) + (review.concordance === "discordant" ? 0 : 1);
  return reviews
    .filter((review) => shows(review, selection))
    .sort((a, b) => rank(a) - rank(b) || Date.parse(b.signed_at ?? "") - Date.parse(a.signed_at ?? ""));
}

export function queueLength(reviews: readonly Review[]): number {
  return reviews.filter((review) => shows(review, { view: "queue", model: "" })).length;
}

export const METRICS: {
  key: "sensitivity" | "specificity" | "ppv" | "npv";
  label: string;
  question: string;
}[] = [
  { key: "sensitivity", label: "Sensitivity", question: "of those with the finding, flagged" },
  { key: "specificity", label: "Specificity", question: "of those without it, not flagged" },
  { key: "ppv", label: "PPV", question: "of the flags, right" },
  { key: "npv", label: "NPV", question: "of those not flagged, without it" },
];

/** "60 of 69": the counts behind a proportion. */
export function countsOf(summary: QualitySummary, key: (typeof METRICS)[number]["key"]): string {
  const { tp, fp, tn, fn } = summary;
  const [part, whole] = {
    sensitivity: [tp, tp + fn],
    specificity: [tn, tn + fp],
    ppv: [tp, tp + fp],
    npv: [tn, tn + fn],
  }[key];
  return `${String(part)} of ${String(whole)}`;
}
