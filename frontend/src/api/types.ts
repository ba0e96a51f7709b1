/**
 * Names for the shapes of /api/, generated from the API itself (schema.d.ts).
 * Times are ISO 8601 in UTC; volumes mL; diameters mm; probabilities 0 to 1.
 */
import type { components } from "./schema";

type Shapes = components["schemas"];

export interface Page<T> {
  count: number;
  next?: string | null;
  previous?: string | null;
  results: T[];
}

export type Me = Shapes["Me"];
export type Role = Me["roles"][number];
export type Person = Shapes["Person"];
export type Patient = Shapes["Patient"];

export type WorklistItem = Shapes["WorklistItem"];
export type NextItem = Shapes["NextItem"];
export type WorklistEvent = Shapes["WorklistEvent"];
export type ActionAnswer = Shapes["ActionAnswer"];
export type HoldReason = NonNullable<WorklistItem["held"]>["reason"];
export type FlagKind = WorklistItem["flags"][number]["kind"];
export type Reader = Shapes["Reader"];
export type WorklistSummary = Shapes["WorklistSummary"];
export type Desk = Shapes["Desk"];
export type Measurement = Shapes["Measurement"];
export type KeyImage = Shapes["KeyImageRow"];
export type StudyLooks = Shapes["Reading"];
export type ReadingModeRow = Shapes["ModeRow"];
export type ReadingMode = StudyLooks["mode"];
export type RankChange = Shapes["RankChange"];
export type Reason = Shapes["Reason"];
export type Prior = Shapes["Prior"];
export type PriorityClass = WorklistItem["priority_class"];
export type LocationClass = WorklistItem["location_class"];
export type AiStatus = WorklistItem["ai_status"];

export type Finding = Shapes["Finding"];
export type Decision = NonNullable<Finding["decision"]>;
export type Ppv = Shapes["Ppv"];
/** A proportion with its 95 % interval. */
export type Proportion = Shapes["Share"];
export type TriageRun = Shapes["TriageRun"];
/** What was decided for a study: which series each model was given, and why not the others. */
export type TriagePlan = Shapes["TriagePlan"];
export type PlannedModel = Shapes["PlannedModel"];

export type Alert = Shapes["Alert"];
export type ErPatient = Shapes["ErPatient"];
/** A radiologist's call: who told whom what. */
export type Communication = Shapes["CommunicationDocument"];
export type NewCommunication = Shapes["NewCommunicationRequest"];
export type ChannelState = Shapes["ChannelState"];
export type AlertPolicy = Shapes["AlertPolicyDocument"];
export type PolicyRules = Shapes["PolicyRules"];
export type PolicyRule = Shapes["PolicyRule"];
export type PolicyRung = Shapes["PolicyRung"];
export type PolicyPreview = Shapes["PolicyPreview"];
export type Fatigue = Shapes["Fatigue"];
export type Quiet = Shapes["QuietDocument"];
export type NewQuiet = Shapes["NewQuietRequest"];

export type Report = Shapes["Report"];
export type ReportSection = Shapes["ReportSection"];
/** The reader's answer whether a finding that a model looked for is there. */
export type Conclusion = Shapes["Conclusion"];
export type ConclusionValue = Conclusion["value"];
export type Check = Shapes["Check"];
/** A preliminary report on the list of co-signatures. */
export type WaitingReport = Shapes["WaitingReport"];
/** A signature that overrode checks, with the reasons. */
export type SignedOver = Shapes["SignedOver"];
export type TemplateField = Shapes["TemplateField"];
export type FieldAnswer = Shapes["FieldAnswer"];
export type FieldOffer = Shapes["FieldOffer"];
export type ReportTemplate = Shapes["TemplateDocument"];
export type ReportTemplateDetail = Shapes["TemplateDetail"];
export type TemplatePreview = Shapes["Preview"];
export type Signing = Shapes["SigningRequest"];
export type Amendment = Shapes["AmendmentRequest"];

export type ReportDestination = Shapes["ReportDestination"];
export type NewDestination = Shapes["NewDestinationRequest"];
export type DestinationTrouble = Shapes["DestinationTrouble"];
export type ReportDelivery = Shapes["ReportDelivery"];

export type PushedBack = Shapes["PushedBack"];
export type PushedBackRow = Shapes["PushedBackRow"];
export type Overtaken = Shapes["Overtaken"];

export type PriorityPolicy = Shapes["PriorityPolicy"];
export type PolicyDocument = Shapes["PolicyDocument"];
export type PriorityPolicyPreview = Shapes["PriorityPolicyPreview"];
export type PolicyTrouble = Shapes["PolicyTrouble"];

export type SavedList = Shapes["SavedList"];

export type Review = Shapes["Review"];
export type QualitySummary = Shapes["QualitySummary"];

export type Model = Shapes["Model"];
export type ModelDetail = Shapes["ModelDetail"];
export type ModelDecision = Shapes["ModelDecisionDocument"];
export type ModelState = Model["state"];
export type ModelComparison = Shapes["ModelComparison"];
export type ComparedCase = Shapes["ComparedCase"];

export type Study = Shapes["ArchiveStudy"];
export type UploadResult = Shapes["UploadResult"];
export type QuarantinedInstance = Shapes["Quarantined"];
export type ReleaseResult = Shapes["ReleaseResult"];
export type RemoteNode = Shapes["Node"];
export type EchoResult = Shapes["EchoResult"];

/** An RFC 9457 problem document with the members that some problems add. */
export type ProblemDocument = Pick<Shapes["Problem"], "title" | "status"> &
  Partial<Shapes["Problem"]> &
  Partial<Pick<Shapes["Taken"], "holder" | "claim_expires_at">> &
  Partial<Pick<Shapes["ActionRefused"], "by" | "at" | "row">> &
  Partial<Pick<Shapes["ReportConflict"], "current">> &
  Partial<Pick<Shapes["PolicyNotValid"], "troubles">> &
  Partial<Pick<Shapes["NotReady"], "checks">>;
