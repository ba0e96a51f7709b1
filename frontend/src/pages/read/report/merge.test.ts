import { describe, expect, it } from "vitest";

import { diffWords, mergeTexts, placeChange } from "./merge";

describe("two versions of a report", () => {
  const base = { findings: "A", impression: "B" };

  it("join without a question when different sections changed", () => {
    const merged = mergeTexts(base, { ...base, findings: "A mine" }, { ...base, impression: "B theirs" });
    expect(merged).toEqual({ texts: { findings: "A mine", impression: "B theirs" }, conflicts: [] });
  });

  it("conflict where both changed one section, and my text stays until I choose", () => {
    const merged = mergeTexts(base, { ...base, impression: "mine" }, { ...base, impression: "theirs" });
    expect(merged.texts.impression).toBe("mine");
    expect(merged.conflicts).toEqual([{ key: "impression", mine: "mine", theirs: "theirs" }]);
  });

  it("do not conflict when both wrote the same", () => {
    const same = { ...base, impression: "same" };
    expect(mergeTexts(base, same, same).conflicts).toEqual([]);
  });

  it("show their difference word by word", () => {
    expect(diffWords("no acute bleed seen", "no old bleed seen")).toEqual([
      { text: "no ", in: "both" },
      { text: "acute", in: "mine" },
      { text: "old", in: "theirs" },
      { text: " bleed seen", in: "both" },
    ]);
  });
});

describe("what my own click made the server write while I typed", () => {
  it("joins what I typed, whichever came first", () => {
    expect(placeChange("", "Called to ER.", "Hemorrhage, left.")).toBe("Called to ER.\nHemorrhage, left.");
    expect(placeChange("A.", "A. B.", "A.\nHemorrhage.")).toBe("A. B.\nHemorrhage.");
    expect(placeChange("A.", "A. Hemorrhage.", "A.\nHemorrhage.")).toBe("A. Hemorrhage.");
  });

  it("leaves my text when the click took a sentence out", () => {
    expect(placeChange("A.\nHemorrhage.", "A, B.\nHemorrhage.", "A.")?.trim()).toBe("A, B.");
  });

  it("is a question again when its place is gone", () => {
    expect(placeChange("A.\nHemorrhage.", "Something else", "A.")).toBeNull();
  });
});
