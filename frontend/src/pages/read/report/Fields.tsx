import { useId, useState } from "react";

import type { FieldAnswer, FieldOffer, TemplateField } from "../../../api/types";
import styles from "./Fields.module.css";

export type FieldValue = string | number | string[] | null;

interface Props {
  questions: readonly TemplateField[];
  answers: readonly FieldAnswer[];
  offers: readonly FieldOffer[];
  onAnswer: (key: string, value: FieldValue) => void;
}

/** The structured questions of one section; each answer becomes a sentence of the text above. */
export function Fields({ questions, answers, offers, onAnswer }: Props) {
  const given = (key: string) => answers.find((one) => one.key === key);
  const shown = questions.filter((one) => one.asked || given(one.key));
  if (shown.length === 0) return null;
  return (
    <div className={styles.fields}>
      {shown.map((question) => {
        const answer = given(question.key);
        const offer = answer ? undefined : offers.find((one) => one.key === question.key);
        return (
          <Question
            key={`${question.key}:${JSON.stringify(answer?.value ?? null)}`}
            question={question}
            value={(answer?.value ?? null) as FieldValue}
            measured={(answer?.finding_id ?? "") !== ""}
            offer={offer}
            onAnswer={(value) => onAnswer(question.key, value)}
          />
        );
      })}
    </div>
  );
}

interface QuestionProps {
  question: TemplateField;
  value: FieldValue;
  /** By an AI finding that the reader accepted. */
  measured: boolean;
  offer: FieldOffer | undefined;
  onAnswer: (value: FieldValue) => void;
}

function Question({ question, value, measured, offer, onAnswer }: QuestionProps) {
  const id = useId();
  const missing = question.required && value === null;
  return (
    <div className={styles.question} data-testid={`field-${question.key}`}>
      <label htmlFor={id} title={question.cde ? `RadElement ${question.cde}` : undefined}>
        {question.label}
        {question.required && <small>{missing ? " needed" : ""}</small>}
      </label>
      <Control id={id} question={question} value={value} onAnswer={onAnswer} />
      {question.unit && <span>{question.unit}</span>}
      {measured && <i title="Measured by AI, accepted by you">AI</i>}
      {offer && (
        <button
          type="button"
          className={styles.offer}
          title="Take the value that AI measured"
          onClick={() => onAnswer(offer.value as FieldValue)}
        >
          <i>AI</i> {offer.text} {question.unit}
        </button>
      )}
    </div>
  );
}

interface ControlProps {
  id: string;
  question: TemplateField;
  value: FieldValue;
  onAnswer: (value: FieldValue) => void;
}

function Control({ id, question, value, onAnswer }: ControlProps) {
  const [typed, setTyped] = useState(value === null || Array.isArray(value) ? "" : String(value));
  if (question.type === "choice") {
    return (
      <select
        id={id}
        data-answer={question.key}
        value={typeof value === "string" ? value : ""}
        onChange={(event) => onAnswer(event.currentTarget.value || null)}
      >
        <option value="">–</option>
        {question.choices.map((choice) => (
          <option key={choice.value} value={choice.value}>
            {choice.label}
          </option>
        ))}
      </select>
    );
  }
  if (question.type === "choices") {
    const chosen = Array.isArray(value) ? value : [];
    return (
      <span id={id} role="group" aria-label={question.label} className={styles.choices}>
        {question.choices.map((choice) => {
          const on = chosen.includes(choice.value);
          return (
            <button
              key={choice.value}
              type="button"
              aria-pressed={on}
              data-answer={question.key}
              onClick={() =>
                onAnswer(on ? chosen.filter((one) => one !== choice.value) : [...chosen, choice.value])
              }
            >
              {choice.label}
            </button>
          );
        })}
      </span>
    );
  }
  const commit = () => {
    const text = typed.trim();
    if (text !== (value === null ? "" : String(value))) onAnswer(text === "" ? null : text);
  };
  return (
    <input
      id={id}
      data-answer={question.key}
      inputMode={question.type === "number" ? "decimal" : "text"}
      value={typed}
      onChange={(event) => setTyped(event.currentTarget.value)}
      onBlur={commit}
      onKeyDown={(event) => {
        if (event.key === "Enter" && !event.ctrlKey) commit();
      }}
    />
  );
}
