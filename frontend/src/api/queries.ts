import { QueryClient, queryOptions } from "@tanstack/react-query";

import { Problem, query, request } from "./client";
import type {
  ActionAnswer,
  Alert,
  Amendment,
  EchoResult,
  ConclusionValue,
  Decision,
  DestinationTrouble,
  ErPatient,
  FlagKind,
  HoldReason,
  Me,
  NewDestination,
  NextItem,
  Model,
  ModelComparison,
  KeyImage,
  Measurement,
  ModelDetail,
  Page,
  Prior,
  QualitySummary,
  QuarantinedInstance,
  RankChange,
  Reader,
  ReadingMode,
  ReadingModeRow,
  ReleaseResult,
  RemoteNode,
  Report,
  ReportDelivery,
  ReportDestination,
  ReportTemplate,
  ReportTemplateDetail,
  Review,
  SignedOver,
  Signing,
  Study,
  Desk,
  StudyLooks,
  TemplatePreview,
  TriagePlan,
  TriageRun,
  WaitingReport,
  WorklistEvent,
  WorklistItem,
  WorklistSummary,
} from "./types";

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      refetchOnWindowFocus: true,
      // A refusal stays a refusal; only a server that cannot be reached is worth a second try.
      retry: (count, error) => !(error instanceof Problem && error.status < 500) && count < 2,
    },
  },
});

const uidPath = (uid: string) => `/api/worklist/${encodeURIComponent(uid)}/`;

export const meQuery = queryOptions({
  queryKey: ["me"],
  queryFn: ({ signal }) => request<Me>("/api/me/", { signal }),
  staleTime: Infinity,
});

/** Counts of all studies, or of one list: "mine" or a group's id. */
export const summaryQuery = (list: string) =>
  queryOptions({
    queryKey: ["worklist", "summary", list],
    queryFn: ({ signal }) => {
      const asked = list === "mine" ? { list } : { group: list };
      return request<WorklistSummary>(`/api/worklist/summary/${query(asked)}`, { signal });
    },
  });

export const itemQuery = (uid: string) =>
  queryOptions({
    queryKey: ["worklist", "item", uid],
    queryFn: ({ signal }) => request<WorklistItem>(uidPath(uid), { signal }),
  });

export const historyQuery = (uid: string) =>
  queryOptions({
    queryKey: ["worklist", "history", uid],
    queryFn: ({ signal }) => request<RankChange[]>(`${uidPath(uid)}history/`, { signal }),
  });

export const eventsQuery = (uid: string) =>
  queryOptions({
    queryKey: ["worklist", "events", uid],
    queryFn: ({ signal }) => request<WorklistEvent[]>(`${uidPath(uid)}events/`, { signal }),
  });

export const readersQuery = (search: string) =>
  queryOptions({
    queryKey: ["readers", search],
    queryFn: async ({ signal }) =>
      (await request<Page<Reader>>(`/api/readers/${query({ search, page_size: 20 })}`, { signal })).results,
  });

export const priorsQuery = (uid: string) =>
  queryOptions({
    queryKey: ["worklist", "priors", uid],
    queryFn: ({ signal }) => request<Prior[]>(`${uidPath(uid)}priors/`, { signal }),
    staleTime: 60_000,
  });

/** What is open on the caller's desk, and which applications follow it. */
export const deskQuery = queryOptions({
  queryKey: ["desk"],
  queryFn: ({ signal }) => request<Desk>("/api/desk/", { signal }),
});
export const measurementsQuery = (uid: string) =>
  queryOptions({
    queryKey: ["worklist", "marks", uid, "measurements"],
    queryFn: async ({ signal }) =>
      (await request<Page<Measurement>>(`${uidPath(uid)}measurements/?page_size=500`, { signal })).results,
  });

export const keyImagesQuery = (uid: string) =>
  queryOptions({
    queryKey: ["worklist", "marks", uid, "key-images"],
    queryFn: async ({ signal }) =>
      (await request<Page<KeyImage>>(`${uidPath(uid)}key-images/?page_size=500`, { signal })).results,
  });

/** The caller's own looks at a study: opened, first impression, AI shown. */
export const readingQuery = (uid: string) =>
  queryOptions({
    queryKey: ["worklist", "reading", uid],
    queryFn: ({ signal }) => request<StudyLooks>(`${uidPath(uid)}reading/`, { signal }),
  });

export const readingModesQuery = queryOptions({
  queryKey: ["reading-modes"],
  queryFn: async ({ signal }) =>
    (await request<Page<ReadingModeRow>>("/api/reading-modes/?page_size=500", { signal })).results,
});

