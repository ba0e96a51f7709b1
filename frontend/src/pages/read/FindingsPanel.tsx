import {
  aiLine,
  findingName,
  midlineText,
  milliliters,
  ppvLong,
  probabilityText,
  probabilityWords,
} from "../../ai/wording";
import type { Decision, Finding, TriagePlan, TriageRun, WorklistItem } from "../../api/types";
import { formatMoment } from "../../time/dates";
import { AiMark } from "../../ui/AiMark";
import { Icon, type IconName } from "../../ui/icons";
import styles from "./Read.module.css";

interface Props {
  item: WorklistItem;
  runs: readonly TriageRun[];
  selected: string | null;
  plan?: TriagePlan;
  overlay: boolean;
  /** Opacity of the overlay, 0 to 1. */
  opacity: number;
  mayDecide: boolean;
  onSelect: (finding: Finding) => void;
  onDecide: (finding: Finding, decision: Decision) => void;
  onJump: (finding: Finding) => void;
  onOverlay: () => void;
  onOpacity: (opacity: number) => void;
}

const ACTIONS: { decision: Decision; label: string; key: string; icon: IconName; testid: string }[] = [
  { decision: "accepted", label: "Accept", key: "A", icon: "check", testid: "finding-accept" },
  { decision: "rejected", label: "Reject", key: "R", icon: "cross", testid: "finding-reject" },
  { decision: "uncertain", label: "Uncertain", key: "U", icon: "question", testid: "finding-uncertain" },
];

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Size, side and place; lines break between facts, never inside one. */
function facts(finding: Finding): string {
  const slices =
    finding.slice_from !== null && finding.slice_to !== null
      ? `slices ${String(finding.slice_from)}–${String(finding.slice_to)}`
      : "";
  return [
    finding.volume_ml === null ? "" : milliliters(finding.volume_ml),
    finding.largest_diameter_mm === null ? "" : `${finding.largest_diameter_mm.toFixed(0)} mm across`,
    finding.side,
    finding.subtype,
    midlineText(finding),
    slices,
  ]
    .filter(Boolean)
    .map((fact) => fact.replaceAll(" ", "\u00a0").replace("–", "\u2060–\u2060"))
    .join(" · ");
}

/** The series that a run looked at, by number and description. */
function inputSeries(run: TriageRun, plan: TriagePlan | undefined): string {
  const considered = plan?.models.flatMap((model) => model.series) ?? [];
  const series = considered.find((one) => one.series_instance_uid === run.series_instance_uid);
  const name = series
    ? `series ${[String(series.series_number), series.series_description].filter(Boolean).join(", ")}`
    : "";
  return [name, `${String(run.input_instance_count)} images`].filter(Boolean).join(", ");
}

/** Model and version, what it looked at and when, by which weights and method. */
function provenance(finding: Finding, runs: readonly TriageRun[], plan: TriagePlan | undefined): string {
  const run = runs.find(
    (one) =>
      one.findings.some((its) => its.id === finding.id) ||
      (one.model === finding.model && one.model_version === finding.model_version),
  );
  const method = finding.probability_method && `probability by ${finding.probability_method}`;
  const weights = run?.weights_sha256 ? `weights ${run.weights_sha256.slice(0, 8)}` : "";
  const input = run ? inputSeries(run, plan) : "";
  const time = run?.finished_at ? formatMoment(run.finished_at) : "";
  return [`${finding.model} ${finding.model_version}`, finding.model_state, input, time, weights, method]
    .filter(Boolean)
    .join(" · ");
}

/** What a slower model says of the same; a disagreement stands out, by its words and its tone. */
function SecondOpinion({ finding }: { finding: Finding }) {
  const opinion = finding.second_opinion;
  if (!opinion) return null;
  return (
    <span className={styles.secondOpinion} data-testid="second-opinion" data-agreement={opinion.agreement}>
      {opinion.agreement === "disagree" && <Icon name="question" size={12} />} {capital(opinion.text)}.
    </span>
  );
}

