import { describe, expect, it } from "vitest";

import type { PushedBackRow } from "../../api/types";
import { barsOf, daysBefore, minutesInWords } from "./words";

const row = (day: string, minutes_total: number): PushedBackRow => ({
  day,
  priority_class: "routine",
  studies_passed: 1,
  promotions: 1,
  minutes_total,
  minutes_median: null,
  minutes_longest: null,
  not_settled: 0,
});

describe("the ledger in words", () => {
  it("says minutes and hours, and a dash while nothing is known", () => {
    expect([null, 0, 0.4, 59.6, 125].map(minutesInWords)).toEqual([
      "–",
      "0 min",
      "< 1 min",
      "1 h",
      "2 h 5 min",
    ]);
  });

  it("draws each day once, the first day first, against the longest", () => {
    const bars = barsOf([row("2026-11-25", 10), row("2026-11-24", 15), row("2026-11-24", 5)]);
    expect(bars).toEqual([
      { day: "2026-11-24", minutes: 20, share: 1 },
      { day: "2026-11-25", minutes: 10, share: 0.5 },
    ]);
    expect(barsOf([row("2026-11-24", 0)])[0]?.share).toBe(0);
  });

  it("counts days back over months", () => {
    expect(daysBefore("2026-03-01", 1)).toBe("2026-02-28");
  });
});
