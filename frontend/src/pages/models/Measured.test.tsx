// @vitest-environment happy-dom
import { render, screen } from "@testing-library/react";
import { describe, expect, it } from "vitest";

import { Measured } from "./ModelPage";

describe("where a model's figures are", () => {
  it("links the report of exactly these files", () => {
    render(<Measured id="7" name="ich_demo" known />);
    expect(screen.getByRole("link")).toHaveAttribute("href", "/api/models/7/evaluation/report/");
  });

  it("says how to get one where there is none, and claims nothing", () => {
    render(<Measured id="7" name="ich_demo" known={false} />);
    expect(screen.queryByRole("link")).toBeNull();
    expect(screen.getByText(/Not evaluated/)).toHaveTextContent("manage.py evaluate ich_demo FOLDER");
  });
});
