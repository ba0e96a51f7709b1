import { Button, NativeSelect, Textarea, TextInput } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { findingName, midlineText, milliliters, probabilityText, probabilityWords } from "../../ai/wording";
import { handTo, peopleQuery } from "../../api/alerting";
import { explain } from "../../api/client";
import { api } from "../../api/queries";
import type { Alert, ErPatient } from "../../api/types";
import { useMe } from "../../app/session";
import { useClock } from "../../time/clock";
import { formatTime } from "../../time/dates";
import { formatElapsed, formatRemaining } from "../../time/remaining";
import { AiMark } from "../../ui/AiMark";
import { Icon } from "../../ui/icons";
import { patientName, personName } from "../../ui/person";
import { AlertLog } from "./AlertLog";
import { Preview } from "./Preview";
import { newlyRaised, ringKey } from "./ring";
import styles from "./Er.module.css";

export function isRinging(alert: Alert | null): alert is Alert {
  return alert !== null && alert.state !== "acknowledged" && alert.state !== "not_rung";
}

function NextStep({ alert }: { alert: Alert }) {
  const left = useClock((now) =>
    alert.next_step ? formatRemaining(Date.parse(alert.next_step.at) - now) : "",
  );
  if (!alert.next_step) return null;
  return (
    <p className={styles.nextStep}>
      Without an answer: {alert.next_step.who} at {formatTime(Date.parse(alert.next_step.at))}
      {left.startsWith("−") ? " (now)" : ` (in ${left})`}
    </p>
  );
}

/** Why a critical finding did not ring: it is known, somebody answered for it then, it has not grown. */
function NotRung({ alert }: { alert: Alert }) {
  return (
    <p className={styles.answered} data-testid="alert-not-rung">
      <AiMark quiet /> Possible {findingName(alert.finding)},{" "}
      {alert.told.at(-1)?.outcome ?? "not rung: known"}
    </p>
  );
}

/** How an answered alert ended. */
export function Answered({ alert }: { alert: Alert }) {
  if (alert.state === "not_rung") return <NotRung alert={alert} />;
  return (
    <p className={styles.answered} data-testid="alert-answered">
      <Icon name="check" /> {alert.acknowledged_name || personName(alert.acknowledged_by)} has it
      {alert.acknowledged_at && `, ${formatTime(Date.parse(alert.acknowledged_at))}`}
      {alert.read_back && <span>: “{alert.read_back}”</span>}
      {alert.being_treated_at && (
        <b data-testid="alert-treated">
          {" "}
          Being treated since {formatTime(Date.parse(alert.being_treated_at))}, says {alert.being_treated_by}
        </b>
      )}
    </p>
  );
}

const READ: Record<ErPatient["stage"], string> = {
  scanned: "not yet read by a radiologist",
  complete: "not yet read by a radiologist",
  being_read: "a radiologist is reading it now",
  signed: "read by a radiologist",
};

type Form = "none" | "have" | "not-mine";

