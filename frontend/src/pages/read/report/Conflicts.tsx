import { Button } from "@mantine/core";

import type { Report } from "../../../api/types";
import { personName } from "../../../ui/person";
import { diffWords, type Conflict } from "./merge";
import styles from "./Report.module.css";

interface Props {
  report: Report;
  conflicts: readonly Conflict[];
  onResolve: (key: string, text: string) => void;
}

/** Both texts of a section that two people changed, with the difference marked, and three ways out. */
export function Conflicts({ report, conflicts, onResolve }: Props) {
  return conflicts.map((conflict) => {
    const title = report.sections.find((section) => section.key === conflict.key)?.title ?? conflict.key;
    const parts = diffWords(conflict.mine, conflict.theirs);
    return (
      <section key={conflict.key} className={styles.conflict} role="alert" data-testid="conflict">
        <p>
          <b>{title}</b> was changed by {personName(report.updated_by)} while you wrote. Nothing is lost:
          choose the text to keep.
        </p>
        <h3>Yours</h3>
        <p className={styles.side}>
          {parts
            .filter((part) => part.in !== "theirs")
            .map((part, index) => (part.in === "mine" ? <ins key={index}>{part.text}</ins> : part.text))}
        </p>
        <h3>{personName(report.updated_by)}&apos;s</h3>
        <p className={styles.side}>
          {parts
            .filter((part) => part.in !== "mine")
            .map((part, index) => (part.in === "theirs" ? <ins key={index}>{part.text}</ins> : part.text))}
        </p>
        <div className={styles.choices}>
          <Button onClick={() => onResolve(conflict.key, conflict.mine)}>Keep mine</Button>
          <Button onClick={() => onResolve(conflict.key, conflict.theirs)}>Take theirs</Button>
          <Button onClick={() => onResolve(conflict.key, `${conflict.theirs}\n${conflict.mine}`.trim())}>
            Keep both
          </Button>
        </div>
      </section>
    );
  });
}
