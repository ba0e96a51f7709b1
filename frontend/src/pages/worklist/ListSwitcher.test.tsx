// @vitest-environment happy-dom
import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { queryClient } from "../../api/queries";
import type { SavedList } from "../../api/types";
import { readFilters, type Filters } from "./filters";
import { ListSwitcher } from "./ListSwitcher";

const heads: SavedList = {
  id: "7",
  name: "ER heads",
  owner: { username: "anna", display_name: "Dr. Anna" },
  mine: true,
  shared: false,
  filters: { location_class: "er" },
  columns: [],
  density: "comfortable",
  position: 0,
};
const sent: { path: string; method: string; body: unknown }[] = [];
const chosen: Filters[] = [];

beforeEach(() => {
  queryClient.clear();
  sent.length = 0;
  chosen.length = 0;
  vi.stubGlobal("fetch", (path: string, options: RequestInit) => {
    const body = typeof options.body === "string" ? (JSON.parse(options.body) as unknown) : undefined;
    if (options.method !== "GET") sent.push({ path, method: options.method ?? "", body });
    const page = { count: 1, results: [heads] };
    return Promise.resolve(new Response(JSON.stringify(page), { status: 200 }));
  });
});
afterEach(() => vi.unstubAllGlobals());

const show = (address: string) =>
  render(
    <MantineProvider env="test">
      <QueryClientProvider client={queryClient}>
        <ListSwitcher
          filters={readFilters(new URLSearchParams(address))}
          onChange={(next) => chosen.push(next)}
        />
      </QueryClientProvider>
    </MantineProvider>,
  );

describe("the list switcher", () => {
  it("shows a saved view", async () => {
    const user = userEvent.setup();
    show("");
    await user.click(screen.getByRole("button", { name: /^List/ }));
    await user.click(await screen.findByRole("menuitem", { name: /ER heads/ }));
    expect(chosen[0]?.location_class).toBe("er");
  });

  it("saves the present view under a name", async () => {
    const user = userEvent.setup();
    show("modality=CT&stat=1");
    await user.click(screen.getByRole("button", { name: /^List/ }));
    await user.type(await screen.findByLabelText("Name of this view"), "STAT CT{Enter}");
    expect(sent[0]).toEqual({
      path: "/api/lists/",
      method: "POST",
      body: { name: "STAT CT", filters: { modality: "CT", stat: "1" } },
    });
  });

  it("shares and renames the saved view that is shown", async () => {
    const user = userEvent.setup();
    show("location_class=er");
    await user.click(await screen.findByRole("button", { name: "List: ER heads" }));
    await user.click(await screen.findByRole("menuitem", { name: "Share ER heads" }));
    expect(sent[0]).toEqual({ path: "/api/lists/7/", method: "PATCH", body: { shared: true } });
  });
});
