// @vitest-environment happy-dom
import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, it, vi } from "vitest";

import { Decide } from "./Decide";
import { detail } from "../../test/models";

function show(change: Parameters<typeof detail>[1] = {}) {
  render(
    <MantineProvider env="test">
      <QueryClientProvider client={new QueryClient()}>
        <Decide model={detail("7", change)} />
      </QueryClientProvider>
    </MantineProvider>,
  );
}

describe("deciding about a model", () => {
  afterEach(() => vi.unstubAllGlobals());

  it("offers live only to somebody else than the one who approved, and says why not", () => {
    show({ may_approve: false, may_go_live: false, approved_by: [{ username: "ann", display_name: "Ann" }] });
    expect(screen.getByRole("button", { name: "Go live…" })).toBeDisabled();
    expect(screen.getByRole("button", { name: "Approve for live…" })).toBeDisabled();
    expect(screen.getByText(/another administrator than the one who moves it/)).toBeVisible();
    expect(screen.getByText("Approved for live by Ann.")).toBeVisible();
  });

  it("asks for a reason, says what follows, and sends both", async () => {
    const fetched = vi.fn(() =>
      Promise.resolve(new Response(JSON.stringify(detail("7", { state: "retired", moves: ["shadow"] })))),
    );
    vi.stubGlobal("fetch", fetched);
    show();
    await userEvent.click(screen.getByRole("button", { name: "Retire…" }));
    expect(screen.getByText(/end as not analysed/)).toBeVisible();
    const confirm = screen.getByRole("button", { name: "Retire" });
    expect(confirm).toBeDisabled();
    await userEvent.type(screen.getByRole("textbox"), "Scanner replaced");
    await userEvent.click(confirm);
    const [path, options] = fetched.mock.calls[0] as unknown as [string, RequestInit];
    expect(path).toBe("/api/models/7/set-state/");
    expect(JSON.parse(options.body as string)).toEqual({ state: "retired", reason: "Scanner replaced" });
  });

  it("keeps what was typed when the server refuses, and shows its words", async () => {
    const refusal = { title: "Not approved", status: 409, detail: "ich 1.0 needs the approval of another" };
    vi.stubGlobal("fetch", () => Promise.resolve(new Response(JSON.stringify(refusal), { status: 409 })));
    show({ may_go_live: true });
    await userEvent.click(screen.getByRole("button", { name: "Go live…" }));
    await userEvent.type(screen.getByRole("textbox"), "Agreed");
    await userEvent.click(screen.getByRole("button", { name: "Go live" }));
    expect(await screen.findByRole("alert")).toHaveTextContent("needs the approval of another");
    expect(screen.getByRole("textbox")).toHaveValue("Agreed");
  });
});
