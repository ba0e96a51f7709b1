// @vitest-environment happy-dom
import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";

import { api, queryClient } from "../../api/queries";
import { item } from "../../test/samples";
import { FirstLook } from "./FirstLook";

afterEach(() => vi.restoreAllMocks());

function show(ai_hidden: "after_first_look" | "hidden") {
  render(
    <MantineProvider>
      <QueryClientProvider client={queryClient}>
        <FirstLook item={item("1", 10, { ai_status: "hidden", ai_hidden })} />
      </QueryClientProvider>
    </MantineProvider>,
  );
}

test("an empty first look is not sent, a written one is, by Ctrl+Enter that signs nothing", async () => {
  const sent = vi.spyOn(api, "firstLook").mockResolvedValue({} as never);
  const signs = vi.fn();
  window.addEventListener("keydown", signs);
  show("after_first_look");
  fireEvent.click(screen.getByTestId("commit-first-look"));
  expect(screen.getByRole("alert").textContent).toContain("Say what you see first");
  const field = screen.getByRole("textbox");
  fireEvent.change(field, { target: { value: "No bleed." } });
  fireEvent.keyDown(field, { key: "Enter", ctrlKey: true });
  await waitFor(() => expect(sent).toHaveBeenCalledWith("1.2.1", "No bleed."));
  window.removeEventListener("keydown", signs);
});

test("where AI stays hidden, no first look is asked", () => {
  show("hidden");
  expect(screen.queryByRole("textbox")).toBeNull();
  expect(screen.getByTestId("first-look").textContent).toContain("once the report is signed");
});
