// @vitest-environment happy-dom
import { act, renderHook, waitFor } from "@testing-library/react";
import { expect, it, vi } from "vitest";

import type { Me } from "../../api/types";
import { item } from "../../test/samples";
import { useActions } from "./useActions";

it("undoes what is still on its way to the server, once it has arrived", async () => {
  const study = item("1", 10);
  let answer: (response: Response) => void = () => undefined;
  const called: string[] = [];
  vi.stubGlobal("fetch", (input: string) => {
    called.push(new URL(input, "http://localhost").pathname.split("/").at(-2) ?? "");
    if (called.length > 1) return Promise.resolve(Response.json({ item: study, event: null }));
    return new Promise<Response>((resolve) => (answer = resolve));
  });
  const me = { username: "a", display_name: "Dr. A" } as Me;
  const { result } = renderHook(() => useActions(me));
  act(() => {
    void result.current.acts.hold(study, { reason: "priors", note: "", until: null });
    void result.current.undo();
  });
  expect(called).toEqual(["hold"]);
  answer(Response.json({ item: study, event: "7" }));
  await waitFor(() => expect(result.current.told?.text).toMatch(/^Undone: .*on hold$/));
  expect(called).toEqual(["hold", "undo"]);
});
