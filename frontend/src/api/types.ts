/** The shapes of /api/. Times are ISO 8601 in UTC; volumes mL; diameters mm; probabilities 0 to 1. */

export type Role = "radiologist" | "er_staff" | "qa_reviewer" | "pacs_administrator" | "service";
export type PriorityClass = "stat" | "asap" | "routine";
export type LocationClass = "er" | "icu" | "inpatient" | "outpatient";
export type ItemState = "open" | "claimed" | "signed";
export type AiStatus = "not_applicable" | "waiting" | "running" | "done" | "failed" | "not_analysed";
export type Decision = "accepted" | "rejected" | "uncertain";

export interface Page<T> {
  count: number;
  next: string | null;
  previous: string | null;
  results: T[];
}

export interface Person {
  username: string;
  display_name: string;
}

export interface Me extends Person {
  roles: Role[];
  department: string;
  time_zone: string;
  idle_timeout_s: number;
  site: { name: string; ae_title: string; not_for_clinical_use: boolean };
}

export interface Patient {
  id: string;
  name: string;
  birth_date: string | null;
  age: string | null;
  sex: string;
}

/** A proportion with its 95 % interval. */
export interface Proportion {
  value: number;
  low: number;
  high: number;
}

export interface Ppv extends Proportion {
  flags: number;
  true_flags: number;
}

export interface Finding {
  id: string;
  code: string;
  scheme: string;
  meaning: string;
  presence: "present" | "absent";
  probability: number | null;
  volume_ml: number | null;
  largest_diameter_mm: number | null;
  side: string;
  subtype: string;
  slice_from: number | null;
  slice_to: number | null;
  key_sop_instance_uid: string;
  key_series_instance_uid: string;
  model: string;
  model_version: string;
  model_state: string;
  seg_sop_instance_uid: string;
  seg_series_instance_uid: string;
  ppv: Ppv | null;
  decision: Decision | null;
}

export interface Reason {
  code: string;
  text: string;
  minutes: number | null;
}

export interface WorklistItem {
  id: string;
  version: number;
  study_instance_uid: string;
  accession_number: string;
  modality: string;
  study_description: string;
  study_date: string | null;
  body_part: string;
  patient: Patient;
  priority_class: PriorityClass;
  location_class: LocationClass;
  location: string;
  reason_for_exam: string;
  state: ItemState;
  claimed_by: Person | null;
  claim_expires_at: string | null;
  is_mine: boolean;
  arrived_at: string;
  completed_at: string | null;
  study_state: "receiving" | "complete";
  number_of_series: number;
  number_of_instances: number;
  due_at: string;
  due_without_ai_at: string;
  reasons: Reason[];
  ai_status: AiStatus;
  ai_reason: string;
  findings: Finding[];
  prior_count: number;
  report_id: string | null;
  report_state: string | null;
  first_opened_at: string | null;
  signed_at: string | null;
}

export interface WorklistSummary {
  open: number;
  unclaimed: number;
  mine: number;
  stat: number;
  er: number;
  ai_flags: number;
  due_30_min: number;
  signed_today: number;
}

export interface RankChange {
  at: string;
  due_at: string;
  reasons: Reason[];
  cause: string;
}

export interface Prior {
  study_instance_uid: string;
  study_date: string | null;
  modality: string;
  study_description: string;
  report_state: string | null;
  impression: string;
}

export interface TriageRun {
  id: string;
  study_instance_uid: string;
  series_instance_uid: string;
  state: "waiting" | "running" | "done" | "failed" | "not_analysed" | "stale";
  model: string;
  model_version: string;
  model_state: string;
  weights_sha256: string;
  input_instance_count: number;
  attempts: number;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  outcome: string;
  outcome_reason: string;
  findings: Finding[];
}

