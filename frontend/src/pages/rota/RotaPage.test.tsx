// @vitest-environment happy-dom
import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { queryClient } from "../../api/queries";
import { setTimeZone } from "../../time/dates";
import { AddShift } from "./Forms";
import { Groups } from "./Groups";
import { ImportCalendar } from "./ImportCalendar";

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

const show = (page: React.ReactNode) =>
  render(
    <MantineProvider env="test">
      <QueryClientProvider client={queryClient}>{page}</QueryClientProvider>
    </MantineProvider>,
  );

describe("planning a shift", () => {
  it("keeps what was typed and says why when it overlaps", async () => {
    const user = userEvent.setup();
    const detail = "Dr. Anna reads from Sat 28 Nov 18:00 to 20:00 already. Cancel that shift.";
    answers.set("/api/rota/people/", { body: [{ username: "anna", display_name: "Dr. Anna" }] });
    answers.set("/api/shifts/", { status: 400, body: { title: "Some values are not right", detail } });
    const done = vi.fn();
    show(<AddShift onDone={done} />);
    await screen.findByRole("option", { name: "Dr. Anna" });
    await user.selectOptions(screen.getByLabelText("Who"), "anna");
    await user.type(screen.getByLabelText("Note"), "night");
    await user.click(screen.getByRole("button", { name: "Plan the shift" }));
    expect((await screen.findByRole("alert")).textContent).toBe(detail);
    expect(screen.getByLabelText<HTMLInputElement>("Note").value).toBe("night");
    expect(done).not.toHaveBeenCalled();
    expect(sent.at(-1)?.body).toMatchObject({ duty: "reading", username: "anna", group: null });
  });
});

describe("groups", () => {
  it("teach what they are for while there is none, and offer the form to administrators only", async () => {
    const { unmount } = show(<Groups mayWrite={false} />);
    expect((await screen.findByText("Everybody reads everything")).textContent).toBeTruthy();
    expect(screen.queryByRole("button", { name: "Add a group" })).toBeNull();
    unmount();
    show(<Groups mayWrite />);
    await userEvent.click(await screen.findByRole("button", { name: "Add a group" }));
    const form = screen.getByRole("form", { name: "New group" });
    await userEvent.type(within(form).getByLabelText("Name"), "Neuro");
    await userEvent.type(within(form).getByLabelText(/^Body parts/), "head, brain");
    await userEvent.click(within(form).getByRole("button", { name: "Make the group" }));
    expect(sent.find((one) => one.method === "POST")?.body).toMatchObject({
      name: "Neuro",
      body_parts: ["head", "brain"],
      share_before_minutes: 60,
    });
  });
});

describe("a calendar file", () => {
  it("is tried first, says what it cannot match, and is taken by a second click", async () => {
    const result = {
      dry_run: true,
      added: ["Dr. Anna reads from Sat 28 Nov 18:00 to 20:00"],
      changed: [],
      cancelled: [],
      kept: [],
      unmatched: [{ what: "Night of X", why: "nobody here has this name" }],
      unchanged: 2,
      over: 1,
    };
    answers.set("/api/rota/import/", { body: result });
    show(<ImportCalendar onDone={() => undefined} />);
    expect(screen.queryByRole("button", { name: "Do it" })).toBeNull();
    const file = new File(["BEGIN:VCALENDAR"], "rota.ics", { type: "text/calendar" });
    await userEvent.upload(screen.getByLabelText(/Calendar file/), file);
    await userEvent.click(screen.getByRole("button", { name: "See what it would do" }));
    expect(await screen.findByText("1 would be added")).toBeTruthy();
    expect(screen.getByText(/nobody here has this name/)).toBeTruthy();
    await userEvent.click(screen.getByRole("button", { name: "Do it" }));
    const imports = sent.filter((one) => one.path === "/api/rota/import/");
    expect(imports.map((one) => one.body)).toMatchObject([
      { calendar: "BEGIN:VCALENDAR", dry_run: true },
      { calendar: "BEGIN:VCALENDAR", dry_run: false },
    ]);
  });
});
