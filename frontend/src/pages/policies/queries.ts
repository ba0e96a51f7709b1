import { queryOptions } from "@tanstack/react-query";

import { request } from "../../api/client";
import type { Page, PolicyDocument, PriorityPolicyPreview, PriorityPolicy } from "../../api/types";

const ROOT = "/api/priority-policies/";
const post = <T>(path: string, body: unknown = {}) => request<T>(path, { method: "POST", body });

export const policiesQuery = queryOptions({
  queryKey: ["policies", "priority"],
  queryFn: ({ signal }) => request<Page<PriorityPolicy>>(`${ROOT}?page_size=100`, { signal }),
});

export const policyApi = {
  draft: (document: PolicyDocument, reason: string) => post<PriorityPolicy>(ROOT, { document, reason }),
  change: (id: string, document: PolicyDocument) =>
    request<PriorityPolicy>(`${ROOT}${id}/`, { method: "PATCH", body: { document } }),
  discard: (id: string) => request<null>(`${ROOT}${id}/`, { method: "DELETE" }),
  preview: (id: string) => post<PriorityPolicyPreview>(`${ROOT}${id}/preview/`),
  activate: (id: string, reason: string) => post<PriorityPolicy>(`${ROOT}${id}/activate/`, { reason }),
};
