import { queryOptions } from "@tanstack/react-query";

import { request } from "../../api/client";
import type { components } from "../../api/schema";
import type { Page } from "../../api/types";

type Shapes = components["schemas"];
export type Parameters = Shapes["SimulationParameters"];
export type Simulation = Shapes["Simulation"];
export type Summary = Shapes["SimulationSummary"];
export type Result = Shapes["SimulationResult"];
export type Ordering = Shapes["SimulatedOrdering"];
export type Group = Shapes["SimulatedGroup"];
export type Mean = Shapes["SimulatedMean"];
export type Point = Shapes["FrontierPoint"];
export type Defaults = Shapes["SimulationDefaults"];

const ASKED_EVERY_MS = 700;

export const defaultsQuery = queryOptions({
  queryKey: ["simulation", "defaults"],
  queryFn: ({ signal }) => request<Defaults>("/api/simulations/defaults/", { signal }),
  staleTime: Infinity,
});

export const newestQuery = queryOptions({
  queryKey: ["simulation", "newest"],
  queryFn: async ({ signal }) =>
    (await request<Page<Summary>>("/api/simulations/?page_size=20", { signal })).results,
});

export const isOver = (one: Pick<Summary, "state">) => one.state === "done" || one.state === "failed";

/** One simulation; asked for again while it is played. */
export const simulationQuery = (id: string) =>
  queryOptions({
    queryKey: ["simulation", "one", id],
    queryFn: ({ signal }) => request<Simulation>(`/api/simulations/${id}/`, { signal }),
    refetchInterval: ({ state }) => (state.data && isOver(state.data) ? false : ASKED_EVERY_MS),
    staleTime: ({ state }) => (state.data && isOver(state.data) ? Infinity : 0),
  });

export const simulationApi = {
  ask: (name: string, parameters: Parameters) =>
    request<Simulation>("/api/simulations/", { method: "POST", body: { name, parameters } }),
  fromLog: () => request<Defaults>("/api/simulations/defaults/?from_log=true"),
};
