// @vitest-environment happy-dom
import { render, screen } from "@testing-library/react";
import { expect, test } from "vitest";

import type { Finding } from "../../api/types";
import { finding, item } from "../../test/samples";
import { FindingsPanel } from "./FindingsPanel";

const nothing = () => undefined;

function show(one: Finding) {
  render(
    <FindingsPanel
      item={item("1", 10, { ai_status: "done", findings: [one] })}
      runs={[]}
      selected={null}
      overlay={false}
      opacity={0.35}
      onOpacity={nothing}
      mayDecide
      onSelect={nothing}
      onDecide={nothing}
      onJump={nothing}
      onOverlay={nothing}
    />,
  );
}

test("a finding tells its midline shift, its method and what the prior says of it", () => {
  show(
    finding({
      midline_shift_mm: 6.2,
      midline_shift_uncertainty_mm: 1.8,
      comparison: {
        state: "grown",
        prior_study_instance_uid: "1.9",
        prior_study_date: "2026-11-20",
        known_since: "2026-11-20",
        growth_ml: 8,
        text: "grown by 8.0 mL since 20 Nov 2026",
      },
    }),
  );
  const card = screen.getByTestId("finding-card");
  expect(card.textContent.replaceAll("\u00a0", " ")).toContain("midline shift 6 ± 2 mm to the left");
  expect(card.textContent).toContain("probability by logistic on log volume and peak");
  expect(screen.getByTestId("finding-comparison").textContent).toBe("Grown by 8.0 mL since 20 Nov 2026");
});

const opinion = {
  agreement: "disagree" as const,
  model: "blast_ct",
  model_version: "1.0.0",
  probability: 0.02,
  text: "models disagree: blast_ct 1.0.0 does not find it (0.02); the place on the list stays",
};

test("a second model that does not find it is told in words beside the finding", () => {
  show(finding({ second_opinion: opinion }));
  const told = screen.getByTestId("second-opinion");
  expect(told.textContent).toContain("Models disagree: blast_ct 1.0.0 does not find it");
  expect(told.dataset.agreement).toBe("disagree");
});

test("it is told where the quick model found nothing, too", () => {
  show(finding({ presence: "absent", probability: 0.1, second_opinion: opinion }));
  expect(screen.getByTestId("second-opinion")).toBeTruthy();
});

test("without a second opinion nothing is said of one", () => {
  show(finding());
  expect(screen.queryByTestId("second-opinion")).toBeNull();
});