export const runsQuery = (uid: string) =>
  queryOptions({
    queryKey: ["worklist", "runs", uid],
    queryFn: async ({ signal }) => {
      const params = query({ study_instance_uid: uid, page_size: 50 });
      return (await request<Page<TriageRun>>(`/api/triage-runs/${params}`, { signal })).results;
    },
  });

export const planQuery = (uid: string) =>
  queryOptions({
    queryKey: ["worklist", "plan", uid],
    queryFn: async ({ signal }) => {
      const params = query({ study_instance_uid: uid });
      return (
        (await request<Page<TriagePlan>>(`/api/triage-plans/${params}`, { signal })).results.at(0) ?? null
      );
    },
  });

export const reportsQuery = (uid: string) =>
  queryOptions({
    queryKey: ["reports", uid],
    queryFn: async ({ signal }) => {
      const params = query({ study_instance_uid: uid });
      return (await request<Page<Report>>(`/api/reports/${params}`, { signal })).results;
    },
  });

export const templatesQuery = queryOptions({
  queryKey: ["report-templates"],
  queryFn: ({ signal }) => request<Page<ReportTemplate>>("/api/report-templates/?page_size=500", { signal }),
});

export const activeTemplatesQuery = queryOptions({
  queryKey: ["report-templates", "active"],
  queryFn: async ({ signal }) =>
    (await request<Page<ReportTemplate>>("/api/report-templates/?state=active&page_size=500", { signal }))
      .results,
  staleTime: 60_000,
});

export const templateQuery = (id: string) =>
  queryOptions({
    queryKey: ["report-templates", "one", id],
    queryFn: ({ signal }) => request<ReportTemplateDetail>(`/api/report-templates/${id}/`, { signal }),
  });

export const toCosignQuery = queryOptions({
  queryKey: ["reports", "to-cosign"],
  queryFn: ({ signal }) => request<Page<WaitingReport>>("/api/reports/to-cosign/?page_size=200", { signal }),
});

export const signedOverQuery = queryOptions({
  queryKey: ["quality", "signed-over"],
  queryFn: ({ signal }) => request<Page<SignedOver>>("/api/quality/signed-over/?page_size=100", { signal }),
});

export const erQuery = queryOptions({
  queryKey: ["er"],
  queryFn: async ({ signal }) => {
    // Whole: whoever is missing on the wall is forgotten.
    const rows: ErPatient[] = [];
    for (let page = 1; ; page += 1) {
      const found = await request<Page<ErPatient>>(`/api/er/patients/${query({ page, page_size: 200 })}`, {
        signal,
      });
      rows.push(...found.results);
      if (!found.next) return rows;
    }
  },
});

export const reviewsQuery = queryOptions({
  queryKey: ["quality", "reviews"],
  queryFn: ({ signal }) =>
    request<Page<Review>>("/api/quality/reviews/?sampled=all&page_size=500", { signal }),
});

export const qualitySummaryQuery = queryOptions({
  queryKey: ["quality", "summary"],
  queryFn: ({ signal }) => request<QualitySummary[]>("/api/quality/summary/", { signal }),
});

/** Whether this site measured the model: the newest evaluation's figures, or a 404. */
export const evaluationQuery = (id: string) =>
  queryOptions({
    queryKey: ["models", "evaluation", id],
    queryFn: ({ signal }) =>
      request<Record<string, unknown>>(`/api/models/${encodeURIComponent(id)}/evaluation/`, { signal }),
    retry: false,
  });

export const modelsQuery = queryOptions({
  queryKey: ["models", "list"],
  queryFn: async ({ signal }) =>
    (await request<Page<Model>>("/api/models/?page_size=500", { signal })).results,
});

export const modelQuery = (id: string) =>
  queryOptions({
    queryKey: ["models", "one", id],
    queryFn: ({ signal }) => request<ModelDetail>(`/api/models/${encodeURIComponent(id)}/`, { signal }),
  });

export const comparisonQuery = (a: string, b: string, page: number) =>
  queryOptions({
    queryKey: ["models", "compare", a, b, page],
    queryFn: ({ signal }) =>
      request<ModelComparison>(`/api/models/compare/${query({ a, b, page, page_size: 50 })}`, { signal }),
    placeholderData: (previous) => previous,
  });

export const studiesQuery = (search: string) =>
  queryOptions({
    queryKey: ["archive", "studies", search],
    queryFn: ({ signal }) =>
      request<Page<Study>>(`/api/studies/${query({ search, page_size: 200 })}`, { signal }),
    placeholderData: (previous) => previous,
  });

