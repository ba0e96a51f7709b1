// @vitest-environment happy-dom
import { MantineProvider } from "@mantine/core";
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, describe, expect, it, vi } from "vitest";

import type { Check } from "../../../api/types";
import { SignBar, type Signs } from "./SignBar";

const EMPTY: Check = {
  code: "empty_impression",
  text: "The impression is empty. Write it.",
  blocking: true,
  overridable: true,
};

function bar(signs: Signs, { asksPassword = false, checks = [] as Check[] } = {}) {
  const onSign = vi.fn();
  render(
    <MantineProvider>
      <SignBar
        signs={signs}
        asksPassword={asksPassword}
        status="saved"
        problem=""
        checks={checks}
        signing={false}
        obstacle=""
        error=""
        onSign={onSign}
      />
    </MantineProvider>,
  );
  return onSign;
}

describe("the signature", () => {
  afterEach(cleanup);

  it("of an attending is final, or preliminary when they ask for it", () => {
    const onSign = bar("final");
    fireEvent.click(screen.getByTestId("sign"));
    expect(onSign).toHaveBeenLastCalledWith({ overrides: [], preliminary: false, password: "" });
    fireEvent.click(screen.getByTestId("sign-preliminary"));
    expect(onSign).toHaveBeenLastCalledWith({ overrides: [], preliminary: true, password: "" });
  });

  it("of a resident is preliminary and offers nothing else", () => {
    const onSign = bar("preliminary");
    expect(screen.queryByTestId("sign-preliminary")).toBeNull();
    fireEvent.click(screen.getByText("Sign preliminary"));
    expect(onSign).toHaveBeenLastCalledWith({ overrides: [], preliminary: true, password: "" });
  });

  it("stays a wet read when its checks are answered", () => {
    const onSign = bar("final", { checks: [EMPTY] });
    fireEvent.click(screen.getByTestId("sign-preliminary"));
    fireEvent.change(screen.getByTestId("override-reason"), { target: { value: "Technical failure" } });
    fireEvent.click(screen.getByTestId("sign-anyway"));
    expect(onSign).toHaveBeenLastCalledWith(expect.objectContaining({ preliminary: true }));
  });

  it("under a preliminary report is called by its name", () => {
    bar("cosign");
    expect(screen.getByTestId("sign").textContent).toContain("Co-sign");
  });

  it("goes with the password and with the reason for each open check", () => {
    const onSign = bar("final", { asksPassword: true, checks: [EMPTY] });
    fireEvent.change(screen.getByTestId("sign-password"), { target: { value: "secret" } });
    fireEvent.change(screen.getByTestId("override-reason"), { target: { value: " Nothing to see " } });
    fireEvent.click(screen.getByTestId("sign-anyway"));
    expect(onSign).toHaveBeenLastCalledWith({
      overrides: [{ code: "empty_impression", reason: "Nothing to see" }],
      preliminary: false,
      password: "secret",
    });
  });
});
