import type { Model, ModelDetail } from "../api/types";

/** A model for tests: a bleed detector that runs as shadow. */
export function model(id: string, change: Partial<Model> = {}): Model {
  return {
    id,
    name: "ich",
    version: "1.0",
    kind: "segmentation",
    dimensions: "3",
    format: "monai",
    state: "shadow",
    state_changed_at: "2026-11-24T10:00:00Z",
    registered_at: "2026-11-24T10:00:00Z",
    intended_use: "Tests.",
    targets: [
      {
        name: "intracranial-hemorrhage",
        code: "1386000",
        scheme: "SCT",
        meaning: "Intracranial hemorrhage",
        subtype: "",
        criticality: "critical",
        rank_threshold: 0.3,
        alert_threshold: 0.6,
        probability_method: "logistic on log volume and peak",
      },
    ],
    looks_at: ["CT: HEAD or not named"],
    runs: {
      waiting: 0,
      positive: 3,
      negative: 20,
      not_analysed: 1,
      failed: 0,
      last_finished_at: "2026-11-24T11:00:00Z",
      last_runtime: "openvino",
    },
    approved_by: [],
    ...change,
  };
}

/** The same with everything that its own page shows. */
export function detail(id: string, change: Partial<ModelDetail> = {}): ModelDetail {
  return {
    ...model(id),
    weights_sha256: "a".repeat(64),
    configs_sha256: "b".repeat(64),
    came_from: "upload: ich.zip",
    registered_by: { username: "ann", display_name: "Ann" },
    input_limits: { modality: ["CT"], min_slices: 12 },
    rules: [{ name: "As the bundle says", active: true, conditions: { modality: "CT" } }],
    second_opinion_to: "",
    decisions: [
      {
        id: "1",
        at: "2026-11-24T10:00:00Z",
        by: { username: "ann", display_name: "Ann" },
        action: "registered",
        from_state: "",
        to_state: "draft",
        reason: "Asked for by the ER",
      },
    ],
    moves: ["live", "retired"],
    may_approve: true,
    may_go_live: false,
    ...change,
  };
}
