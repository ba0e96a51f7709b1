import { useId, type KeyboardEvent, type ReactNode } from "react";

import type { ReportSection } from "../../../api/types";
import { Icon } from "../../../ui/icons";
import styles from "./Report.module.css";

interface Props {
  section: ReportSection;
  text: string;
  readOnly: boolean;
  onEdit: (text: string) => void;
  onSuggestion: (id: string, state: "accepted" | "rejected") => void;
}

/** The text with each AI sentence that stands in it underlined; drawn under the transparent field. */
function underlined(text: string, sentences: readonly string[]): ReactNode[] {
  const marks = sentences
    .map((sentence) => ({ sentence, at: text.indexOf(sentence) }))
    .filter(({ sentence, at }) => sentence !== "" && at >= 0)
    .sort((a, b) => a.at - b.at);
  const parts: ReactNode[] = [];
  let from = 0;
  for (const { sentence, at } of marks) {
    if (at < from) continue;
    parts.push(text.slice(from, at), <mark key={at}>{sentence}</mark>);
    from = at + sentence.length;
  }
  parts.push(text.slice(from));
  return parts;
}

/** One section of the report: grows with its text, and offers the AI's sentences quietly below it. */
export function DocumentField({ section, text, readOnly, onEdit, onSuggestion }: Props) {
  const id = useId();
  const open = section.suggestions.filter((one) => one.state === "open");
  const inText = section.suggestions.filter((one) => one.state === "accepted").map((one) => one.inserted);
  const first = open[0];

  const onKeyDown = (event: KeyboardEvent) => {
    if (!event.altKey || !first || readOnly) return;
    if (event.key === "Enter") onSuggestion(first.id, "accepted");
    else if (event.key === "Backspace") onSuggestion(first.id, "rejected");
    else return;
    event.preventDefault();
  };

  return (
    <section className={styles.section} data-testid={`report-section-${section.key}`}>
      <label htmlFor={id}>{section.title}</label>
      <div className={styles.field}>
        <div className={styles.mirror} aria-hidden="true">
          {underlined(text, inText)}{" "}
        </div>
        <textarea
          id={id}
          value={text}
          readOnly={readOnly}
          rows={1}
          spellCheck
          placeholder=" "
          data-field={section.key}
          onChange={(event) => onEdit(event.currentTarget.value)}
          onKeyDown={onKeyDown}
        />
      </div>
      {!readOnly &&
        open.map((suggestion, index) => (
          <div key={suggestion.id} className={styles.suggestion} data-testid="suggestion">
            <span>
              <i>AI</i> {suggestion.text}
            </span>
            <span className={styles.suggestionActions}>
              <button
                type="button"
                tabIndex={-1}
                title={
                  index === 0
                    ? "Take the sentence into the text (Alt+Enter)"
                    : "Take the sentence into the text"
                }
                aria-label={`Accept: ${suggestion.text}`}
                onClick={() => onSuggestion(suggestion.id, "accepted")}
              >
                <Icon name="check" size={12} />
              </button>
              <button
                type="button"
                tabIndex={-1}
                title={index === 0 ? "Delete the sentence (Alt+Backspace)" : "Delete the sentence"}
                aria-label={`Delete: ${suggestion.text}`}
                onClick={() => onSuggestion(suggestion.id, "rejected")}
              >
                <Icon name="cross" size={12} />
              </button>
            </span>
          </div>
        ))}
    </section>
  );
}
