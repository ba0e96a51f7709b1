import { describe, expect, it } from "vitest";

import type { PolicyDocument } from "../../api/types";
import { policyInWords, previewInWords, withMinutes } from "./words";

const row = (er: number) => ({ er, icu: er, inpatient: er, outpatient: er });
const policy: PolicyDocument = {
  target_minutes: { stat: row(30), asap: row(60), routine: row(120) },
  minutes_without_order: 240,
  maximum_wait_minutes: { stat: 60, asap: 240, routine: 1440 },
  finding_minutes: { critical: 10, urgent: 60 },
  ages: [{ from_years: 0, below_years: 1, minutes: 45 }],
};

describe("a policy in words", () => {
  it("says what promotes and by how much", () => {
    const words = policyInWords(policy).join(" ");
    expect(words).toContain("critical finding within 10 min of the result");
    expect(words).toContain("Patients of 0 to below 1 years are due within 45 min.");
    expect(policyInWords({ ...policy, finding_minutes: {} }).join(" ")).toContain("No finding of AI");
  });

  it("says who would move", () => {
    const preview = { open: 41, looked_at: 41, up: 7, down: 3, sooner: 2, later: 1, examples: [] };
    expect(previewInWords(preview)).toMatch(/^Of 41 open studies 7 would move up, 3 down;/);
    expect(previewInWords({ ...preview, open: 5000 })).toContain("41 most urgent of 5000");
  });

  it("changes one figure and leaves the original alone", () => {
    expect(withMinutes(policy, "target_minutes.stat.er", 20).target_minutes.stat.er).toBe(20);
    expect(withMinutes(policy, "finding_minutes.urgent", null).finding_minutes).toEqual({ critical: 10 });
    expect(policy.target_minutes.stat.er).toBe(30);
  });
});
