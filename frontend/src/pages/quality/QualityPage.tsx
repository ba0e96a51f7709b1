import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { useLocation, useSearchParams } from "wouter";

import { explain } from "../../api/client";
import { api, qualitySummaryQuery, reviewsQuery } from "../../api/queries";
import type { Page, Review } from "../../api/types";
import { PageFooter } from "../../app/Shell";
import { useKeys } from "../../keyboard/useKeys";
import { useLiveInterval } from "../../live/live";
import { Empty, Failed, LoadingRows } from "../../ui/states";
import { casesOf, queueLength, VIEW_WORDS, type Selection, type View } from "./cases";
import { ModelSummary } from "./ModelSummary";
import { SignedOver } from "./SignedOver";
import { ReviewRow, type Judgement } from "./ReviewRow";
import styles from "./Quality.module.css";

const TABS: readonly View[] = ["queue", "discordant", "all"];

function judge(id: string, judgement: Judgement, comment: string): Promise<Review> {
  if (judgement === "agree") return api.agree(id, comment);
  if (judgement === "disagree") return api.disagree(id, comment);
  return api.adjudicate(id, judgement, comment);
}

/** Does what AI said agree with what was signed? The queue to judge, and what the judgements add up to. */
export default function QualityPage() {
  const client = useQueryClient();
  const interval = useLiveInterval();
  const [, navigate] = useLocation();
  const [params, setParams] = useSearchParams();
  const reviews = useQuery({ ...reviewsQuery, refetchInterval: interval });
  const summary = useQuery({ ...qualitySummaryQuery, refetchInterval: interval });
  const [selectedId, setSelectedId] = useState<string | null>(null);
  const [comments, setComments] = useState<Record<string, string>>({});
  const [errors, setErrors] = useState<Record<string, string>>({});
  const body = useRef<HTMLTableSectionElement>(null);

  const all = reviews.data?.results ?? [];
  const fallback: View = queueLength(all) > 0 ? "queue" : "all";
  const selection: Selection = {
    view: (params.get("view") as View | null) ?? fallback,
    model: params.get("model") ?? "",
  };
  const cases = casesOf(all, selection);
  const index = Math.max(
    0,
    cases.findIndex((review) => review.id === selectedId),
  );
  const selected = cases[index];

  const select = (next: Selection) => {
    const written = new URLSearchParams({ view: next.view });
    if (next.model) written.set("model", next.model);
    setParams(written, { replace: true });
  };

  const decide = async (review: Review, judgement: Judgement) => {
    setErrors({ ...errors, [review.id]: "" });
    const following = cases[cases.indexOf(review) + 1] ?? cases[cases.indexOf(review) - 1];
    try {
      const judged = await judge(review.id, judgement, (comments[review.id] ?? review.comment).trim());
      if (judged.state !== "pending" && selection.view === "queue") setSelectedId(following?.id ?? null);
      client.setQueryData<Page<Review>>(
        reviewsQuery.queryKey,
        (page) =>
          page && { ...page, results: page.results.map((one) => (one.id === judged.id ? judged : one)) },
      );
      void client.invalidateQueries({ queryKey: ["quality"] });
    } catch (error) {
      setErrors((old) => ({ ...old, [review.id]: explain(error) }));
    }
  };

  const step = (by: number) => {
    const target = cases[Math.min(cases.length - 1, Math.max(0, index + by))];
    if (target) setSelectedId(target.id);
  };

  useKeys("quality", {
    down: () => step(1),
    up: () => step(-1),
    agree: () => selected && void decide(selected, "agree"),
    disagree: () => selected && void decide(selected, "disagree"),
    positive: () => selected && void decide(selected, "positive"),
    negative: () => selected && void decide(selected, "negative"),
    indeterminate: () => selected && void decide(selected, "indeterminate"),
    comment: () => body.current?.querySelector<HTMLElement>("[data-selected] textarea")?.focus(),
    open: () => selected && navigate(`/read/${selected.study_instance_uid}`),
  });

  useEffect(() => {
    body.current?.querySelector("[data-selected]")?.scrollIntoView({ block: "nearest" });
  }, [selected?.id]);

  return (
    <>
      <div className={styles.page}>
        <section className={styles.models} aria-label="Figures by model">
          {summary.isError && <Failed error={summary.error} onRetry={() => void summary.refetch()} />}
          {summary.data?.map((one) => (
            <ModelSummary key={`${one.model}-${one.version}`} summary={one} onSelect={select} />
          ))}
        </section>
        <div className={styles.bar}>
          <h1>Do AI and the signed report agree?</h1>
          <div role="group" aria-label="Cases">
            {[...TABS, ...(TABS.includes(selection.view) ? [] : [selection.view])].map((view) => (
              <button
                key={view}
                type="button"
                aria-pressed={selection.view === view}
                onClick={() => select({ view, model: selection.model })}
              >
                {VIEW_WORDS[view]} <b>{casesOf(all, { view, model: selection.model }).length}</b>
              </button>
            ))}
            {selection.model && (
              <button type="button" onClick={() => select({ view: selection.view, model: "" })}>
                {selection.model} ✕
              </button>
            )}
          </div>
        </div>
        {reviews.isError && <Failed error={reviews.error} onRetry={() => void reviews.refetch()} />}
        {reviews.isPending && <LoadingRows />}
        {reviews.isSuccess && cases.length === 0 && (
          <Empty title={all.length === 0 ? "Nothing has been signed yet" : "No case here"}>
            {all.length === 0
              ? "When a report is signed on a study that AI looked at, the two are compared here."
              : "Choose another group above."}
          </Empty>
        )}
        {cases.length > 0 && (
          <table className={styles.table} aria-label="Cases">
            <thead>
              <tr>
                <th>signed</th>
                <th>patient, study</th>
                <th>AI said</th>
                <th>report says</th>
                <th>agree?</th>
                <th>state</th>
                <th>impression</th>
                <th>your judgement</th>
              </tr>
            </thead>
            <tbody ref={body}>
              {cases.map((review) => (
                <ReviewRow
                  key={review.id}
                  review={review}
                  selected={review.id === selected?.id}
                  comment={comments[review.id] ?? review.comment}
                  error={errors[review.id] ?? ""}
                  onSelect={() => setSelectedId(review.id)}
                  onComment={(text) => setComments({ ...comments, [review.id]: text })}
                  onJudge={(judgement) => void decide(review, judgement)}
                />
              ))}
            </tbody>
          </table>
        )}
        <SignedOver />
      </div>
      <PageFooter>
        ↑ ↓ move · A agree · D disagree · 1 2 3 adjudicate · C comment · Enter open the study
      </PageFooter>
    </>
  );
}
