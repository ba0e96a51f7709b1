import type { Finding, Report, Review, WorklistItem } from "../api/types";

export function finding(part: Partial<Finding> = {}): Finding {
  return {
    id: "1",
    code: "1386000",
    scheme: "SCT",
    meaning: "Intracranial hemorrhage",
    presence: "present",
    probability: 0.93,
    probability_method: "logistic on log volume and peak",
    volume_ml: 31.2,
    largest_diameter_mm: 48,
    side: "left",
    subtype: "",
    midline_shift_mm: null,
    midline_shift_uncertainty_mm: null,
    comparison: null,
    slice_from: 14,
    slice_to: 22,
    key_sop_instance_uid: "1.2.3",
    key_series_instance_uid: "1.2",
    model: "ich_demo",
    model_version: "0.1.0",
    model_state: "live",
    seg_sop_instance_uid: "1.2.4",
    seg_series_instance_uid: "1.2.5",
    ppv: { value: 0.71, low: 0.61, high: 0.8, flags: 84, true_flags: 60 },
    decision: null,
    second_opinion: null,
    ...part,
  };
}

export const NOON = Date.parse("2026-11-24T12:00:00Z");

/** A worklist item due `minutes` after noon. */
export function item(id: string, minutes: number, part: Partial<WorklistItem> = {}): WorklistItem {
  return {
    id,
    version: 1,
    study_instance_uid: `1.2.${id}`,
    accession_number: `ACC${id}`,
    modality: "CT",
    study_description: "SYNTHETIC head",
    study_date: "2026-11-24",
    body_part: "HEAD",
    patient: { id: `P${id}`, name: `SYNTHETIC^${id}`, birth_date: "1955-03-04", age: "71 Y", sex: "F" },
    priority_class: "routine",
    location_class: "outpatient",
    location: "Ward 1",
    reason_for_exam: "Fall",
    state: "open",
    claimed_by: null,
    claim_expires_at: null,
    is_mine: false,
    arrived_at: "2026-11-24T11:00:00Z",
    completed_at: null,
    study_state: "complete",
    number_of_series: 1,
    number_of_instances: 40,
    due_at: new Date(NOON + minutes * 60_000).toISOString(),
    due_without_ai_at: new Date(NOON + minutes * 60_000).toISOString(),
    reasons: [{ code: "order", text: "Routine from outpatient", minutes: 1440 }],
    ai_status: "not_applicable",
    ai_reason: "",
    findings: [],
    prior_count: 0,
    report_id: null,
    report_state: null,
    first_opened_at: null,
    signed_at: null,
    ...part,
  };
}

export function report(version: number, texts: Record<string, string>, part: Partial<Report> = {}): Report {
  return {
    id: "7",
    study_instance_uid: "1.2.1",
    state: "draft",
    version,
    sections: Object.entries(texts).map(([key, text]) => ({ key, title: key, text, suggestions: [] })),
    conclusions: [],
    created_at: "2026-11-24T12:00:00Z",
    updated_at: "2026-11-24T12:00:00Z",
    updated_by: { username: "b", display_name: "Dr. B" },
    signed_by: null,
    signed_at: null,
    checks: [],
    decisions: {},
    history: [],
    ai_models: [],
    ...part,
  };
}

export function review(id: string, part: Partial<Review> = {}): Review {
  return {
    id,
    study_instance_uid: `1.2.${id}`,
    report_id: id,
    patient: { id, name: `SYNTHETIC^${id}`, birth_date: null, age: null, sex: "" },
    study_description: "SYNTHETIC head",
    model: "ich_demo",
    model_version: "0.1.0",
    ai_result: "positive",
    ai_probability: 0.9,
    reader_result: "positive",
    concordance: "concordant",
    sampled: "",
    state: "pending",
    created_at: "2026-11-24T12:00:00Z",
    impression: "",
    signed_by: null,
    signed_at: "2026-11-24T12:00:00Z",
    reviewer: null,
    reviewed_at: null,
    verdict: "",
    comment: "",
    ...part,
  };
}
