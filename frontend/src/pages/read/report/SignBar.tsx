import { Button, Kbd } from "@mantine/core";
import { useImperativeHandle, useRef, useState, type Ref } from "react";

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

export interface SignRequest {
  overrides: { code: string; reason: string }[];
  preliminary: boolean;
  password: string;
}

export interface SignBarHandle {
  sign: () => void;
}

/** What a signature of this reader makes of the report. */
export type Signs = "preliminary" | "final" | "cosign";
const WORDS: Record<Signs, string> = { preliminary: "Sign preliminary", final: "Sign", cosign: "Co-sign" };

interface Props {
  ref?: Ref<SignBarHandle>;
  signs: Signs;
  asksPassword: boolean;
  status: SaveStatus;
  problem: string;
  checks: readonly Check[];
  signing: boolean;
  /** Why it may not be signed now (images of another study); empty when it may. */
  obstacle: string;
  error: string;
  onSign: (request: SignRequest) => void;
}

/** The last line of the report: whether it is saved, what stands open, and the signature. */
export function SignBar(props: Props) {
  const { ref, signs, asksPassword, status, problem, checks, signing, obstacle, error, onSign } = props;
  const [reasons, setReasons] = useState<Record<string, string>>({});
  const asked = checks.filter((check) => check.overridable && check.blocking);
  const fixed = checks.filter((check) => !check.overridable && check.blocking);
  const notes = checks.filter((check) => !check.blocking);
  const [password, setPassword] = useState("");
  const field = useRef<HTMLInputElement>(null);
  const [wet, setWet] = useState(false);
  const sign = (overrides: SignRequest["overrides"] = [], asked = false) => {
    const preliminary = asked || signs === "preliminary";
    setWet(preliminary);
    if (asksPassword && password === "") field.current?.focus();
    onSign({ overrides, preliminary, password });
  };
  useImperativeHandle(ref, () => ({ sign: () => sign() }));
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
              onClick={() => {
                const given = asked.map(({ code }) => ({ code, reason: (reasons[code] ?? "").trim() }));
                // The checks answered the last try: a wet read stays one.
                sign(given, wet);
              }}
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
        {asksPassword && (
          <input
            ref={field}
            type="password"
            className={styles.password}
            aria-label="Your password, to sign"
            placeholder="Password to sign"
            autoComplete="current-password"
            data-testid="sign-password"
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
            onKeyDown={(event) => event.key === "Enter" && !event.ctrlKey && sign()}
          />
        )}
        {signs === "final" && (
          <Button
            data-testid="sign-preliminary"
            disabled={obstacle !== "" || signing}
            title="A wet read: others see it as preliminary until it is signed as final"
            onClick={() => sign([], true)}
          >
            Preliminary
          </Button>
        )}
        <Button
          variant="filled"
          data-testid="sign"
          loading={signing}
          disabled={obstacle !== ""}
          onClick={() => sign()}
          rightSection={<Kbd size="xs">Ctrl ↵</Kbd>}
        >
          {WORDS[signs]}
        </Button>
      </div>
    </div>
  );
}
