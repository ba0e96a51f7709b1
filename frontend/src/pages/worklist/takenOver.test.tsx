// @vitest-environment happy-dom
import { renderHook, waitFor } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";

import { queryClient } from "../../api/queries";
import type { WorklistEvent } from "../../api/types";
import { item } from "../../test/samples";
import { useTakenOver } from "./takenOver";

const by = { username: "b", display_name: "Dr. B" };

function serve(kind: WorklistEvent["kind"]) {
  const events: Partial<WorklistEvent>[] = [
    { id: "3", kind: "held", at: "2026-11-24T12:01:00Z", by, reason: "" },
    { id: "2", kind, at: "2026-11-24T12:00:00Z", by, reason: "seizure" },
    { id: "1", kind: "claimed", at: "2026-11-24T11:00:00Z", by, reason: "" },
  ];
  vi.stubGlobal("fetch", () => Promise.resolve(Response.json(events)));
}

describe("a reader whose study leaves them", () => {
  beforeEach(() => queryClient.clear());

  const mine = item("1", 10, { state: "claimed", is_mine: true });
  const show = (after: ReturnType<typeof item>[]) => {
    const tell = vi.fn();
    const { rerender } = renderHook(({ items }) => useTakenOver(items, tell), {
      initialProps: { items: [mine] },
    });
    rerender({ items: after });
    return tell;
  };

  it.each([
    ["the row names another", [item("1", 10, { state: "claimed", is_mine: false, claimed_by: by })]],
    ["the row leaves the list", []],
  ])("is told who took it, when and why as soon as %s", async (_, after) => {
    serve("taken_over");
    const tell = show(after);
    await waitFor(() => expect(tell).toHaveBeenCalledTimes(1));
    const [{ text, readOnlyUid }] = tell.mock.calls[0] as [{ text: string; readOnlyUid: string }];
    expect(text).toMatch(/^SYNTHETIC, 1: Dr\. B took this study over at .*: “seizure”\. Your draft is kept/);
    expect(readOnlyUid).toBe(mine.study_instance_uid);
  });

  it("is told nothing when the claim ended otherwise", async () => {
    serve("released");
    const tell = show([item("1", 10)]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(tell).not.toHaveBeenCalled();
  });
});