export interface Alert {
  id: string;
  study_instance_uid: string;
  patient: Patient;
  accession_number: string;
  location: string;
  department: string;
  finding: Finding;
  state: "raised" | "escalated" | "acknowledged";
  raised_at: string;
  deadline_at: string | null;
  rung: number;
  told: { at: string; who: string; channel: string; outcome: string }[];
  next_step: { at: string; who: string } | null;
  acknowledged_by: Person | null;
  acknowledged_name: string;
  acknowledged_at: string | null;
  read_back: string;
  preview_url: string;
  caption: string;
}

export interface ErPatient {
  study_instance_uid: string;
  patient: Patient;
  accession_number: string;
  location: string;
  priority_class: PriorityClass;
  stage: "scanned" | "complete" | "being_read" | "signed";
  stage_since: string;
  arrived_at: string;
  ai_status: AiStatus;
  ai_reason: string;
  alert: Alert | null;
  preview_url: string;
  report: { id: string; impression: string; signed_at: string; signed_by: Person | string | null } | null;
}

export interface Suggestion {
  id: string;
  text: string;
  finding_id: string;
  /** What taking it put into the text, exactly; empty when nothing. */
  inserted: string;
  state: "open" | "accepted" | "rejected";
}

export interface ReportSection {
  key: string;
  title: string;
  text: string;
  suggestions: Suggestion[];
}

/** The reader's answer whether a finding that a model looked for is there. */
export interface Conclusion {
  code: string;
  scheme: string;
  meaning: string;
  value: ConclusionValue;
  required: boolean;
}

export type ConclusionValue = "present" | "absent" | "indeterminate" | "";

export interface Check {
  code: string;
  text: string;
  blocking: boolean;
  overridable: boolean;
}

export interface Report {
  id: string;
  study_instance_uid: string;
  state: "draft" | "preliminary" | "final" | "addendum" | "corrected";
  version: number;
  sections: ReportSection[];
  conclusions: Conclusion[];
  created_at: string;
  updated_at: string;
  updated_by: Person | string | null;
  signed_by: Person | string | null;
  signed_at: string | null;
  checks: Check[];
  decisions: Record<string, Decision>;
  history: { version: number; at: string; by: Person | string | null; action: string }[];
  ai_models: { name: string; version: string }[];
}

export interface Review {
  id: string;
  study_instance_uid: string;
  report_id: string;
  patient: Patient;
  study_description: string;
  model: string;
  model_version: string;
  ai_result: "positive" | "negative" | "not_analysed" | "failed";
  ai_probability: number | null;
  reader_result: "positive" | "negative" | "uncertain" | "not_stated";
  concordance: "concordant" | "discordant" | "not_comparable";
  /** Why QA looks at it; empty when it is not in the queue. */
  sampled: "discordant" | "random" | "";
  state: "pending" | "agreed" | "disagreed" | "adjudicated";
  created_at: string;
  impression: string;
  signed_by: Person | string | null;
  signed_at: string | null;
  reviewer: Person | string | null;
  reviewed_at: string | null;
  verdict: string;
  comment: string;
}

export interface QualitySummary {
  model: string;
  version: string;
  state: string;
  n: number;
  tp: number;
  fp: number;
  tn: number;
  fn: number;
  sensitivity: Proportion | null;
  specificity: Proportion | null;
  ppv: Proportion | null;
  npv: Proportion | null;
  small_sample: boolean;
}

export interface UploadResult {
  received: number;
  stored: number;
  duplicates: number;
  quarantined: { name: string; reason: string }[];
  refused: { name: string; reason: string }[];
  studies: string[];
}

export interface Study {
  study_instance_uid: string;
  accession_number: string;
  patient: Patient;
  modalities: string[];
  study_description: string;
  study_date: string | null;
  number_of_series: number;
  number_of_instances: number;
  state: string;
  received_at: string;
}

export interface QuarantinedInstance {
  id: string;
  received_at: string;
  source: string;
  sop_instance_uid: string;
  study_instance_uid: string;
  reason: string;
}

/** An RFC 9457 problem document; servers add further members by the kind of problem. */
export interface ProblemDocument {
  type?: string;
  title: string;
  status: number;
  detail?: string;
  holder?: Person | null;
  claim_expires_at?: string | null;
  current?: Report;
  checks?: Check[];
}
