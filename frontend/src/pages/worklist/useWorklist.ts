import { keepPreviousData, useQuery, type QueryClient } from "@tanstack/react-query";
import { useEffect } from "react";

import { request } from "../../api/client";
import { queryClient } from "../../api/queries";
import type { Page, WorklistItem } from "../../api/types";
import type { Change } from "../../live/connection";
import { onTopic, useLiveInterval } from "../../live/live";
import { listQuery, type Filters } from "./filters";
import { joinPages, upsert } from "./order";

const FIRST_PAGE = 100;
const FULL_PAGE = 500;
/** More changed rows than this at once are cheaper as one new list. */
const BURST = 100;
const GATHER_MS = 120;

export interface WorklistData {
  items: WorklistItem[];
  count: number;
  /** False while only the first page is here and the rest is on its way. */
  complete: boolean;
}

type ListKey = readonly ["worklist", "list", Filters];

export const listKey = (filters: Filters): ListKey => ["worklist", "list", filters];

const fetchPage = (filters: Filters, page: number, page_size: number, signal?: AbortSignal) =>
  request<Page<WorklistItem>>(`/api/worklist/${listQuery(filters, { page, page_size })}`, { signal });

/** Reads the whole list: the first hundred are shown while the rest come. */
async function fetchList(client: QueryClient, filters: Filters, signal: AbortSignal): Promise<WorklistData> {
  const first = await fetchPage(filters, 1, FIRST_PAGE, signal);
  if (!first.next) return { items: joinPages([first.results]), count: first.count, complete: true };
  const key = listKey(filters);
  if (!client.getQueryData(key)) {
    client.setQueryData<WorklistData>(key, {
      items: joinPages([first.results]),
      count: first.count,
      complete: false,
    });
  }
  const pages: WorklistItem[][] = [];
  for (let page = 1; ; page += 1) {
    const next = await fetchPage(filters, page, FULL_PAGE, signal);
    pages.push(next.results);
    if (!next.next) return { items: joinPages(pages), count: next.count, complete: true };
  }
}

/** Brings single changed rows into a loaded list; falls back to reading the list when that is simpler. */
export class RowMerger {
  private readonly waiting = new Map<string, number>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly client: QueryClient,
    private readonly filters: Filters,
  ) {}

  add(change: Change): void {
    this.waiting.set(change.key, Math.max(change.version, this.waiting.get(change.key) ?? 0));
    this.timer ??= setTimeout(() => void this.flush(), GATHER_MS);
  }

  stop(): void {
    clearTimeout(this.timer);
    this.waiting.clear();
  }

  private async flush(): Promise<void> {
    this.timer = undefined;
    const key = listKey(this.filters);
    if (this.client.getQueryState(key)?.fetchStatus === "fetching") {
      // The answer under way may be older than the change; merge into it, not under it.
      this.timer = setTimeout(() => void this.flush(), GATHER_MS);
      return;
    }
    const items = this.client.getQueryData<WorklistData>(key)?.items ?? [];
    const changes = [...this.waiting];
    this.waiting.clear();
    const stale = changes.filter(([id, version]) => {
      const known = items.find((item) => item.id === id);
      return !known || version === 0 || known.version < version;
    });
    if (stale.length > BURST) {
      await this.client.invalidateQueries({ queryKey: key });
      return;
    }
    try {
      if (stale.length > 0) await this.merge(stale.map(([id]) => id));
    } catch {
      await this.client.invalidateQueries({ queryKey: key });
    }
  }

  /** Asks for these rows under the list's own filters: a row that does not come is not in this list any more. */
  private async merge(ids: readonly string[]): Promise<void> {
    const search = listQuery(this.filters, { id: ids.join(","), page_size: FULL_PAGE });
    const found = await request<Page<WorklistItem>>(`/api/worklist/${search}`);
    this.client.setQueryData<WorklistData>(listKey(this.filters), (old) => {
      if (!old) return old;
      const came = new Set(found.results.map((item) => item.id));
      const kept = old.items.filter((item) => came.has(item.id) || !ids.includes(item.id));
      const items = found.results.reduce(upsert, kept);
      return { ...old, items, count: old.count + items.length - old.items.length };
    });
  }
}

export function useWorklist(filters: Filters) {
  const interval = useLiveInterval();
  const name = JSON.stringify(filters);
  useEffect(() => {
    const merger = new RowMerger(queryClient, JSON.parse(name) as Filters);
    const unhear = onTopic("worklist", (change) => merger.add(change));
    return () => {
      unhear();
      merger.stop();
    };
  }, [name]);
  return useQuery<WorklistData, Error, WorklistData, ListKey>({
    queryKey: listKey(filters),
    queryFn: ({ client, signal }) => fetchList(client, filters, signal),
    refetchInterval: interval,
    placeholderData: keepPreviousData,
  });
}

/** Shows an item that an action just returned at once, in every loaded list. */
export function showItem(item: WorklistItem): void {
  queryClient.setQueriesData<WorklistData>({ queryKey: ["worklist", "list"] }, (old) =>
    old?.items.some((one) => one.id === item.id) ? { ...old, items: upsert(old.items, item) } : old,
  );
  queryClient.setQueryData(["worklist", "item", item.study_instance_uid], item);
  void queryClient.invalidateQueries({ queryKey: ["worklist", "summary"] });
}
