import { describe, expect, it } from "vitest";

import { finding, item, NOON } from "../test/samples";
import { formatDay, formatMoment, setTimeZone } from "./dates";
import { formatRemaining, speakRemaining, urgencyOf } from "./remaining";

const MINUTE = 60_000;

describe("time left", () => {
  it.each([
    [45_000, "45s"],
    [4 * MINUTE + 59_000, "4m"],
    [65 * MINUTE, "1h 05m"],
    [51 * 60 * MINUTE, "2d 3h"],
    [0, "0s"],
    [-30_000, "−30s"],
    [-3 * MINUTE, "−3m"],
    [-75 * MINUTE, "−1h 15m"],
  ])("of %d ms is written %s", (ms, text) => {
    expect(formatRemaining(ms)).toBe(text);
  });

  it("is spoken in words, with overdue said as such", () => {
    expect(speakRemaining(65 * MINUTE)).toBe("due in 1 hour 5 minutes");
    expect(speakRemaining(-1 * MINUTE)).toBe("overdue by 1 minute");
    expect(speakRemaining(20_000)).toBe("due in 0 minutes");
  });

  it("is red only for a patient in danger: overdue and urgent by order, place or AI", () => {
    expect(urgencyOf(item("1", -1), NOON)).toBe("soon");
    expect(urgencyOf(item("1", -1, { priority_class: "stat" }), NOON)).toBe("danger");
    expect(urgencyOf(item("1", -1, { location_class: "er" }), NOON)).toBe("danger");
    expect(urgencyOf(item("1", -1, { findings: [finding()] }), NOON)).toBe("danger");
    expect(urgencyOf(item("1", -1, { findings: [finding({ presence: "absent" })] }), NOON)).toBe("soon");
  });

  it("is amber in the last thirty minutes and calm before", () => {
    const stat = { priority_class: "stat" } as const;
    expect(urgencyOf(item("1", 29, stat), NOON)).toBe("soon");
    expect(urgencyOf(item("1", 31, stat), NOON)).toBe("calm");
  });
});

describe("dates", () => {
  it("are written as 24 Nov 14:32 in the user's zone, with the year only when it is another", () => {
    setTimeZone("Europe/Berlin");
    expect(formatMoment("2026-11-24T13:32:00Z", NOON)).toBe("24 Nov 14:32");
    expect(formatMoment("2025-09-01T22:05:00Z", NOON)).toBe("2 Sep 2025 00:05");
    expect(formatMoment(null)).toBe("–");
  });

  it("of birth are calendar days and never shift with the zone", () => {
    setTimeZone("America/Los_Angeles");
    expect(formatDay("1955-03-04")).toBe("4 Mar 1955");
    expect(formatDay("19550304")).toBe("4 Mar 1955");
    expect(formatDay(null)).toBe("–");
  });

  it("fall back to the computer's zone for a zone that does not exist", () => {
    setTimeZone("Nowhere/City");
    expect(formatMoment("2026-11-24T13:32:00Z", NOON)).toMatch(/^\d+ Nov \d\d:\d\d$/);
  });
});
