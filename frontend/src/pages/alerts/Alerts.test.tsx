// @vitest-environment happy-dom
import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { Suspense } from "react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { meQuery, queryClient } from "../../api/queries";
import type { AlertPolicy, PolicyRule } from "../../api/types";
import { Channels } from "./Channels";
import FatiguePage, { trueOfDecided } from "./FatiguePage";
import PolicyPage from "./PolicyPage";
import { quietOf } from "./Quiets";
import { split } from "./RuleForm";

const rule = (name: string, codes: string[] = []): PolicyRule => ({
  name,
  finding_codes: codes,
  departments: [],
  locations: [],
  rungs: [
    { who: [{ group: "department" }], channels: ["page"], seconds: 120 },
    { who: [{ group: "er" }, { group: "readers" }], channels: ["page"], seconds: 120 },
  ],
});

const policy = (part: Partial<AlertPolicy> = {}): AlertPolicy => ({
  id: null,
  version: "shipped",
  state: "active",
  document: { rules: [rule("bleeds", ["1386000"]), rule("strokes", ["230690007"]), rule("all others")] },
  words: ["all others: the department by page, after 120 s"],
  reason: "",
  created_by: null,
  created_at: null,
  activated_by: null,
  activated_at: null,
  ...part,
});

const answers = new Map<string, unknown>();
const sent: { path: string; body: unknown }[] = [];

beforeEach(() => {
  queryClient.clear();
  answers.clear();
  sent.length = 0;
  queryClient.setQueryData(meQuery.queryKey, {
    username: "admin",
    display_name: "Ada",
    roles: ["pacs_administrator"],
    department: "",
    time_zone: "UTC",
    idle_timeout_s: 900,
    site: { name: "", ae_title: "", not_for_clinical_use: true, sign_asks_password: false, dictation: false },
  });
  vi.stubGlobal("fetch", (path: string, options: RequestInit) => {
    if (options.method !== "GET")
      sent.push({ path, body: typeof options.body === "string" ? JSON.parse(options.body) : undefined });
    const found = [...answers].find(([start]) => path.startsWith(start));
    return Promise.resolve(new Response(JSON.stringify(found?.[1] ?? {}), { status: 200 }));
  });
});
afterEach(() => vi.unstubAllGlobals());

const show = (page: React.ReactNode) =>
  render(
    <MantineProvider env="test">
      <QueryClientProvider client={queryClient}>
        <Suspense>{page}</Suspense>
      </QueryClientProvider>
    </MantineProvider>,
  );

describe("the alert policy", () => {
  beforeEach(() => {
    answers.set("/api/alert-policies/active/", policy());
    answers.set("/api/alert-policies/?", {
      count: 1,
      results: [policy({ id: "3", version: "nights", state: "draft" })],
    });
    answers.set("/api/channels/", []);
  });

  it("is activated only with a reason", async () => {
    const user = userEvent.setup();
    show(<PolicyPage />);
    await user.click(await screen.findByRole("button", { name: "Activate nights" }));
    expect(screen.getByRole("button", { name: "Activate" })).toBeDisabled();
    await user.type(screen.getByLabelText("Why it shall hold from now on"), "Nobody at the desk at night");
    await user.click(screen.getByRole("button", { name: "Activate" }));
    await waitFor(() => expect(sent).toHaveLength(1));
    expect(sent[0]).toEqual({
      path: "/api/alert-policies/3/activate/",
      body: { reason: "Nobody at the desk at night" },
    });
  });

  it("keeps each rule's own codes when one before it is removed, and always tells everybody last", async () => {
    const user = userEvent.setup();
    show(<PolicyPage />);
    await user.click(await screen.findByRole("button", { name: "New version from this one" }));
    await user.click(screen.getByRole("button", { name: "Remove rule bleeds" }));
    const rules = screen.getAllByTestId("policy-rule");
    expect(rules).toHaveLength(2);
    const first = rules[0];
    if (!first) throw new Error("no rule is shown");
    expect(within(first).getByLabelText(/Finding codes/)).toHaveValue("230690007");
    expect(within(first).getAllByLabelText("all radiologists")[1]).toBeDisabled();
    await user.type(screen.getByLabelText(/Name of the version/), "2026-12");
    await user.click(screen.getByRole("button", { name: "Keep as a draft" }));
    await waitFor(() => expect(sent).toHaveLength(1));
    expect(sent[0]?.body).toMatchObject({
      version: "2026-12",
      document: { rules: [{ name: "strokes", finding_codes: ["230690007"] }, { name: "all others" }] },
    });
  });

  it("reads words between commas", () => {
    expect(split(" ER, ,ICU ")).toEqual(["ER", "ICU"]);
  });
});

describe("a channel", () => {
  it("that fails says since when and why, in words and not by colour alone", async () => {
    answers.set("/api/channels/", [
      {
        channel: "email",
        ok: false,
        failing_since: "2026-11-24T12:00:00Z",
        error: "The mail server is not reached.",
        last_ok_at: null,
      },
    ]);
    show(<Channels />);
    const row = await screen.findByTestId("channel-row");
    expect(row).toHaveTextContent("e-mail");
    expect(row).toHaveTextContent("! fails since 24 Nov 12:00: The mail server is not reached.");
  });
});

describe("alert fatigue", () => {
  it("counts true ones among those that were decided only", () => {
    expect(trueOfDecided({ true: 3, false: 1 })).toBe("3 of 4");
    expect(trueOfDecided({ true: 0, false: 0 })).toBe("–");
  });

  it("shows each model and site, asked for in the reader's zone", async () => {
    const fetched: string[] = [];
    const answered = globalThis.fetch;
    vi.stubGlobal("fetch", (path: string, options: RequestInit) => {
      fetched.push(path);
      return answered(path, options);
    });
    answers.set("/api/quiets/", { count: 0, results: [] });
    answers.set("/api/alert-fatigue/", {
      since: "2026-11-01T00:00:00Z",
      until: "2026-11-24T00:00:00Z",
      time_zone: "UTC",
      rows: [
        {
          model: "ich_demo",
          version: "0.1.0",
          site: "",
          alerts: 5,
          answered: 4,
          unanswered: 1,
          not_rung: 2,
          true: 3,
          false: 1,
          undecided: 1,
          median_minutes: 2.5,
        },
      ],
      by_hour: Array.from({ length: 24 }, (_, hour) => (hour === 3 ? 5 : 0)),
      cut: false,
    });
    show(<FatiguePage />);
    const row = await screen.findByTestId("fatigue-row");
    expect(row).toHaveTextContent("3 of 4");
    expect(row).toHaveTextContent("! 1");
    expect(screen.getByRole("img", { name: /3 h: 5/ })).toBeInTheDocument();
    expect(fetched.some((path) => path.includes("time_zone="))).toBe(true);
    expect(screen.getByText("Nothing is quiet")).toBeInTheDocument();
  });

  it("quiets nothing without a finding and a reason, and never for ever", () => {
    const form = new FormData();
    form.append("finding_code", "1386000");
    expect(quietOf(form, 0)).toBeNull();
    form.append("reason", "Known bleeds");
    form.append("hours", "24");
    expect(quietOf(form, 0)).toMatchObject({
      finding_code: "1386000",
      reason: "Known bleeds",
      expires_at: "1970-01-02T00:00:00.000Z",
    });
  });
});
