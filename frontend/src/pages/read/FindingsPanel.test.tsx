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
      mayDecide
      onSelect={nothing}
      onDecide={nothing}
      onJump={nothing}
      onOverlay={nothing}
    />,
  );
}

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
