import { queryOptions } from "@tanstack/react-query";

import { query, request } from "./client";
import type { Communication, NewCommunication, Page } from "./types";

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
