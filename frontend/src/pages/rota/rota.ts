import { queryOptions } from "@tanstack/react-query";

import { query, request } from "../../api/client";
import type { components } from "../../api/schema";
import type { Page, Person } from "../../api/types";

type Shapes = components["schemas"];
export type Shift = Shapes["Shift"];
export type Gap = Shapes["Gap"];
export type Group = Shapes["ReadingGroup"];
export type DutyNow = Shapes["DutyNow"];
export type NewShift = Shapes["NewShiftRequest"];
export type NewGroup = Shapes["NewReadingGroupRequest"];
export type CalendarImport = Shapes["CalendarImportRequest"];
export type ImportResult = Shapes["ImportResult"];
export type Handover = Shapes["Handover"];
export type HandedStudy = Shapes["HandedStudy"];
export type OpenStudy = Shapes["OpenStudy"];
export type OpenWork = Shapes["OpenWork"];
export type NewHandover = Shapes["NewHandoverRequest"];
export type Duty = Shift["duty"];

const DAY = 24 * 3600_000;

export const nowQuery = queryOptions({
  queryKey: ["rota", "now"],
  queryFn: ({ signal }) => request<DutyNow>("/api/rota/now/", { signal }),
});

export const gapsQuery = queryOptions({
  queryKey: ["rota", "gaps"],
  queryFn: ({ signal }) => request<Gap[]>("/api/rota/gaps/", { signal }),
});

export const groupsQuery = queryOptions({
  queryKey: ["rota", "groups"],
  queryFn: async ({ signal }) =>
    (await request<Page<Group>>("/api/groups/?page_size=500", { signal })).results,
});

/** What is not over and begins within the next seven days. */
export const weekQuery = queryOptions({
  queryKey: ["rota", "week"],
  queryFn: async ({ signal }) => {
    const to = new Date(Date.now() + 7 * DAY).toISOString();
    return (await request<Page<Shift>>(`/api/shifts/${query({ to, page_size: 500 })}`, { signal })).results;
  },
});

export const myShiftsQuery = queryOptions({
  queryKey: ["rota", "mine"],
  queryFn: ({ signal }) => request<Page<Shift>>("/api/shifts/?mine=true&page_size=20", { signal }),
});

export const peopleQuery = (duty: Duty) =>
  queryOptions({
    queryKey: ["rota", "people", duty],
    queryFn: ({ signal }) => request<Person[]>(`/api/rota/people/${query({ duty })}`, { signal }),
    staleTime: 60_000,
  });

/** What waits to be taken over. */
export const handoversQuery = queryOptions({
  queryKey: ["rota", "handovers"],
  queryFn: async ({ signal }) =>
    (await request<Page<Handover>>("/api/handovers/?open=true&page_size=100", { signal })).results,
});

export const openWorkQuery = queryOptions({
  queryKey: ["rota", "open-work"],
  queryFn: ({ signal }) => request<OpenWork>("/api/handovers/open-work/", { signal }),
  staleTime: 0,
});

const post = <T>(path: string, body: unknown = {}) => request<T>(path, { method: "POST", body });

export const rotaApi = {
  importCalendar: (body: CalendarImport) => post<ImportResult>("/api/rota/import/", body),
  handOver: (made: NewHandover) => post<Handover>("/api/handovers/", made),
  take: (id: string) => post<Handover>(`/api/handovers/${id}/take/`),
  addGroup: (made: NewGroup) => post<Group>("/api/groups/", made),
  changeGroup: (id: string, body: Partial<NewGroup> & { active?: boolean }) =>
    request<Group>(`/api/groups/${id}/`, { method: "PATCH", body }),
  addMember: (id: string, username: string) => post<Group>(`/api/groups/${id}/members/`, { username }),
  removeMember: (id: string, username: string) =>
    request<Group>(`/api/groups/${id}/members/${encodeURIComponent(username)}/`, { method: "DELETE" }),
  planShift: (made: NewShift) => post<Shift>("/api/shifts/", made),
  cancelShift: (id: string, reason: string) => post<Shift>(`/api/shifts/${id}/cancel/`, { reason }),
  giveShift: (id: string, username: string, reason: string) =>
    post<Shift>(`/api/shifts/${id}/give/`, { username, reason }),
};
