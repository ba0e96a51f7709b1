import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { erQuery } from "../../api/queries";
import type { ErPatient } from "../../api/types";
import { PageFooter } from "../../app/Shell";
import { useMe } from "../../app/session";
import { useLiveInterval } from "../../live/live";
import { formatMoment } from "../../time/dates";
import { Icon } from "../../ui/icons";
import { patientName, personName } from "../../ui/person";
import { Empty, Failed, LoadingRows } from "../../ui/states";
import { PRIORITIES } from "../worklist/words";
import { AlertCard, Answered, isRinging } from "./AlertCard";
import { AlertLog } from "./AlertLog";
import { BeingTreated } from "./BeingTreated";
import { ChannelStrip } from "./ChannelStrip";
import styles from "./Er.module.css";
import { AiWords, Stage } from "./PatientLine";
import { PushSwitch } from "./PushSwitch";
import { ringKey } from "./ring";
import { useRinging } from "./useRinging";

function PatientRow({ patient }: { patient: ErPatient }) {
  const { alert, report } = patient;
  return (
    <li className={styles.row} data-testid="er-patient" data-study-uid={patient.study_instance_uid}>
      <span className={styles.where}>
        <b>{patient.location || "–"}</b>
        <small>{PRIORITIES[patient.priority_class]}</small>
      </span>
      <span className={styles.who}>
        {patientName(patient.patient.name)}
        <small>
          {patient.patient.age ?? "–"} {patient.patient.sex} · {patient.patient.id}
        </small>
      </span>
      <Stage patient={patient} />
      <span className={styles.news}>
        {alert && !isRinging(alert) && (
          <>
            <Answered alert={alert} />
            <AlertLog alert={alert} folded />
            <BeingTreated alert={alert} />
          </>
        )}
        {report ? (
          <span className={styles.impression}>
            {report.impression || "Signed without an impression"}
            <small>
              {report.state === "preliminary" ? "preliminary, " : ""}signed by {personName(report.signed_by)},{" "}
              {formatMoment(report.signed_at)}
            </small>
          </span>
        ) : (
          <AiWords patient={patient} />
        )}
      </span>
    </li>
  );
}

/** The wall of the emergency room: what rings first, then one line a patient. */
export default function ErPage() {
  const me = useMe();
  const interval = useLiveInterval();
  const patients = useQuery({ ...erQuery, refetchInterval: interval });
  const rows = patients.data ?? [];
  const ringing = rows.filter((row) => isRinging(row.alert));
  const { audible, enable } = useRinging(ringing.flatMap((row) => (row.alert ? [ringKey(row.alert)] : [])));

  return (
    <>
      <div className={styles.page}>
        <div className={styles.top}>
          <h1>{me.department || "Emergency"}</h1>
          {!audible && (
            <Button size="sm" onClick={enable} leftSection={<Icon name="sound" />} data-testid="enable-sound">
              Sound is off: click to switch it on
            </Button>
          )}
        </div>
        <ChannelStrip />
        <PushSwitch />
        {patients.isError && <Failed error={patients.error} onRetry={() => void patients.refetch()} />}
        {patients.isPending && <LoadingRows rows={6} height={72} />}
        <section aria-label="Unanswered alerts" aria-live="assertive">
          {ringing.map(
            (row) => row.alert && <AlertCard key={row.alert.id} patient={row} alert={row.alert} />,
          )}
        </section>
        {patients.isSuccess && rows.length === 0 && (
          <Empty title="No ER patient has images here">
            A patient stands here from the first image. If somebody was scanned and is missing, check that the
            order names your department.
          </Empty>
        )}
        <ul className={styles.rows} aria-label="Patients">
          {rows
            .filter((row) => !isRinging(row.alert))
            .map((row) => (
              <PatientRow key={row.study_instance_uid} patient={row} />
            ))}
        </ul>
      </div>
      <PageFooter>
        <a href="/er?wall">Wall screen</a> · An alert is answered by a name and a read-back, or it goes to the
        next in line.
      </PageFooter>
    </>
  );
}
