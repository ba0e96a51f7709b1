import { aiLine } from "../../ai/wording";
import type { ErPatient } from "../../api/types";
import { useClock } from "../../time/clock";
import { formatElapsed } from "../../time/remaining";
import { AiMark } from "../../ui/AiMark";
import styles from "./Er.module.css";

const STAGES = ["scanned", "complete", "being_read", "signed"] as const;
const STAGE_WORDS: Record<ErPatient["stage"], string> = {
  scanned: "scanning",
  complete: "waits to be read",
  being_read: "being read",
  signed: "read",
};

/** How far the patient's study is, from scan to report, and since when. */
export function Stage({ patient }: { patient: ErPatient }) {
  const since = useClock((now) => formatElapsed(patient.stage_since, now));
  const reached = STAGES.indexOf(patient.stage);
  return (
    <span className={styles.stage} data-stage={patient.stage}>
      <span className={styles.steps} aria-hidden="true">
        {STAGES.map((stage, index) => (
          <i key={stage} data-on={index <= reached || undefined} />
        ))}
      </span>
      {STAGE_WORDS[patient.stage]} <b>{since}</b>
    </span>
  );
}

/** What AI has to say of a patient; where it has not looked, that is said, and why. */
export function aiWords(patient: ErPatient): { tone: ReturnType<typeof aiLine>["tone"]; text: string } {
  const finding = patient.alert?.finding;
  const { tone, text } = aiLine({ ...patient, findings: finding ? [finding] : [] });
  const because = patient.ai_reason ? `: ${patient.ai_reason}` : "";
  switch (patient.ai_status) {
    case "waiting":
      return { tone, text: "has not analysed yet: waiting" };
    case "running":
      return { tone, text: "is looking now" };
    case "failed":
      return { tone, text: `has not analysed, it failed${because}` };
    case "not_analysed":
      return { tone, text: `has not analysed${because}` };
    case "not_applicable":
      return { tone, text: `has not analysed: ${patient.ai_reason || "no model for this study"}` };
    case "done":
    case "hidden":
      return { tone, text };
  }
}

export function AiWords({ patient }: { patient: ErPatient }) {
  const { tone, text } = aiWords(patient);
  return (
    <span className={styles.ai} data-tone={tone}>
      <AiMark quiet={tone !== "flag"} /> {text}
    </span>
  );
}
