import type { Prior, WorklistItem } from "../../api/types";
import { formatDay, formatTime } from "../../time/dates";
import { patientName } from "../../ui/person";
import { TimeLeft } from "../worklist/TimeLeft";
import type { Shown } from "./bridge";
import styles from "./Read.module.css";

export type Match = "match" | "prior" | "mismatch" | "unknown";

/** Whether the images on screen are the study that the banner and the report are about. */
export function matchOf(uid: string, shown: Shown | null, priors: readonly Prior[]): Match {
  if (!shown) return "unknown";
  if (shown.studyInstanceUID === uid) return "match";
  return priors.some((prior) => prior.study_instance_uid === shown.studyInstanceUID) ? "prior" : "mismatch";
}

interface Props {
  item: WorklistItem;
  match: Match;
  shownPrior: Prior | undefined;
  readOnlyReason: string;
  takenOver: boolean;
  mayEdit: boolean;
  onClaim: (() => void) | null;
  onRelease: () => void;
  onBack: () => void;
}

/** Whose images and whose report these are. Everything in it comes from one record, so it changes as one. */
export function PatientBanner(props: Props) {
  const { item, match, shownPrior } = props;
  const { patient } = item;
  return (
    <>
      <header className={styles.banner} aria-label="Patient" data-testid="patient-banner" data-match={match}>
        <button type="button" onClick={props.onBack} title="Back to the list (B)">
          ← List
        </button>
        <b className={styles.name} title={patient.name}>
          {patientName(patient.name)}
        </b>
        <span>
          born {formatDay(patient.birth_date)} ({patient.age ?? "age unknown"})
        </span>
        <span>{patient.sex || "sex unknown"}</span>
        <span>ID {patient.id}</span>
        <span>Acc {item.accession_number || "none"}</span>
        <span className={styles.studyName}>
          {item.modality} {item.study_description}
        </span>
        <span className={styles.bannerEnd}>
          <TimeLeft item={item} />
          {props.mayEdit && (
            <>
              <span className={styles.mine}>
                yours{item.claim_expires_at && ` until ${formatTime(Date.parse(item.claim_expires_at))}`}
              </span>
              <button type="button" data-testid="release" onClick={props.onRelease}>
                Release
              </button>
            </>
          )}
          {!props.mayEdit && props.onClaim && item.state === "open" && (
            <button type="button" data-testid="claim" onClick={props.onClaim}>
              Claim
            </button>
          )}
        </span>
      </header>
      {match === "mismatch" && (
        <div className={styles.mismatch} role="alert" data-testid="mismatch">
          The images on screen belong to another study than this patient and report. Do not read on: go back
          to the list and open the study again.
        </div>
      )}
      {match === "prior" && (
        <div className={styles.priorShown} role="status">
          On screen: a prior of this patient, {shownPrior?.modality} of{" "}
          {formatDay(shownPrior?.study_date ?? null)}
        </div>
      )}
      {props.readOnlyReason && (
        <div
          className={styles.readOnly}
          role={props.takenOver ? "alert" : "status"}
          data-taken-over={props.takenOver || undefined}
          data-testid="read-only"
        >
          {props.readOnlyReason}
        </div>
      )}
    </>
  );
}
