// @vitest-environment happy-dom
import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { queryClient } from "../../api/queries";
import { setTimeZone } from "../../time/dates";
import type { Group, Ordering, Parameters, Simulation } from "./simulation";
import SimulationPage from "./SimulationPage";

const parameters: Parameters = {
  load: 0.8,
  arrivals_per_hour: null,
  readers: 1,
  read_minutes: 10,
  read_shape: "exponential",
  read_variation: 0.5,
  prevalence: 0.1,
  sensitivity: 0.95,
  specificity: 0.95,
  ai_delay_minutes: 0,
  criticality: "critical",
  classes: [{ priority: "routine", location: "inpatient", share: 1 }],
  studies: 5000,
  replications: 10,
  seed: 1,
};

const mean = (value: number) => ({ value, low: value * 0.9, high: value * 1.1 });
const group = (wait: number, changed: number | null): Group => ({
  studies: 4500,
  mean: mean(wait),
  median: wait / 2,
  p95: wait * 3,
  p999: wait * 8,
  longest: wait * 10,
  breached: 0.012,
  mean_change: changed === null ? null : mean(changed),
  p999_change: changed === null ? null : 0.1,
  waiting: [mean(1), mean(0.5), mean(0)],
});
const ordering = (name: string, words: string, wait: number, changed: number | null): Ordering => ({
  name,
  words,
  groups: { all: group(40, changed && 0), diseased: group(wait, changed) },
  classes: {},
  pushed_back: changed === null ? 0 : 0.61,
  pushed_back_minutes: 7,
  pushed_back_longest: 190,
});
const done: Simulation = {
  id: "7",
  name: "Nights",
  state: "done",
  progress: 1,
  error: "",
  parameters,
  requested_by: { username: "anna", display_name: "Dr. Anna" },
  mine: true,
  created_at: "2026-11-24T14:32:00Z",
  finished_at: "2026-11-24T14:32:09Z",
  result: {
    utilisation: 0.8,
    arrivals_per_hour: 4.8,
    studies: 5000,
    replications: 10,
    minutes: [0, 60, 120],
    orderings: [
      ordering("fifo", "First in, first out", 40, null),
      ordering("firstread", "Firstread's deadlines", 11, -0.72),
    ],
    frontier: [
      {
        name: "head-start-60",
        words: "Flag brings forward by 60 min",
        diseased_mean_change: mean(-0.5),
        unflagged_p999_change: 0.03,
      },
      {
        name: "firstread",
        words: "Firstread's deadlines",
        diseased_mean_change: mean(-0.72),
        unflagged_p999_change: 0.17,
      },
    ],
  },
};

const answers = new Map<string, { status?: number; body: unknown }>();
const sent: { path: string; method: string; body: unknown }[] = [];

beforeEach(() => {
  setTimeZone("UTC");
  queryClient.clear();
  answers.clear();
  sent.length = 0;
  window.history.replaceState(null, "", "/simulation");
  answers.set("GET /api/simulations/defaults/", { body: { parameters, notes: [] } });
  answers.set("GET /api/simulations/?page_size", { body: { count: 0, results: [] } });
  vi.stubGlobal("fetch", (path: string, options: RequestInit) => {
    const method = options.method ?? "GET";
    const body = typeof options.body === "string" ? (JSON.parse(options.body) as unknown) : undefined;
    sent.push({ path, method, body });
    const found = [...answers].find(([start]) => `${method} ${path}`.startsWith(start))?.[1];
    return Promise.resolve(new Response(JSON.stringify(found?.body ?? {}), { status: found?.status ?? 200 }));
  });
});
afterEach(() => vi.unstubAllGlobals());

const show = () =>
  render(
    <MantineProvider env="test">
      <QueryClientProvider client={queryClient}>
        <SimulationPage />
      </QueryClientProvider>
    </MantineProvider>,
  );

/** Not a click: happy-dom takes 0.8 for no multiple of 0.01 and refuses to submit it. */
const simulate = () => fireEvent.submit(screen.getByRole("form", { name: "Department" }));

describe("the simulation page", () => {
  it("asks for the department that the sliders say, and shows what came out", async () => {
    answers.set("POST /api/simulations/", { status: 201, body: { ...done, state: "waiting", result: null } });
    answers.set("GET /api/simulations/7/", { body: done });
    show();
    expect((await screen.findByText(/four orders of the list/)).textContent).toBeTruthy();
    fireEvent.change(await screen.findByLabelText("Readers at one list"), { target: { value: "3" } });
    fireEvent.change(screen.getByLabelText("Prevalence"), { target: { value: "0.2" } });
    await userEvent.click(screen.getByRole("button", { name: "Add a class" }));
    simulate();
    await screen.findByRole("table", { name: "Waiting times, diseased" }, { timeout: 3_000 });
    expect(sent.find(({ method }) => method === "POST")?.body).toMatchObject({
      parameters: {
        readers: 3,
        prevalence: 0.2,
        classes: [{ share: 1 }, { priority: "stat", location: "er" }],
      },
    });
    const table = screen.getByRole("table", { name: "Waiting times, diseased" });
    const row = within(table).getByRole("row", { name: /Firstread/ });
    expect(row.textContent).toContain("11 min");
    expect(row.textContent).toContain("−72 %");
    expect(screen.getByRole("img", { name: /Trade-off.*slowest unflagged \+17 %/ })).toBeTruthy();
    await userEvent.click(screen.getByRole("radio", { name: "All" }));
    expect(screen.getByRole("table", { name: "Waiting times, all" })).toBeTruthy();
    expect(window.location.search).toBe("?id=7");
  });

  it("keeps the sliders and says why a department cannot be", async () => {
    const detail = "The load is 1.20; it must lie above 0 and below 1. Ask for fewer arrivals.";
    answers.set("POST /api/simulations/", { status: 400, body: { title: "Cannot be", detail } });
    show();
    await userEvent.click(await screen.findByRole("radio", { name: "Studies an hour" }));
    fireEvent.change(screen.getByLabelText("Studies an hour", { selector: "[type=range]" }), {
      target: { value: "7" },
    });
    simulate();
    expect((await screen.findByRole("alert")).textContent).toBe(detail);
    expect(screen.getByText("7.0")).toBeTruthy();
  });

  it("takes the site's own figures and says where each comes from", async () => {
    const notes = ["Read time: first opened to signed, 412 studies."];
    answers.delete("GET /api/simulations/defaults/");
    answers.set("GET /api/simulations/defaults/?from_log", {
      body: { parameters: { ...parameters, read_minutes: 6.5 }, notes },
    });
    answers.set("GET /api/simulations/defaults/", { body: { parameters, notes: [] } });
    show();
    await userEvent.click(await screen.findByRole("button", { name: /own figures/ }));
    expect((await screen.findByText(/412 studies/)).textContent).toBeTruthy();
    expect(screen.getByText("6.5")).toBeTruthy();
  });

  it("tells how far a simulation is, and why one failed", async () => {
    window.history.replaceState(null, "", "/simulation?id=7");
    answers.set("GET /api/simulations/7/", {
      body: { ...done, state: "running", progress: 0.4, result: null },
    });
    show();
    expect((await screen.findByText(/40 %/)).textContent).toBeTruthy();
    answers.set("GET /api/simulations/7/", {
      body: { ...done, state: "failed", result: null, error: "Ask for fewer studies." },
    });
    expect((await screen.findByRole("alert", {}, { timeout: 3_000 })).textContent).toContain("fewer studies");
  });
});
