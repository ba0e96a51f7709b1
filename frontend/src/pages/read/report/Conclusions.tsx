import type { Conclusion, ConclusionValue } from "../../../api/types";
import styles from "./Report.module.css";

const VALUES: { value: Exclude<ConclusionValue, "">; label: string; key: string }[] = [
  { value: "present", label: "Present", key: "1" },
  { value: "absent", label: "Absent", key: "2" },
  { value: "indeterminate", label: "Indeterminate", key: "3" },
];

interface Props {
  conclusions: readonly Conclusion[];
  /** Null once the report is signed, or for those who only read. */
  onConclude: ((code: string, value: ConclusionValue) => void) | null;
}

/** The reader's own answer for each finding a model looked for; what quality later compares AI with. */
export function Conclusions({ conclusions, onConclude }: Props) {
  if (conclusions.length === 0) return null;
  return (
    <section className={styles.section} data-testid="conclusions">
      <span className={styles.label}>{onConclude ? "Your conclusion" : "Conclusion"}</span>
      {conclusions.map((conclusion) => (
        <div key={conclusion.code} className={styles.conclusion} role="group" aria-label={conclusion.meaning}>
          <span>
            {conclusion.meaning}
            {conclusion.required && conclusion.value === "" && <small>needed to sign</small>}
          </span>
          {onConclude ? (
            <span className={styles.values}>
              {VALUES.map(({ value, label, key }) => (
                <button
                  key={value}
                  type="button"
                  data-testid={`conclusion-${value}`}
                  aria-pressed={conclusion.value === value}
                  title={`${label} (${key})`}
                  onClick={() => onConclude(conclusion.code, value)}
                >
                  {label}
                </button>
              ))}
            </span>
          ) : (
            <b>: {conclusion.value || "not stated"}</b>
          )}
        </div>
      ))}
    </section>
  );
}
