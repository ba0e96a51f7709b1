import { Button, Kbd } from "@mantine/core";
import { useState } from "react";

import type { Check } from "../../../api/types";
import type { SaveStatus } from "./session";
import styles from "./Report.module.css";

const STATUS: Record<SaveStatus, string> = {
  saved: "saved",
  changed: "not saved yet",
  saving: "saving…",
  offline: "not saved: no connection. The text is kept on this computer and sent when the server answers.",
  failed: "not saved",
  conflict: "not saved: choose a text above",
};

interface Props {
  status: SaveStatus;
  problem: string;
  checks: readonly Check[];
  signing: boolean;
  /** Why it may not be signed now (images of another study); empty when it may. */
  obstacle: string;
  error: string;
  onSign: (overrides: { code: string; reason: string }[]) => void;
}

/** The last line of the report: whether it is saved, what stands open, and the signature. */
export function SignBar({ status, problem, checks, signing, obstacle, error, onSign }: Props) {
  const [reasons, setReasons] = useState<Record<string, string>>({});
  const asked = checks.filter((check) => check.overridable && check.blocking);
  const fixed = checks.filter((check) => !check.overridable && check.blocking);
  const notes = checks.filter((check) => !check.blocking);
  const complete = asked.every((check) => (reasons[check.code] ?? "").trim() !== "");

  return (
    <div className={styles.signBar}>
      {checks.length > 0 && (
        <section className={styles.checks} aria-label="Open checks" role="alert" data-testid="open-checks">
          <h2>Before you sign</h2>
          {[...fixed, ...notes].map((check) => (
            <p key={check.code} data-blocking={check.blocking}>
              {check.text} {check.blocking ? "This has to be done first." : ""}
            </p>
          ))}
          {asked.map((check, index) => (
            <label key={check.code}>
              {check.text}
              <input
                type="text"
                autoFocus={index === 0}
                data-testid="override-reason"
                placeholder="Reason to sign all the same"
                value={reasons[check.code] ?? ""}
                onChange={(event) => setReasons({ ...reasons, [check.code]: event.currentTarget.value })}
              />
            </label>
          ))}
          {asked.length > 0 && (
            <Button
              data-testid="sign-anyway"
              disabled={!complete || fixed.length > 0 || signing || obstacle !== ""}
              onClick={() =>
                onSign(asked.map(({ code }) => ({ code, reason: (reasons[code] ?? "").trim() })))
              }
            >
              Sign with these reasons
            </Button>
          )}
        </section>
      )}
      {(obstacle || error) && (
        <p className={styles.obstacle} role="alert">
          {obstacle || error}
        </p>
      )}
      <div className={styles.signLine}>
        <span role="status" data-status={status} data-testid="save-status">
          {STATUS[status]}
          {status === "failed" && `: ${problem}`}
        </span>
        <Button
          variant="filled"
          data-testid="sign"
          loading={signing}
          disabled={obstacle !== ""}
          onClick={() => onSign([])}
          rightSection={<Kbd size="xs">Ctrl ↵</Kbd>}
        >
          Sign
        </Button>
      </div>
    </div>
  );
}
