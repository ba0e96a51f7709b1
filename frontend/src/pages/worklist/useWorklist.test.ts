import { QueryClient } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { WorklistItem } from "../../api/types";
import { item } from "../../test/samples";
import { readFilters } from "./filters";
import { listKey, RowMerger, type WorklistData } from "./useWorklist";

const filters = readFilters(new URLSearchParams("stat=1"));

describe("a changed row", () => {
  let client: QueryClient;
  let merger: RowMerger;
  let asked: string[];
  let answer: WorklistItem[];
  const shown = () => client.getQueryData<WorklistData>(listKey(filters));

  beforeEach(() => {
    vi.useFakeTimers();
    client = new QueryClient();
    asked = [];
    answer = [];
    vi.stubGlobal("fetch", (path: string) => {
      asked.push(path);
      const body = { count: answer.length, next: null, previous: null, results: answer };
      return Promise.resolve(new Response(JSON.stringify(body)));
    });
    client.setQueryData<WorklistData>(listKey(filters), {
      items: [item("1", 10), item("2", 20)],
      count: 2,
      complete: true,
    });
    merger = new RowMerger(client, filters);
  });

  afterEach(() => {
    merger.stop();
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  const tell = async (key: string, version: number) => {
    merger.add({ topic: "worklist", key, version });
    await vi.advanceTimersByTimeAsync(300);
  };

  it("is fetched alone, under the list's own filters, and takes its place", async () => {
    answer = [item("2", -5, { version: 2 })];
    await tell("2", 2);
    expect(asked).toEqual(["/api/worklist/?priority_class=stat&id=2&page_size=500"]);
    expect(shown()?.items.map((one) => one.id)).toEqual(["2", "1"]);
  });

  it("that is new joins the list and its count", async () => {
    answer = [item("3", 15)];
    await tell("3", 1);
    expect(shown()?.items.map((one) => one.id)).toEqual(["1", "3", "2"]);
    expect(shown()?.count).toBe(3);
  });

  it("that fits the filters no longer leaves the list", async () => {
    await tell("1", 2);
    expect(shown()).toMatchObject({ count: 1, items: [{ id: "2" }] });
  });

  it("that is already shown in that version is not asked for", async () => {
    await tell("1", 1);
    expect(asked).toEqual([]);
  });

  it("is asked for together with others of the same moment", async () => {
    answer = [item("1", 12, { version: 2 }), item("2", 20, { version: 4 })];
    merger.add({ topic: "worklist", key: "1", version: 2 });
    await tell("2", 4);
    expect(asked).toEqual(["/api/worklist/?priority_class=stat&id=1%2C2&page_size=500"]);
  });
});
