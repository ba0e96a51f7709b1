import { Button, Textarea } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { explain } from "../../api/client";
import { api, modelQuery } from "../../api/queries";
import type { ModelDetail } from "../../api/types";
import { personName } from "../../ui/person";
import { MOVE_WORDS } from "./words";
import styles from "./Models.module.css";

type Step = "approve" | "shadow" | "live" | "retired";

/** What each step does to people's work, said before it is done. */
const CONSEQUENCES: Record<Step, string> = {
  approve: "You say that it may go live. Another administrator has to move it.",
  shadow: "It looks at studies that arrive from now on. Readers see none of its results.",
  live: "From now on its results raise studies and ring in the ER.",
  retired: "Runs that wait for it end as not analysed, and the list says so. It starts no new ones.",
};

/** Approve or move, with a reason that stands on record. */
export function Decide({ model }: { model: ModelDetail }) {
  const client = useQueryClient();
  const [step, setStep] = useState<Step | null>(null);
  const [reason, setReason] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");

  const steps: { step: Step; label: string; blocked: string }[] = [
    ...(model.state === "shadow"
      ? [
          {
            step: "approve" as const,
            label: "Approve for live",
            blocked: model.may_approve ? "" : "You have approved it already: another administrator moves it.",
          },
        ]
      : []),
    ...model.moves.map((state) => ({
      step: state as Step,
      label: MOVE_WORDS[state] ?? state,
      blocked:
        state === "live" && !model.may_go_live
          ? "Needs the approval of another administrator than the one who moves it."
          : "",
    })),
  ];

  const confirm = async () => {
    if (!step) return;
    setBusy(true);
    setError("");
    try {
      const changed =
        step === "approve"
          ? await api.approveModel(model.id, reason.trim())
          : await api.moveModel(model.id, step, reason.trim());
      client.setQueryData(modelQuery(model.id).queryKey, changed);
      void client.invalidateQueries({ queryKey: ["models"] });
      setStep(null);
      setReason("");
    } catch (failure) {
      setError(explain(failure));
    } finally {
      setBusy(false);
    }
  };

  return (
    <section className={styles.decide} aria-label="Decide">
      {model.approved_by.length > 0 && (
        <p>Approved for live by {model.approved_by.map(personName).join(", ")}.</p>
      )}
      <div className={styles.steps}>
        {steps.map((one) => (
          <Button
            key={one.step}
            aria-pressed={step === one.step}
            disabled={one.blocked !== ""}
            title={one.blocked || CONSEQUENCES[one.step]}
            onClick={() => setStep(one.step)}
          >
            {one.label}…
          </Button>
        ))}
      </div>
      {steps
        .filter((one) => one.blocked)
        .map((one) => (
          <p key={one.step}>
            {one.label}: {one.blocked}
          </p>
        ))}
      {step && (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void confirm();
          }}
        >
          <p>{CONSEQUENCES[step]}</p>
          <Textarea
            label="Why? It stands on record with your name."
            value={reason}
            maxLength={500}
            rows={3}
            autoFocus
            onChange={(event) => setReason(event.currentTarget.value)}
          />
          <div className={styles.steps}>
            <Button type="submit" disabled={reason.trim() === "" || busy}>
              {step === "approve" ? "Approve" : MOVE_WORDS[step]}
            </Button>
            <Button variant="subtle" onClick={() => setStep(null)}>
              Leave it
            </Button>
          </div>
        </form>
      )}
      {error && <p role="alert">{error}</p>}
    </section>
  );
}
