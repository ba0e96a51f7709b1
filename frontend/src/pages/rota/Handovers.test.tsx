// @vitest-environment happy-dom
import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { queryClient } from "../../api/queries";
import { setTimeZone } from "../../time/dates";
import { Handovers } from "./Handovers";
import type { HandedStudy, Handover } from "./rota";
import { becauseWords, openWords } from "./words";

vi.mock("../../app/session", () => ({ useMe: () => ({ username: "anna", roles: ["radiologist"] }) }));

const study: HandedStudy = {
  study_instance_uid: "1.2.3",
  accession_number: "A1",
  patient: { id: "P1", name: "SYNTHETIC^A01", birth_date: null, age: "71 Y", sex: "F" },
  modality: "CT",
  study_description: "Head",
  location_class: "er",
  priority_class: "stat",
  due_at: "2026-11-28T17:00:00Z",
  state: "open",
  claimed_by: null,
  assigned_to: null,
  held: null,
  has_draft: true,
  open_alerts: [{ id: "1", meaning: "Intracranial hemorrhage", raised_at: "2026-11-28T16:00:00Z" }],
};
const anna = { username: "anna", display_name: "Dr. Anna" };
const bert = { username: "bert", display_name: "Dr. Bert" };
const waiting: Handover = {
  id: "7",
  by: bert,
  to: null,
  group: null,
  note: "Call ward 4 back",
  at: "2026-11-28T16:30:00Z",
  taken_by: null,
  taken_at: null,
  is_mine: false,
  for_me: false,
  studies: [study],
};

const answers = new Map<string, { status?: number; body: unknown }>();
const sent: { path: string; method: string; body: unknown }[] = [];

beforeEach(() => {
  setTimeZone("Europe/Berlin");
  queryClient.clear();
  answers.clear();
  sent.length = 0;
  vi.stubGlobal("fetch", (path: string, options: RequestInit) => {
    const body = typeof options.body === "string" ? (JSON.parse(options.body) as unknown) : undefined;
    sent.push({ path, method: options.method ?? "GET", body });
    const found = [...answers].find(([start]) => path.startsWith(start))?.[1];
    return Promise.resolve(
      new Response(JSON.stringify(found?.body ?? { count: 0, results: [] }), {
        status: found?.status ?? 200,
      }),
    );
  });
});
afterEach(() => vi.unstubAllGlobals());

const show = () =>
  render(
    <MantineProvider env="test">
      <QueryClientProvider client={queryClient}>
        <Handovers />
      </QueryClientProvider>
    </MantineProvider>,
  );

describe("a hand-over", () => {
  it("shows who left what and rings, is taken by one click, and says who was faster", async () => {
    const detail = "Dr. Cleo took this over already.";
    answers.set("/api/handovers/7/take/", { status: 409, body: { title: "Taken already", detail } });
    answers.set("/api/handovers/", { body: { count: 1, results: [waiting] } });
    show();
    const card = await screen.findByRole("article", { name: "Hand-over from Dr. Bert" });
    expect(card.textContent).toContain("Call ward 4 back");
    expect(card.textContent).toContain("free, a draft is there");
    expect(card.textContent).toContain("! alert unanswered since 17:00: Intracranial hemorrhage");
    await userEvent.click(within(card).getByRole("button", { name: "Take over 1" }));
    expect((await within(card).findByRole("alert")).textContent).toBe(detail);
  });

  it("is made of all my open work unless I keep some, for who reads next unless I say otherwise", async () => {
    const next = { person: bert, starts_at: "2026-11-28T17:00:00Z" };
    const mine = [
      { ...study, because: ["claimed", "draft"] },
      {
        ...study,
        study_instance_uid: "1.2.4",
        because: ["assigned"],
        patient: { ...study.patient, name: "B" },
      },
    ];
    answers.set("/api/handovers/open-work/", { body: { studies: mine, next } });
    answers.set("/api/rota/people/", { body: [anna, bert] });
    show();
    await userEvent.click(await screen.findByRole("button", { name: "Hand over my work" }));
    const form = await screen.findByRole("form", { name: "Hand over" });
    await within(form).findByRole("option", { name: "Dr. Bert (reads next)" });
    expect(within(form).queryByRole("option", { name: "Dr. Anna" })).toBeNull();
    await userEvent.click(within(form).getByRole("checkbox", { name: "Hand over B" }));
    await userEvent.type(within(form).getByLabelText(/should know/), "night");
    await userEvent.click(within(form).getByRole("button", { name: "Hand over 1" }));
    expect(sent.find((one) => one.method === "POST")?.body).toEqual({
      to: "bert",
      note: "night",
      studies: ["1.2.3"],
    });
  });

  it("says in words how a study stands", () => {
    const held = { reason: "priors", note: "asked ward 4", until: "2026-11-28T17:00:00Z" } as const;
    expect(openWords({ ...study, has_draft: false, claimed_by: bert })).toBe("Dr. Bert is reading it");
    expect(openWords({ ...study, state: "signed" })).toBe("signed");
    expect(becauseWords({ ...study, held, because: ["held", "draft", "alert"] })).toMatch(
      /^on hold for priors until 28 Nov .*18:00: asked ward 4, your draft$/,
    );
  });
});
