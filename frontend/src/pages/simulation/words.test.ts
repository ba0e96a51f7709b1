import { describe, expect, it } from "vitest";

import { change, interval, minutes, orderWords, steps } from "./words";

describe("how a simulation speaks", () => {
  it("says minutes as people do", () => {
    expect([0.44, 9.3, 56.2, 119.6, 185].map(minutes)).toEqual([
      "0.4 min",
      "9.3 min",
      "56 min",
      "2 h 00",
      "3 h 05",
    ]);
  });

  it("says changes with their sign, and nothing where there is nothing to compare with", () => {
    expect([-0.721, 0.043, 0.001, null].map(change)).toEqual(["−72 %", "+4 %", "±0 %", ""]);
  });

  it("never says that somebody waited less than nothing", () => {
    expect(interval({ value: 1, low: -0.4, high: 2.6 })).toBe("0.0 min to 2.6 min");
    expect(interval({ value: 1, low: null, high: null })).toBe("");
  });

  it("names orders like the list, and cuts an axis into round steps", () => {
    expect(orderWords("stat/er")).toBe("STAT, ER");
    expect(steps(100)).toEqual([0, 20, 40, 60, 80, 100]);
    expect(steps(0.9, 5)).toEqual([0, 0.2, 0.4, 0.6000000000000001, 0.8]);
  });
});
