// @vitest-environment happy-dom
import { MantineProvider } from "@mantine/core";
import { render, screen, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";

import type { ModelComparison } from "../../api/types";
import { Comparison } from "./ComparisonPage";

const found: ModelComparison = {
  a: { id: "1", name: "ich", version: "1.0", state: "live" },
  b: { id: "2", name: "ich", version: "2.0", state: "shadow" },
  findings: [
    { code: "1386000", meaning: "Intracranial hemorrhage", both: 4, only_a: 1, only_b: 0, neither: 15 },
  ],
  only_a_analysed: 3,
  only_b_analysed: 0,
  count: 1,
  next: null,
  previous: null,
  results: [
    {
      study_instance_uid: "1.2.3",
      accession_number: "ACC1",
      study_date: "2026-11-24",
      study_description: "SYNTHETIC Head",
      patient: { id: "SYN-1", name: "SYNTHETIC^A", birth_date: null, age: null, sex: "F" },
      code: "1386000",
      a: { run_id: "1", presence: "present", probability: 0.93, volume_ml: 31 },
      b: { run_id: "2", presence: "absent", probability: 0.1, volume_ml: null },
      report: null,
    },
  ],
};

function show(change: Partial<ModelComparison> = {}) {
  render(
    <MantineProvider env="test">
      <Comparison found={{ ...found, ...change }} reads={true} />
    </MantineProvider>,
  );
}

describe("two models side by side", () => {
  it("show their agreement and each case with both answers", () => {
    show();
    expect(screen.getByText("19 of 20 studies (95 %)")).toBeVisible();
    const row = within(screen.getByTestId("compared-case"));
    expect(row.getByText(/possible 0.93/)).toBeVisible();
    expect(row.getByText(/nothing found 0.10/)).toBeVisible();
    expect(screen.queryByText(/normal|negative/)).toBeNull();
  });

  it.each([
    [null, "not signed yet"],
    ["present", "is there, as ich 1.0"],
    ["absent", "is not there, as ich 2.0"],
    ["indeterminate", "cannot be decided"],
    ["not_stated", "not stated"],
  ] as const)("stand beside what the signed report concluded: %s", (conclusion, words) => {
    const report = conclusion && { conclusion, state: "final" as const, signed_at: "2026-11-24T10:00:00Z" };
    show({ results: found.results.map((one) => ({ ...one, report })) });
    expect(within(screen.getByTestId("compared-case")).getByText(words)).toBeVisible();
  });

  it("that agree say so without calling it right", () => {
    show({ results: [], count: 0 });
    expect(screen.getByText(/Agreement does not say that either is right/)).toBeVisible();
  });
});
