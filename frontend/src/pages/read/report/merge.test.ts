import { describe, expect, it } from "vitest";

import { diffWords, mergeTexts } from "./merge";

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
