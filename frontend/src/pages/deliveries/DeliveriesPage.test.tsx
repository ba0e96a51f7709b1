// @vitest-environment happy-dom
import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { queryClient } from "../../api/queries";
import { sampleDelivery } from "../../test/deliveries";
import { Deliveries } from "../read/report/Deliveries";
import { destinationOf } from "./AddDestination";
import { Decide } from "./DeliveriesPage";

const answers = new Map<string, unknown>();
const sent: { path: string; method: string; body: unknown }[] = [];

beforeEach(() => {
  queryClient.clear();
  answers.clear();
  sent.length = 0;
  vi.stubGlobal("fetch", (path: string, options: RequestInit) => {
    const body = typeof options.body === "string" ? (JSON.parse(options.body) as unknown) : undefined;
    sent.push({ path, method: options.method ?? "GET", body });
    const found = [...answers].find(([start]) => path.startsWith(start));
    return Promise.resolve(new Response(JSON.stringify(found?.[1] ?? {}), { status: 200 }));
  });
});
afterEach(() => vi.unstubAllGlobals());

const show = (page: React.ReactNode) =>
  render(
    <MantineProvider env="test">
      <QueryClientProvider client={queryClient}>{page}</QueryClientProvider>
    </MantineProvider>,
  );

describe("a delivery that was given up", () => {
  it("is discarded only with a reason", async () => {
    const user = userEvent.setup();
    show(<Decide delivery={sampleDelivery({ state: "dead" })} />);
    await user.click(screen.getByRole("button", { name: "Discard…" }));
    const sure = screen.getByRole<HTMLButtonElement>("button", { name: "Discard" });
    expect(sure.disabled).toBe(true);
    await user.type(screen.getByRole("textbox"), "Phoned through");
    await user.click(sure);
    expect(sent[0]).toMatchObject({
      path: "/api/report-deliveries/1/discard/",
      body: { reason: "Phoned through" },
    });
  });

  it("offers nothing to decide once it has arrived", () => {
    show(<Decide delivery={sampleDelivery({ state: "sent" })} />);
    expect(screen.queryByRole("button", { name: "Try again" })).toBeNull();
  });
});

describe("the deliveries of a report", () => {
  it("stay folded, count what arrived and number the signed versions", async () => {
    answers.set("/api/report-deliveries/", {
      count: 2,
      results: [
        sampleDelivery({ id: "2", version: 5, state: "dead", error: "Answered AR" }),
        sampleDelivery(),
      ],
    });
    show(<Deliveries reportId="7" mayRetry />);
    const summary = await screen.findByText("! 1 of 2 deliveries have not arrived");
    expect(summary.closest("details")?.open).toBe(false);
    await userEvent.click(summary);
    expect(screen.getByText("Answered AR")).toBeTruthy();
    expect(screen.getByText("AA c0ffee")).toBeTruthy();
    await userEvent.click(screen.getByRole("button", { name: "Send again to RIS" }));
    expect(sent.some((one) => one.path === "/api/report-deliveries/2/retry/")).toBe(true);
  });
});

describe("the form for a destination", () => {
  it("sends only what its kind needs", () => {
    const form = new FormData();
    Object.entries({
      name: "RIS",
      kind: "hl7",
      host: "ris",
      port: "2575",
      modalities: "ct, mr",
      url: "x",
    }).forEach(([name, value]) => form.append(name, value));
    const made = destinationOf(form);
    expect(made).toMatchObject({ host: "ris", port: 2575, modalities: ["CT", "MR"], tls: false });
    expect(made).not.toHaveProperty("url");
  });
});
