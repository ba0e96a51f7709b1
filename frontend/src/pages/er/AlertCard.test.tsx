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
import { AlertLog, arrived, onTheWay } from "./AlertLog";
import { BeingTreated } from "./BeingTreated";
import { ringKey, ringOnce } from "./ring";

const noop = () => undefined;

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
  round: 0,
  told: [{ at: "2026-11-24T12:00:00Z", who: "ER desk", channel: "page", outcome: "shown" }],
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
    vi.stubGlobal("fetch", (path: string, options: { body?: string; method?: string }) => {
      if (path === "/api/alerts/people/") {
        const people = ["nurse", "icu"].map((username) => ({ username, display_name: `Dr. ${username}` }));
        return Promise.resolve(new Response(JSON.stringify(people)));
      }
      if (options.method !== "GET") sent.push({ path, body: JSON.parse(options.body ?? "null") });
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
      site: {
        name: "",
        ae_title: "",
        not_for_clinical_use: true,
        sign_asks_password: false,
        dictation: false,
      },
    });
    render(
      <MantineProvider env="test">
        <QueryClientProvider client={client}>
          <Suspense>
            <AlertCard patient={row} alert={alert} />
            <BeingTreated alert={{ ...alert, id: "6", state: "acknowledged" }} />
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
      "12:00 ER desk, page: shown",
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
    expect(sent[0]?.body).toEqual({ reason: "In the ICU now" });
  });

  it("goes to whom its reader names, and never to the reader", async () => {
    const user = userEvent.setup();
    await user.click(screen.getByTestId("alert-not-mine"));
    await user.type(screen.getByTestId("alert-reason"), "In the ICU now");
    await screen.findByRole("option", { name: "Dr. icu" });
    expect(screen.queryByRole("option", { name: "Dr. nurse" })).toBeNull();
    await user.selectOptions(screen.getByTestId("alert-to"), "icu");
    await user.click(screen.getByRole("button", { name: "Tell Dr. icu" }));
    await waitFor(() => expect(sent).toHaveLength(1));
    expect(sent[0]).toEqual({
      path: "/api/alerts/5/not-my-patient/",
      body: { reason: "In the ICU now", to: "icu" },
    });
  });

  it("that was answered can be said to be treated, by a name", async () => {
    const user = userEvent.setup();
    await user.click(screen.getByTestId("alert-treat"));
    await user.click(screen.getByTestId("alert-treat-confirm"));
    await waitFor(() => expect(sent).toHaveLength(1));
    expect(sent[0]).toEqual({ path: "/api/alerts/6/being-treated/", body: { name: "Nurse Amy" } });
  });
});

describe("the log of an alert", () => {
  const delivery = (part: Partial<Alert["deliveries"][number]>): Alert["deliveries"][number] => ({
    channel: "email",
    who: "Dr. B",
    round: 0,
    state: "sent",
    attempts: 1,
    error: "",
    created_at: "2026-11-24T12:00:00Z",
    sent_at: null,
    ...part,
  });

  it("says of each way how much arrived, and what is still on its way", () => {
    const made = [
      delivery({}),
      delivery({ state: "failed", error: "refused" }),
      delivery({ channel: "push", state: "waiting", attempts: 2, error: "The push service is away." }),
      delivery({ channel: "sms", state: "withdrawn" }),
    ];
    expect(arrived(made)).toBe("! e-mail 1 of 2, browser message 0 of 1");
    expect(onTheWay(made)).toEqual(["browser message to Dr. B waits, ! The push service is away. Tried 2×"]);
  });

  it("folds older lines away and leaves none out", () => {
    const told = [1, 2, 3, 4, 5].map((minute) => ({
      at: `2026-11-24T12:0${String(minute)}:00Z`,
      who: `person ${String(minute)}`,
      channel: "page",
      outcome: "shown",
    }));
    render(<AlertLog alert={{ ...alert, told }} />);
    expect(screen.getByText("2 earlier lines").closest("details")?.open).toBe(false);
    for (const minute of [1, 2, 3, 4, 5])
      expect(screen.getByTestId("alert-log")).toHaveTextContent(`person ${String(minute)}, page: shown`);
  });
});

describe("the ring", () => {
  const sounded: number[] = [];
  let state = "running";

  beforeEach(() => {
    localStorage.clear();
    sounded.length = 0;
    state = "running";
    const tone = () => ({
      frequency: {},
      gain: { setValueAtTime: noop, linearRampToValueAtTime: noop, exponentialRampToValueAtTime: noop },
      connect: (next: unknown) => next,
      start: (at: number) => sounded.push(at),
      stop: noop,
    });
    vi.stubGlobal(
      "AudioContext",
      class {
        currentTime = 0;
        destination = {};
        createOscillator = tone;
        createGain = tone;
        get state() {
          return state;
        }
      },
    );
  });
  afterEach(() => vi.unstubAllGlobals());

  it("sounds once for each telling, however many tabs show it and however often they are loaded", async () => {
    const keys = [ringKey({ id: "1", round: 0 }), ringKey({ id: "2", round: 0 })];
    const tabs = await Promise.all([ringOnce(keys), ringOnce(keys), ringOnce(keys)]);
    expect(tabs.filter(Boolean)).toHaveLength(1);
    expect(sounded).toHaveLength(3);
    expect(await ringOnce(keys)).toBe(false);
    expect(await ringOnce([ringKey({ id: "1", round: 1 })])).toBe(true);
  });

  it("is left by a tab without sound to one that has it", async () => {
    state = "suspended";
    expect(await ringOnce(["7:0"])).toBe(false);
    state = "running";
    expect(await ringOnce(["7:0"])).toBe(true);
  });

  it("survives a broken memory", async () => {
    localStorage.setItem("firstread.rung", "{");
    expect(await ringOnce(["8:0"])).toBe(true);
  });
});
