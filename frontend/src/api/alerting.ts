import { queryOptions } from "@tanstack/react-query";

import { timeZone } from "../time/dates";
import { query, request } from "./client";
import type {
  Alert,
  AlertPolicy,
  ChannelState,
  Communication,
  Fatigue,
  NewCommunication,
  NewQuiet,
  Page,
  Person,
  PolicyPreview,
  PolicyRules,
  Quiet,
} from "./types";

/** Calls to the API about calls, channels, policies and quiets of alerts. */

const post = <T>(path: string, body: unknown = {}) => request<T>(path, { method: "POST", body });

export const communicationsQuery = (uid: string) =>
  queryOptions({
    queryKey: ["worklist", "communications", uid],
    queryFn: async ({ signal }) => {
      const params = query({ study_instance_uid: uid, page_size: 200 });
      return (await request<Page<Communication>>(`/api/communications/${params}`, { signal })).results;
    },
  });

export const addCommunication = (made: NewCommunication) => post<Communication>("/api/communications/", made);

export const channelsQuery = queryOptions({
  queryKey: ["er", "channels"],
  queryFn: ({ signal }) => request<ChannelState[]>("/api/channels/", { signal }),
});

export const peopleQuery = queryOptions({
  queryKey: ["er", "people"],
  queryFn: ({ signal }) => request<Person[]>("/api/alerts/people/", { signal }),
  staleTime: 60_000,
});

export const handTo = (id: string, reason: string, to: string) =>
  post<Alert>(`/api/alerts/${id}/not-my-patient/`, { reason, to });
export const beingTreated = (id: string, name: string) =>
  post<Alert>(`/api/alerts/${id}/being-treated/`, { name });

export const policiesQuery = queryOptions({
  queryKey: ["alert-policies", "list"],
  queryFn: async ({ signal }) =>
    (await request<Page<AlertPolicy>>("/api/alert-policies/?page_size=200", { signal })).results,
});

export const activePolicyQuery = queryOptions({
  queryKey: ["alert-policies", "active"],
  queryFn: ({ signal }) => request<AlertPolicy>("/api/alert-policies/active/", { signal }),
});

export const draftPolicy = (version: string, document: PolicyRules) =>
  post<AlertPolicy>("/api/alert-policies/", { version, document });
export const activatePolicy = (id: string, reason: string) =>
  post<AlertPolicy>(`/api/alert-policies/${id}/activate/`, { reason });
export const backToShipped = (reason: string) =>
  post<AlertPolicy>("/api/alert-policies/back-to-shipped/", { reason });
export const previewPolicy = (document: PolicyRules) =>
  post<PolicyPreview>("/api/alert-policies/preview/", { document });

export const fatigueQuery = (days: number) =>
  queryOptions({
    queryKey: ["alert-fatigue", days],
    queryFn: ({ signal }) => {
      const since = new Date(Date.now() - days * 86_400_000).toISOString();
      return request<Fatigue>(`/api/alert-fatigue/${query({ since, time_zone: timeZone() })}`, { signal });
    },
  });

export const quietsQuery = queryOptions({
  queryKey: ["quiets"],
  queryFn: async ({ signal }) =>
    (await request<Page<Quiet>>("/api/quiets/?page_size=200", { signal })).results,
});

export const addQuiet = (made: NewQuiet) => post<Quiet>("/api/quiets/", made);
export const endQuiet = (id: string) => post<Quiet>(`/api/quiets/${id}/end/`);

export const pushKey = () => request<{ key: string }>("/api/push-key/");
export const subscribePush = (body: { endpoint: string; p256dh: string; auth: string; browser: string }) =>
  post<unknown>("/api/push-subscriptions/", body);
export const unsubscribePush = (endpoint: string) =>
  request<unknown>("/api/push-subscriptions/", { method: "DELETE", body: { endpoint } });
