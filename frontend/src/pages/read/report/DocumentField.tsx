import { useEffect, useId, useRef, useState, type KeyboardEvent, type ReactNode } from "react";

import type { ReportSection } from "../../../api/types";
import { Icon } from "../../../ui/icons";
import { blankAfter, blankBefore, expandMacro, type Macro } from "./blanks";
import { dictate, placeSpeech, type Dictating } from "./dictation";
import styles from "./Report.module.css";

const NO_MACROS: readonly Macro[] = [];

interface Props {
  section: ReportSection;
  text: string;
  readOnly: boolean;
  macros?: readonly Macro[];
  /** Offers the browser's dictation. */
  dictates?: boolean;
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
export function DocumentField(props: Props) {
  const { section, text, readOnly, macros = NO_MACROS, dictates = false, onEdit, onSuggestion } = props;
  const id = useId();
  const area = useRef<HTMLTextAreaElement>(null);
  const select = useRef<{ start: number; end: number } | null>(null);
  const listening = useRef<Dictating | null>(null);
  const [hears, setHears] = useState(false);
  const [problem, setProblem] = useState("");

  // The caret goes where it belongs once React has put the new text into the field.
  useEffect(() => {
    if (!select.current) return;
    area.current?.setSelectionRange(select.current.start, select.current.end);
    select.current = null;
  }, [text]);
  useEffect(() => () => listening.current?.stop(), []);

  const speak = () => {
    if (listening.current) {
      listening.current.stop();
      return;
    }
    setProblem("");
    area.current?.focus();
    listening.current = dictate(
      (spoken) => {
        const field = area.current;
        if (!field) return;
        const placed = placeSpeech(field.value, field.selectionEnd, spoken);
        select.current = { start: placed.caret, end: placed.caret };
        onEdit(placed.text);
      },
      (ended) => {
        listening.current = null;
        setHears(false);
        setProblem(ended);
      },
    );
    setHears(listening.current !== null);
  };

  /** Tab: a macro's name becomes its text, else the next place to fill, else the next field as ever. */
  const fill = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    const field = event.currentTarget;
    if (!event.shiftKey) {
      const made = expandMacro(text, field.selectionStart, macros, section.key);
      if (made && field.selectionStart === field.selectionEnd) {
        event.preventDefault();
        select.current = made;
        onEdit(made.text);
        return;
      }
    }
    const blank = event.shiftKey
      ? blankBefore(text, field.selectionStart)
      : blankAfter(text, field.selectionEnd);
    if (!blank) return;
    event.preventDefault();
    field.setSelectionRange(blank.start, blank.end);
  };
  const open = section.suggestions.filter((one) => one.state === "open");
  const inText = section.suggestions.filter((one) => one.state === "accepted").map((one) => one.inserted);
  const first = open[0];

  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.key === "Tab" && !event.altKey && !event.ctrlKey && !readOnly) {
      fill(event);
      return;
    }
    if (!event.altKey || !first || readOnly) return;
    if (event.key === "Enter") onSuggestion(first.id, "accepted");
    else if (event.key === "Backspace") onSuggestion(first.id, "rejected");
    else return;
    event.preventDefault();
  };

  return (
    <section className={styles.section} data-testid={`report-section-${section.key}`}>
      <label htmlFor={id}>{section.title}</label>
      {dictates && !readOnly && (
        <button
          type="button"
          tabIndex={-1}
          className={styles.dictate}
          aria-pressed={hears}
          aria-label={`Dictate ${section.title}`}
          title="The browser may send what you say to its maker"
          onClick={speak}
        >
          {hears ? "● listening" : "dictate"}
        </button>
      )}
      {problem && (
        <small role="alert" className={styles.obstacle}>
          {problem}
        </small>
      )}
      <div className={styles.field}>
        <div className={styles.mirror} aria-hidden="true">
          {underlined(text, inText)}{" "}
        </div>
        <textarea
          ref={area}
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
