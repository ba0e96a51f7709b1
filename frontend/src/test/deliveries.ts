import type { ReportDelivery, ReportDestination } from "../api/types";

export function sampleDelivery(changes: Partial<ReportDelivery> = {}): ReportDelivery {
  return {
    id: "1",
    report: "7",
    version: 3,
    action: "signed",
    study_instance_uid: "1.2.3",
    destination: "RIS",
    kind: "hl7",
    state: "sent",
    blocked: false,
    paused: false,
    attempts: 1,
    next_attempt_at: null,
    acknowledgement: "AA c0ffee",
    control_id: "c0ffee",
    error: "",
    reason: "",
    decided_by: null,
    created_at: "2026-11-24T13:32:00Z",
    sent_at: "2026-11-24T13:32:05Z",
    ...changes,
  };
}

export function sampleDestination(changes: Partial<ReportDestination> = {}): ReportDestination {
  return {
    id: "1",
    name: "RIS",
    kind: "hl7",
    active: true,
    address: "ris:2575",
    modalities: [],
    location_classes: [],
    host: "ris",
    port: 2575,
    tls: false,
    has_ca_certificate: false,
    sending_application: "",
    sending_facility: "",
    receiving_application: "",
    receiving_facility: "",
    node: null,
    url: "",
    content: "reference",
    has_secret: false,
    failing_since: null,
    error: "",
    last_sent_at: null,
    waiting: 0,
    dead: 0,
    ...changes,
  };
}
