import styles from "./AiMark.module.css";

/** The violet mark that goes before everything an AI said. */
export function AiMark() {
  return <span className={styles.mark}>AI</span>;
}