/** What the prior says of it; only what was laid on the prior and has not grown is told quietly. */
function Comparison({ finding }: { finding: Finding }) {
  const { comparison } = finding;
  if (!comparison?.text) return null;
  return (
    <p className={styles.comparison} data-testid="finding-comparison" data-state={comparison.state}>
      {capital(comparison.text)}
    </p>
  );
}

function Card({ finding, ...props }: Omit<Props, "item"> & { finding: Finding }) {
  const p = finding.probability;
  return (
    <div
      className={styles.finding}
      data-testid="finding-card"
      data-finding={finding.id}
      data-selected={props.selected === finding.id || undefined}
      onClick={() => {
        props.onSelect(finding);
        props.onJump(finding);
      }}
    >
      <p className={styles.findingName}>
        <AiMark /> Possible {findingName(finding)}
      </p>
      <p className={styles.findingFigures}>
        {p !== null && (
          <b title={finding.probability_method && `Probability by ${finding.probability_method}`}>
            {capital(probabilityWords(p))}, {probabilityText(p)}
          </b>
        )}
        {facts(finding) && <span>{facts(finding)}</span>}
      </p>
      <Comparison finding={finding} />
      <SecondOpinion finding={finding} />
      <p className={styles.quiet}>{ppvLong(finding.ppv)}</p>
      <p className={styles.quiet} data-testid="provenance">
        {provenance(finding, props.runs, props.plan)}
      </p>
      <div className={styles.findingActions} onClick={(event) => event.stopPropagation()}>
        {ACTIONS.map(({ decision, label, key, icon, testid }) => (
          <button
            key={decision}
            type="button"
            data-testid={testid}
            disabled={!props.mayDecide}
            aria-pressed={finding.decision === decision}
            title={`${label} (${key})`}
            onClick={() => {
              props.onSelect(finding);
              props.onDecide(finding, decision);
            }}
          >
            <Icon name={icon} size={12} /> {label}
          </button>
        ))}
        <button
          type="button"
          data-testid="finding-jump"
          title="Jump to the key slice (J)"
          onClick={() => {
            props.onSelect(finding);
            props.onJump(finding);
          }}
        >
          <Icon name="jump" size={12} /> Jump
        </button>
      </div>
    </div>
  );
}

/** What the AI says, with how sure it is, how good it has been here, and what the reader makes of it. */
export function FindingsPanel(props: Props) {
  const { item } = props;
  const flags = item.findings.filter((finding) => finding.presence === "present");
  const line = aiLine(item);
  const absent = item.findings.filter((finding) => finding.presence === "absent");
  return (
    <section className={styles.block} aria-label="AI findings">
      <header>
        <h2>
          <AiMark /> findings
        </h2>
        {flags.some((finding) => finding.seg_series_instance_uid) && (
          <span className={styles.overlayControls}>
            {props.overlay && (
              <input
                type="range"
                min={5}
                max={100}
                step={5}
                value={Math.round(props.opacity * 100)}
                aria-label="Opacity of the AI overlay"
                title="Opacity ([ fainter, ] stronger)"
                data-testid="overlay-opacity"
                onChange={(event) => props.onOpacity(Number(event.currentTarget.value) / 100)}
              />
            )}
            <button
              type="button"
              className={styles.overlay}
              data-testid="overlay-toggle"
              aria-pressed={props.overlay}
              onClick={props.onOverlay}
              title="AI outline on the images (O)"
            >
              <Icon name="layers" size={12} /> Overlay {props.overlay ? "on" : "off"}
            </button>
          </span>
        )}
      </header>
      {flags.map((finding) => (
        <Card key={finding.id} {...props} finding={finding} />
      ))}
      {flags.length === 0 && (
        <p className={styles.aiLine} data-tone={line.tone} data-testid="ai-line">
          AI: {line.text}
          {line.detail && `, ${line.detail}`}
        </p>
      )}
      {flags.length === 0 &&
        absent.map((finding) => (
          <p key={finding.id} className={styles.quiet}>
            Looked for {findingName(finding)}
            {finding.probability !== null && `, probability ${probabilityText(finding.probability)}`} ·{" "}
            {provenance(finding, props.runs, props.plan)}
            <SecondOpinion finding={finding} />
          </p>
        ))}
    </section>
  );
}