/** A critical finding that somebody has to answer: who it is, what it may be, and two buttons. */
export function AlertCard({ patient, alert }: { patient: ErPatient; alert: Alert }) {
  const me = useMe();
  const client = useQueryClient();
  const [form, setForm] = useState<Form>("none");
  const [name, setName] = useState(me.display_name);
  const [readBack, setReadBack] = useState("");
  const [reason, setReason] = useState("");
  const [to, setTo] = useState("");
  const people = useQuery({ ...peopleQuery, enabled: form === "not-mine" });
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const since = useClock((now) => formatElapsed(alert.raised_at, now));
  const { finding } = alert;
  const named = people.data?.find((one) => one.username === to);

  const send = async (event: FormEvent, action: () => Promise<Alert>) => {
    event.preventDefault();
    setBusy(true);
    setError("");
    try {
      const answered = await action();
      // Who has just passed it on need not be rung for it.
      newlyRaised([ringKey(answered)]);
      client.setQueryData<ErPatient[]>(["er"], (rows) =>
        rows?.map((row) => (row.alert?.id === answered.id ? { ...row, alert: answered } : row)),
      );
      setForm("none");
    } catch (problem) {
      setError(explain(problem));
    } finally {
      setBusy(false);
      void client.invalidateQueries({ queryKey: ["er"] });
    }
  };

  const size = finding.volume_ml === null ? "" : `, about ${milliliters(finding.volume_ml)}`;
  return (
    <article
      className={styles.alert}
      data-testid="alert-card"
      data-alert={alert.id}
      aria-label="Unanswered alert"
    >
      <Preview url={alert.preview_url || patient.preview_url} caption={alert.caption} />
      <div className={styles.alertText}>
        <p className={styles.alertWhere}>
          <b>{alert.location || patient.location || "Location unknown"}</b>
          <span>
            {patientName(alert.patient.name)} · {alert.patient.age ?? "age unknown"} {alert.patient.sex}
          </span>
          <span className={styles.since}>
            <Icon name="danger" size={18} /> {since} without an answer
          </span>
        </p>
        <p className={styles.alertFinding}>
          <AiMark /> Possible {findingName(finding)}
          {finding.side && `, ${finding.side}`}
          {size}
          <span>
            {[
              finding.probability === null
                ? ""
                : `${probabilityWords(finding.probability)} (${probabilityText(finding.probability)})`,
              midlineText(finding),
              finding.comparison?.text ?? "",
              READ[patient.stage],
            ]
              .filter(Boolean)
              .join(", ")}
          </span>
        </p>
        {patient.report && (
          <p className={styles.impression}>
            {patient.report.state === "preliminary" ? "Preliminary report" : "Report"}:{" "}
            {patient.report.impression}
          </p>
        )}
        <p className={styles.ids}>
          ID {alert.patient.id} · accession {alert.accession_number || "none"}
        </p>
        <AlertLog alert={alert} />
        <NextStep alert={alert} />
        {form === "none" && (
          <div className={styles.answers}>
            <Button
              size="lg"
              variant="filled"
              data-testid="alert-acknowledge"
              onClick={() => setForm("have")}
            >
              I have it
            </Button>
            <Button size="lg" data-testid="alert-not-mine" onClick={() => setForm("not-mine")}>
              Not my patient
            </Button>
          </div>
        )}
        {form === "have" && (
          <form
            className={styles.form}
            onSubmit={(event) =>
              void send(event, () => api.acknowledge(alert.id, name.trim(), readBack.trim()))
            }
          >
            <TextInput
              size="md"
              label="Your name"
              data-testid="alert-name"
              required
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
            />
            <Textarea
              size="md"
              label="Read back: repeat the patient and the finding"
              data-testid="alert-readback"
              required
              autoFocus
              rows={3}
              value={readBack}
              onChange={(event) => setReadBack(event.currentTarget.value)}
            />
            <div className={styles.answers}>
              <Button
                size="lg"
                type="submit"
                variant="filled"
                data-testid="alert-confirm"
                loading={busy}
                disabled={name.trim() === "" || readBack.trim() === ""}
              >
                I take care of this patient
              </Button>
              <Button size="lg" onClick={() => setForm("none")}>
                Back
              </Button>
            </div>
          </form>
        )}
        {form === "not-mine" && (
          <form
            className={styles.form}
            onSubmit={(event) =>
              void send(event, () =>
                to === "" ? api.notMyPatient(alert.id, reason.trim()) : handTo(alert.id, reason.trim(), to),
              )
            }
          >
            <TextInput
              size="md"
              label="Why not?"
              data-testid="alert-reason"
              required
              autoFocus
              maxLength={180}
              placeholder="Transferred to ICU"
              value={reason}
              onChange={(event) => setReason(event.currentTarget.value)}
            />
            <NativeSelect
              size="md"
              label="Whose patient is it? They are told at once, by every way"
              data-testid="alert-to"
              value={to}
              onChange={(event) => setTo(event.currentTarget.value)}
            >
              <option value="">I do not know: tell the next in line</option>
              {(people.data ?? [])
                .filter((one) => one.username !== me.username)
                .map((one) => (
                  <option key={one.username} value={one.username}>
                    {personName(one)}
                  </option>
                ))}
            </NativeSelect>
            {people.isError && (
              <p className={styles.error} role="alert">
                {explain(people.error)} The next in line can be told all the same.
              </p>
            )}
            <div className={styles.answers}>
              <Button
                size="lg"
                type="submit"
                variant="filled"
                data-testid="alert-decline"
                loading={busy}
                disabled={reason.trim() === ""}
              >
                {named ? `Tell ${personName(named)}` : "Tell the next in line"}
              </Button>
              <Button size="lg" onClick={() => setForm("none")}>
                Back
              </Button>
            </div>
          </form>
        )}
        {error && (
          <p className={styles.error} role="alert">
            {error}
          </p>
        )}
      </div>
    </article>
  );
}
