import styles from "./AiMark.module.css";

/** The violet mark that goes before everything an AI said; quiet where the AI raised nothing. */
export function AiMark({ quiet = false }: { quiet?: boolean }) {
  return (
    <span className={styles.mark} data-quiet={quiet || undefined}>
      AI
    </span>
  );
}
