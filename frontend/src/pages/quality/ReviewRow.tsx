import { Link } from "wouter";

import { probabilityText } from "../../ai/wording";
import type { Review } from "../../api/types";
import { formatMoment } from "../../time/dates";
import { AiMark } from "../../ui/AiMark";
import { patientName, personName } from "../../ui/person";
import { modelName } from "./cases";
import styles from "./Quality.module.css";

export type Judgement = "agree" | "disagree" | "positive" | "negative" | "indeterminate";

interface Props {
  review: Review;
  selected: boolean;
  comment: string;
  error: string;
  onSelect: () => void;
  onComment: (text: string) => void;
  onJudge: (judgement: Judgement) => void;
}

const AI_WORDS: Record<Review["ai_result"], string> = {
  positive: "flagged",
  negative: "found nothing",
  not_analysed: "not analysed",
  failed: "failed",
};

const READER_WORDS: Record<Review["reader_result"], string> = {
  positive: "present",
  negative: "absent",
  uncertain: "uncertain",
  not_stated: "not stated",
};

const CONCORDANCE_WORDS: Record<Review["concordance"], string> = {
  concordant: "agree",
  discordant: "differ",
  not_comparable: "not comparable",
};

/** One AI result against one signed report; the selected row opens for a comment and a verdict. */
export function ReviewRow(props: Props) {
  const { review, selected, onJudge } = props;
  return (
    <>
      <tr
        className={styles.row}
        data-testid="review-row"
        data-review={review.id}
        data-study-uid={review.study_instance_uid}
        aria-selected={selected}
        onClick={props.onSelect}
      >
        <td>{formatMoment(review.signed_at)}</td>
        <td>
          <Link href={`/read/${review.study_instance_uid}`}>{patientName(review.patient.name)}</Link>
          <small>{review.study_description}</small>
        </td>
        <td>
          <AiMark quiet={review.ai_result !== "positive"} /> {AI_WORDS[review.ai_result]}
          <small>
            {review.ai_probability !== null && probabilityText(review.ai_probability)} {modelName(review)}
          </small>
        </td>
        <td>
          {READER_WORDS[review.reader_result]}
          <small>{personName(review.signed_by)}</small>
        </td>
        <td className={styles.concordance} data-concordance={review.concordance}>
          {CONCORDANCE_WORDS[review.concordance]}
          <small>{review.sampled && `sampled: ${review.sampled}`}</small>
        </td>
        <td>
          {review.state}
          {review.verdict && `: ${review.verdict}`}
          <small>{review.reviewer && personName(review.reviewer)}</small>
        </td>
        <td className={styles.impression} title={review.impression}>
          <span>{review.impression}</span>
        </td>
        <td className={styles.judge} onClick={(event) => event.stopPropagation()}>
          <button
            type="button"
            data-testid="review-agree"
            aria-pressed={review.state === "agreed"}
            title="Agree with the signed report (A)"
            onClick={() => onJudge("agree")}
          >
            Agree
          </button>
          <button
            type="button"
            data-testid="review-disagree"
            aria-pressed={review.state === "disagreed"}
            title="Disagree with the signed report (D)"
            onClick={() => onJudge("disagree")}
          >
            Disagree
          </button>
        </td>
      </tr>
      {selected && (
        <tr className={styles.detail} data-selected>
          <td colSpan={8}>
            <p className={styles.fullImpression}>{review.impression || "No impression"}</p>
            <div className={styles.detailLine}>
              <textarea
                aria-label="Comment"
                data-testid="review-comment"
                rows={1}
                placeholder="Comment (C)"
                value={props.comment}
                onChange={(event) => props.onComment(event.currentTarget.value)}
              />
              <span role="group" aria-label="Adjudicate" className={styles.judge}>
                Held true:
                {(["positive", "negative", "indeterminate"] as const).map((verdict, index) => (
                  <button
                    key={verdict}
                    type="button"
                    data-testid={`review-${verdict}`}
                    aria-pressed={review.verdict === verdict}
                    onClick={() => onJudge(verdict)}
                  >
                    {index + 1} {verdict}
                  </button>
                ))}
              </span>
            </div>
            {props.error && <p role="alert">{props.error}</p>}
          </td>
        </tr>
      )}
    </>
  );
}