export const nodesQuery = queryOptions({
  queryKey: ["archive", "nodes"],
  queryFn: ({ signal }) => request<Page<RemoteNode>>("/api/nodes/?page_size=200", { signal }),
});

export const quarantineQuery = queryOptions({
  queryKey: ["archive", "quarantine"],
  queryFn: ({ signal }) => request<Page<QuarantinedInstance>>("/api/quarantine/?page_size=200", { signal }),
});

export const destinationsQuery = queryOptions({
  queryKey: ["reports", "destinations"],
  queryFn: ({ signal }) =>
    request<Page<ReportDestination>>("/api/report-destinations/?page_size=200", { signal }),
});

export const troublesQuery = queryOptions({
  queryKey: ["reports", "troubles"],
  queryFn: ({ signal }) => request<DestinationTrouble[]>("/api/report-destinations/troubles/", { signal }),
});

export const deliveriesQuery = (filters: { report?: string; state?: ReportDelivery["state"][] }) =>
  queryOptions({
    queryKey: ["reports", "deliveries", filters],
    queryFn: ({ signal }) =>
      request<Page<ReportDelivery>>(`/api/report-deliveries/${query({ ...filters, page_size: 200 })}`, {
        signal,
      }),
  });

const post = <T>(path: string, body: unknown = {}, keepalive = false) =>
  request<T>(path, { method: "POST", body, keepalive });

