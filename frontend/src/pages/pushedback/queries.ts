import { queryOptions } from "@tanstack/react-query";

import { query, request } from "../../api/client";
import type { Overtaken, Page, PriorityClass, PushedBack } from "../../api/types";

export interface Days {
  from: string;
  to: string;
}

/** The sums of the ledger between two days, both included. */
export const pushedBackQuery = (days: Days) =>
  queryOptions({
    queryKey: ["worklist", "pushed-back", days],
    queryFn: ({ signal }) => request<PushedBack>(`/api/pushed-back/${query({ ...days })}`, { signal }),
  });

/** The rows behind one sum. */
export const overtakenQuery = (days: Days, priority_class: PriorityClass | "", page: number) =>
  queryOptions({
    queryKey: ["worklist", "pushed-back", "studies", days, priority_class, page],
    queryFn: ({ signal }) =>
      request<Page<Overtaken>>(
        `/api/pushed-back/studies/${query({ ...days, priority_class, page, page_size: 50 })}`,
        { signal },
      ),
  });
