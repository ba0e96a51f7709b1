import { describe, expect, it } from "vitest";

import { blankAfter, blankBefore, blanksOf, expandMacro, type Macro } from "./blanks";

const TEXT = "Along the [side] convexity, [acute / chronic].";
const MACROS: Macro[] = [
  { name: "sdh", section: "findings", text: "Hematoma on the [side]." },
  { name: "ok", section: "findings", text: "Normal." },
  { name: "called", section: "impression", text: "Called [name]." },
];

describe("places to fill", () => {
  it("are found one after the other, forwards and back", () => {
    expect(blanksOf(TEXT).map(({ start, end }) => TEXT.slice(start, end))).toEqual([
      "[side]",
      "[acute / chronic]",
    ]);
    expect(blankAfter(TEXT, 0)?.start).toBe(10);
    expect(blankAfter(TEXT, 16)?.start).toBe(28);
    expect(blankAfter(TEXT, 40)).toBeNull();
    expect(blankBefore(TEXT, TEXT.length)?.start).toBe(28);
    expect(blankBefore(TEXT, 28)?.start).toBe(10);
    expect(blankBefore(TEXT, 10)).toBeNull();
  });

  it("end at the line and do not nest", () => {
    expect(blanksOf("[a\nb] [[x]]").map(({ start }) => start)).toEqual([7]);
  });
});

describe("a macro", () => {
  it("stands for its text and selects its first place to fill", () => {
    const made = expandMacro("Skull intact. .sdh", 18, MACROS, "findings");
    expect(made?.text).toBe("Skull intact. Hematoma on the [side].");
    expect(made && made.text.slice(made.start, made.end)).toBe("[side]");
  });

  it("puts the caret behind a text without places", () => {
    expect(expandMacro(".ok more", 3, MACROS, "findings")).toEqual({
      text: "Normal. more",
      start: 7,
      end: 7,
    });
  });

  it("is none of another section, none inside a word, none unknown", () => {
    expect(expandMacro(".called", 7, MACROS, "findings")).toBeNull();
    expect(expandMacro("5.ok", 4, MACROS, "findings")).toBeNull();
    expect(expandMacro(".nothing", 8, MACROS, "findings")).toBeNull();
  });
});