export const api = {
  setTimeZone: (time_zone: string) => request<Me>("/api/me/", { method: "PATCH", body: { time_zone } }),
  claim: (uid: string) => post<WorklistItem>(`${uidPath(uid)}claim/`),
  release: (uid: string) => post<WorklistItem>(`${uidPath(uid)}release/`),
  heartbeat: (uid: string) => post<WorklistItem>(`${uidPath(uid)}heartbeat/`),
  /** Also on the way out of the page, when an ordinary request would be cut off. */
  closed: (uid: string) => request<undefined>(`${uidPath(uid)}closed/`, { method: "POST", keepalive: true }),
  opened: (uid: string) => post<WorklistItem>(`${uidPath(uid)}opened/`),
  next: () => post<NextItem>("/api/worklist/next/"),
  assign: (uid: string, username: string, instead_of: string) =>
    post<ActionAnswer>(`${uidPath(uid)}assign/`, { username, instead_of }),
  unassign: (uid: string, instead_of: string) =>
    post<ActionAnswer>(`${uidPath(uid)}unassign/`, { instead_of }),
  hold: (uid: string, body: { reason: HoldReason; note: string; until: string | null }) =>
    post<ActionAnswer>(`${uidPath(uid)}hold/`, body),
  unhold: (uid: string) => post<ActionAnswer>(`${uidPath(uid)}unhold/`),
  raise: (uid: string, to: "stat" | "asap", reason: string) =>
    post<ActionAnswer>(`${uidPath(uid)}raise/`, { to, reason }),
  decline: (uid: string, reason: string) => post<ActionAnswer>(`${uidPath(uid)}decline/`, { reason }),
  takeOver: (uid: string, holder: string, reason: string) =>
    post<ActionAnswer>(`${uidPath(uid)}take-over/`, { holder, reason }),
  flag: (uid: string, kind: FlagKind, note: string) =>
    post<ActionAnswer>(`${uidPath(uid)}flags/`, { kind, note }),
  unflag: (uid: string, kind: FlagKind) =>
    request<ActionAnswer>(`${uidPath(uid)}flags/?kind=${kind}`, { method: "DELETE" }),
  undo: (uid: string, event: string) => post<ActionAnswer>(`${uidPath(uid)}undo/`, { event: Number(event) }),
  keepMeasurement: (
    uid: string,
    drawn: { kind: string; sopInstanceUID: string; frame: number; points: [number, number][]; label: string },
  ) =>
    post<Measurement>(`${uidPath(uid)}measurements/`, {
      kind: drawn.kind,
      sop_instance_uid: drawn.sopInstanceUID,
      frame: drawn.frame,
      points: drawn.points,
      label: drawn.label,
    }),
  markKeyImage: (uid: string, sop_instance_uid: string, frame: number) =>
    post<KeyImage>(`${uidPath(uid)}key-images/`, { sop_instance_uid, frame }),
  unmarkKeyImage: (uid: string, id: string) =>
    request<null>(`${uidPath(uid)}key-images/${id}/`, { method: "DELETE" }),
  firstLook: (uid: string, impression: string) =>
    post<StudyLooks>(`${uidPath(uid)}first-look/`, { impression }),
  setReadingMode: (username: string, mode: ReadingMode | null, reason: string) =>
    post<ReadingModeRow>("/api/reading-modes/", { username, mode, reason }),
  acknowledge: (id: string, name: string, read_back: string) =>
    post<Alert>(`/api/alerts/${id}/acknowledge/`, { name, read_back }),
  notMyPatient: (id: string, reason: string) => post<Alert>(`/api/alerts/${id}/not-my-patient/`, { reason }),
  createReport: (study_instance_uid: string) => post<Report>("/api/reports/", { study_instance_uid }),
  saveReport: (id: string, version: number, sections: { key: string; text: string }[], keepalive = false) =>
    request<Report>(`/api/reports/${id}/`, { method: "PATCH", body: { version, sections }, keepalive }),
  conclude: (id: string, version: number, code: string, value: ConclusionValue) =>
    request<Report>(`/api/reports/${id}/`, {
      method: "PATCH",
      body: { version, conclusions: [{ code, value }] },
    }),
  decide: (id: string, finding: string, decision: Decision | null, version: number) =>
    post<Report>(`/api/reports/${id}/findings/${finding}/`, { decision, version }),
  suggestion: (id: string, suggestion: string, state: string, version: number) =>
    post<Report>(`/api/reports/${id}/suggestions/${suggestion}/`, { state, version }),
  answer: (id: string, version: number, key: string, value: unknown) =>
    request<Report>(`/api/reports/${id}/`, { method: "PATCH", body: { version, answers: [{ key, value }] } }),
  useTemplate: (id: string, version: number, template: number) =>
    post<Report>(`/api/reports/${id}/template/`, { version, template }),
  addTemplate: (made: Record<string, unknown>) => post<ReportTemplateDetail>("/api/report-templates/", made),
  moveTemplate: (id: string, move: "activate" | "retire", reason: string) =>
    post<ReportTemplateDetail>(`/api/report-templates/${id}/${move}/`, { reason }),
  previewTemplate: (content: unknown) => post<TemplatePreview>("/api/report-templates/preview/", { content }),
  readMrrt: (html: string) =>
    post<{ name: string; content: unknown; warnings: string[] }>("/api/report-templates/read-mrrt/", {
      html,
    }),
  sign: (id: string, signing: Signing) => post<Report>(`/api/reports/${id}/sign/`, signing),
  addendum: (id: string, text: string, password = "") =>
    post<Report>(`/api/reports/${id}/addendum/`, { text, password }),
  amend: (id: string, amendment: Amendment) => post<Report>(`/api/reports/${id}/amend/`, amendment),
  addDestination: (made: NewDestination) => post<ReportDestination>("/api/report-destinations/", made),
  changeDestination: (id: string, body: { active: boolean }) =>
    request<ReportDestination>(`/api/report-destinations/${id}/`, { method: "PATCH", body }),
  testDestination: (id: string) =>
    post<{ ok: boolean; detail: string }>(`/api/report-destinations/${id}/test/`),
  retryDelivery: (id: string) => post<ReportDelivery>(`/api/report-deliveries/${id}/retry/`),
  discardDelivery: (id: string, reason: string) =>
    post<ReportDelivery>(`/api/report-deliveries/${id}/discard/`, { reason }),
  retryAllDeliveries: () => post<{ retried: number }>("/api/report-deliveries/retry-all/"),
  deliveryPayload: (id: string) => request<{ text: string }>(`/api/report-deliveries/${id}/payload/`),
  echo: (id: string) => post<EchoResult>(`/api/nodes/${id}/echo/`),
  releaseQuarantined: (id: string) => post<ReleaseResult>(`/api/quarantine/${id}/release/`),
  discardQuarantined: (id: string) => post<QuarantinedInstance>(`/api/quarantine/${id}/discard/`),
  approveModel: (id: string, reason: string) => post<ModelDetail>(`/api/models/${id}/approve/`, { reason }),
  moveModel: (id: string, state: string, reason: string) =>
    post<ModelDetail>(`/api/models/${id}/set-state/`, { state, reason }),
  agree: (id: string, comment: string) => post<Review>(`/api/quality/reviews/${id}/agree/`, { comment }),
  disagree: (id: string, comment: string) =>
    post<Review>(`/api/quality/reviews/${id}/disagree/`, { comment }),
  adjudicate: (id: string, verdict: string, comment: string) =>
    post<Review>(`/api/quality/reviews/${id}/adjudicate/`, { verdict, comment }),
};
