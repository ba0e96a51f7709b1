import type { ReportDelivery } from "../../api/types";

export const KINDS: Record<ReportDelivery["kind"], string> = {
  hl7: "HL7",
  dicom: "DICOM",
  "fhir-webhook": "FHIR webhook",
};

const STATES: Record<ReportDelivery["state"], string> = {
  waiting: "waiting",
  sending: "being sent",
  sent: "sent",
  failed: "failed, is tried again",
  dead: "given up",
  discarded: "discarded",
};

/** Where a delivery stands, and why it does not move when it does not. */
export function stateWords(delivery: ReportDelivery): string {
  if (delivery.blocked) return "waits for the version before";
  if (delivery.paused) return `${STATES[delivery.state]}: the destination is off or does not answer`;
  return STATES[delivery.state];
}

/** A mark beside the words, so that colour is never the only sign. */
export const MARKS: Record<ReportDelivery["state"], string> = {
  waiting: "…",
  sending: "→",
  sent: "✓",
  failed: "!",
  dead: "✕",
  discarded: "–",
};

export const ACTIONS: Record<string, string> = {
  signed: "first signature",
  addendum: "addendum",
  corrected: "correction",
};
