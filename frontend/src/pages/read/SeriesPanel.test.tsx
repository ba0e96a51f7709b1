// @vitest-environment happy-dom
import { render, screen } from "@testing-library/react";
import { expect, test } from "vitest";

import type { PlannedModel, TriagePlan, TriageRun } from "../../api/types";
import { SeriesPanel } from "./SeriesPanel";

const series = (part: Partial<PlannedModel["series"][number]>): PlannedModel["series"][number] => ({
  series_instance_uid: "1.2",
  series_number: 2,
  series_description: "AX 5MM",
  modality: "CT",
  slices: 32,
  chosen: false,
  verdict: "fits",
  reason: "",
  score: 90,
  parts: [{ about: "kernel", points: 20, text: "a soft kernel" }],
  ...part,
});

const plan: TriagePlan = {
  study_instance_uid: "1",
  planned_at: "2026-11-24T12:00:00Z",
  reason: "",
  models: [
    {
      model: "ich_demo",
      model_version: "0.2.0",
      model_state: "live",
      analyse: true,
      reason: "",
      chosen_series_instance_uid: "1.2",
      series: [
        series({ chosen: true, reason: "chosen with 90 points: a soft kernel" }),
        series({
          series_instance_uid: "1.3",
          series_number: 3,
          series_description: "BONE",
          verdict: "unfit",
          reason: "reconstructed with a sharp kernel",
        }),
      ],
    },
  ],
};

test("every series is there with its reason, and the chosen one is marked", () => {
  render(<SeriesPanel plan={plan} runs={[]} />);
  const [chosen, other] = screen.getAllByTestId("considered-series");
  expect(chosen).toHaveTextContent("Series 2, AX 5MM");
  expect(chosen).toHaveAttribute("data-chosen");
  expect(chosen).toHaveAttribute("title", "+20 a soft kernel");
  expect(other).toHaveTextContent("Series 3, BONE");
  expect(other).toHaveTextContent("reconstructed with a sharp kernel");
  expect(other).not.toHaveAttribute("data-chosen");
});

test("what a run noticed about its images is told", () => {
  const run = {
    model: "ich_demo",
    model_version: "0.2.0",
    series_instance_uid: "1.2",
    state: "done",
    outcome_reason: "a slice seems to be missing",
  } as TriageRun;
  render(<SeriesPanel plan={plan} runs={[run]} />);
  expect(screen.getByTestId("input-notes")).toHaveTextContent("a slice seems to be missing");
});

test("nothing is shown before the plan is known, and without models the reason is", () => {
  const { container, rerender } = render(<SeriesPanel plan={undefined} runs={[]} />);
  expect(container).toBeEmptyDOMElement();
  rerender(<SeriesPanel plan={{ ...plan, models: [], reason: "no live model" }} runs={[]} />);
  expect(screen.getByTestId("series-panel")).toHaveTextContent("no live model");
});
