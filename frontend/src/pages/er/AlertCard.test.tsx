// @vitest-environment happy-dom
import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { Suspense } from "react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { meQuery } from "../../api/queries";
import type { Alert, ErPatient } from "../../api/types";
import { finding, item } from "../../test/samples";
import { AlertCard, Answered, isRinging } from "./AlertCard";
import { newlyRaised } from "./ring";

const { patient } = item("1", 0);
const alert: Alert = {
  id: "5",
  study_instance_uid: "1.2.1",
  patient,
  accession_number: "ACC1",
  location: "ER bed 4",
  department: "ER",
  finding: finding(),
  state: "raised",
  raised_at: "2026-11-24T12:00:00Z",
  deadline_at: null,
  rung: 0,
  told: [{ at: "2026-11-24T12:00:00Z", who: "ER desk", channel: "screen", outcome: "shown" }],
  next_step: { at: "2026-11-24T12:05:00Z", who: "Senior physician" },
  acknowledged_by: null,
  acknowledged_name: "",
  acknowledged_at: null,
  read_back: "",
  being_treated_at: null,
  being_treated_by: "",
  deliveries: [],
  preview_url: "",
  caption: "not for diagnostic use",
};
const row: ErPatient = {
  study_instance_uid: "1.2.1",
  patient,
  accession_number: "ACC1",
  location: "ER bed 4",
  priority_class: "stat",
  stage: "complete",
  stage_since: "2026-11-24T12:00:00Z",
  arrived_at: "2026-11-24T12:00:00Z",
  ai_status: "done",
  ai_reason: "",
  alert,
  preview_url: "",
  report: null,
};

describe("an alert", () => {
  let sent: { path: string; body: unknown }[];

  beforeEach(() => {
    sent = [];
    vi.stubGlobal("fetch", (path: string, options: { body?: string }) => {
      sent.push({ path, body: JSON.parse(options.body ?? "null") });
      return Promise.resolve(new Response(JSON.stringify({ ...alert, state: "acknowledged" })));
    });
    const client = new QueryClient({ defaultOptions: { queries: { staleTime: Infinity } } });
    client.setQueryData(meQuery.queryKey, {
      username: "nurse",
      display_name: "Nurse Amy",
      roles: ["er_staff"],
      department: "ER",
      time_zone: "UTC",
      idle_timeout_s: 900,
      site: { name: "", ae_title: "", not_for_clinical_use: true },
    });
    render(
      <MantineProvider env="test">
        <QueryClientProvider client={client}>
          <Suspense>
            <AlertCard patient={row} alert={alert} />
          </Suspense>
        </QueryClientProvider>
      </MantineProvider>,
    );
  });
  afterEach(() => vi.unstubAllGlobals());

  it("says who, where, what it may be, who was told and what comes next", () => {
    const card = screen.getByTestId("alert-card");
    for (const text of [
      "ER bed 4",
      "Possible intracranial hemorrhage",
      "not yet read by a radiologist",
      "not for diagnostic use",
      "ER desk, screen: shown",
      "Without an answer: Senior physician",
    ]) {
      expect(card).toHaveTextContent(text);
    }
  });

  it("that was not rung says why, and asks for no answer", () => {
    const outcome = "not rung: known since 20 Nov 2026, not grown; Nurse A answered";
    const told = [{ at: "2026-11-24T12:00:00Z", who: "nobody", channel: "rule", outcome }];
    const quiet: Alert = { ...alert, state: "not_rung", next_step: null, told };
    expect(isRinging(quiet)).toBe(false);
    render(<Answered alert={quiet} />);
    expect(screen.getByTestId("alert-not-rung")).toHaveTextContent(outcome);
  });

  it("is answered only with a name and a read-back", async () => {
    const user = userEvent.setup();
    await user.click(screen.getByTestId("alert-acknowledge"));
    expect(screen.getByTestId("alert-name")).toHaveValue("Nurse Amy");
    expect(screen.getByTestId("alert-confirm")).toBeDisabled();
    await user.type(screen.getByTestId("alert-readback"), "SYNTHETIC 1, possible bleed");
    await user.click(screen.getByTestId("alert-confirm"));
    await waitFor(() => expect(sent).toHaveLength(1));
    expect(sent[0]).toEqual({
      path: "/api/alerts/5/acknowledge/",
      body: { name: "Nurse Amy", read_back: "SYNTHETIC 1, possible bleed" },
    });
  });

  it("that is not mine goes on with a reason", async () => {
    const user = userEvent.setup();
    await user.click(screen.getByTestId("alert-not-mine"));
    await user.type(screen.getByTestId("alert-reason"), "In the ICU now");
    await user.click(screen.getByTestId("alert-decline"));
    await waitFor(() => expect(sent[0]?.path).toBe("/api/alerts/5/not-my-patient/"));
  });
});

describe("the ring", () => {
  it("sounds once for each alert, however often the page is loaded", () => {
    expect(newlyRaised(["1", "2"])).toEqual(["1", "2"]);
    expect(newlyRaised(["1", "2", "3"])).toEqual(["3"]);
    expect(newlyRaised(["3"])).toEqual([]);
  });
});
