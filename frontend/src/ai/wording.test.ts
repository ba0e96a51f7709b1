import { describe, expect, it } from "vitest";

import type { AiStatus } from "../api/types";
import { finding, item } from "../test/samples";
import { aiLine, midlineText, ppvLong, ppvShort, probabilityText, probabilityWords } from "./wording";

const line = (ai_status: AiStatus, ai_reason = "", findings = [] as ReturnType<typeof finding>[]) =>
  aiLine(item("1", 10, { ai_status, ai_reason, findings }));

describe("what is said about AI", () => {
  it("names a flag with probability, size and this site's own predictive value", () => {
    expect(line("done", "", [finding()])).toEqual({
      tone: "flag",
      text: "possible intracranial hemorrhage",
      detail: "0.93 · 31 mL · PPV 71 % (of 84)",
    });
  });

  it("says that there are no local figures instead of inventing some", () => {
    expect(line("done", "", [finding({ ppv: null, volume_ml: 4.2 })]).detail).toBe(
      "0.93 · 4.2 mL · no local PPV yet",
    );
    expect(ppvShort({ value: 0, low: 0, high: 1, flags: 0, true_flags: 0 })).toBe("no local PPV yet");
    expect(ppvLong(null)).toMatch(/^No local figures yet/);
  });

  it("calls a shift of the midline one only beyond its uncertainty", () => {
    const shifted = { midline_shift_mm: -6.4, midline_shift_uncertainty_mm: 2.1 };
    expect(midlineText(finding(shifted))).toBe("midline shift 6 ± 2 mm to the right");
    expect(midlineText(finding({ ...shifted, midline_shift_mm: 1.9 }))).toBe("");
    expect(midlineText(finding())).toBe("");
  });

  it("tells nothing found with the model's name", () => {
    const absent = finding({ presence: "absent", probability: 0.03 });
    expect(line("done", "", [absent]).text).toBe("nothing found by ich_demo 0.1.0");
  });

  it("gives the reason when there is no answer", () => {
    expect(line("not_analysed", "slices too thick").text).toBe("not analysed: slices too thick");
    expect(line("failed", "out of memory").text).toBe("failed: out of memory");
  });

  it("keeps a flag in sight while a newer run is under way", () => {
    expect(line("running", "", [finding()]).tone).toBe("flag");
  });

  it("leads with the most probable flag and tells what the reader made of it", () => {
    const findings = [finding({ id: "a", probability: 0.5 }), finding({ id: "b", decision: "rejected" })];
    expect(line("done", "", findings).text).toBe("possible intracranial hemorrhage (rejected)");
  });

  it("says how many other kinds of finding there are, once each", () => {
    const findings = [
      finding({ id: "a", probability: 0.9, code: "36118008", meaning: "Pneumothorax" }),
      finding({ id: "b", probability: 0.6, code: "60046008", meaning: "Pleural effusion" }),
      finding({ id: "c", probability: 0.5, code: "60046008", meaning: "Pleural effusion" }),
      finding({ id: "d", probability: 0.1, code: "33737001", meaning: "Rib fracture", presence: "absent" }),
    ];
    expect(line("done", "", findings).text).toBe("possible pneumothorax, 1 more");
  });

  it.each<AiStatus>(["not_applicable", "waiting", "running", "done", "failed", "not_analysed"])(
    "never says normal or negative, also when the state is %s",
    (status) => {
      for (const findings of [[], [finding({ presence: "absent" })], [finding()]]) {
        const { text, detail } = line(status, "", findings);
        expect(`${text} ${detail}`).not.toMatch(/normal|negative|clear|unremarkable/i);
        expect(text).not.toBe("");
      }
    },
  );

  it("puts probabilities into the same words everywhere", () => {
    expect([0.95, 0.75, 0.5, 0.25, 0.05].map(probabilityWords)).toEqual([
      "very likely",
      "likely",
      "possible",
      "less likely",
      "unlikely",
    ]);
  });

  it("never rounds a probability into a certainty", () => {
    expect([0.001, 0.03, 0.999].map(probabilityText)).toEqual(["< 0.01", "0.03", "> 0.99"]);
  });

  it("calls a small sample small", () => {
    expect(ppvLong({ value: 0.5, low: 0.1, high: 0.9, flags: 4, true_flags: 2 })).toContain("small sample");
  });
});
