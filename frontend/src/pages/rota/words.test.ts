import { beforeEach, describe, expect, it } from "vitest";

import { fromLocalInput, setTimeZone, toLocalInput } from "../../time/dates";
import type { Gap, Shift } from "./rota";
import { dutyWords, gapWords, spanWords, week } from "./words";

beforeEach(() => setTimeZone("Europe/Berlin"));

function shift(starts_at: string, ends_at: string, changes: Partial<Shift> = {}): Shift {
  return {
    id: starts_at,
    duty: "reading",
    person: { username: "anna", display_name: "Dr. Anna" },
    group: { id: "1", name: "Neuro" },
    department: "",
    position: 1,
    starts_at,
    ends_at,
    note: "",
    imported: false,
    cancelled_at: null,
    is_mine: false,
    ...changes,
  };
}

const gap: Gap = {
  duty: "reading",
  group: { id: "1", name: "Neuro" },
  department: "",
  starts_at: "2026-11-28T17:00:00Z",
  ends_at: "2026-11-29T07:00:00Z",
  has_members: true,
  text: "",
};

describe("the calendar in words", () => {
  it("says spans and gaps in the reader's time zone", () => {
    expect(gapWords(gap)).toBe("Neuro has nobody from Sat 28 Nov 18:00 to Sun 29 Nov 08:00");
    expect(spanWords("2026-11-28T07:00:00Z", "2026-11-28T15:00:00Z")).toBe("Sat 28 Nov 08:00 to 16:00");
    expect(gapWords({ ...gap, has_members: false })).toContain("Neuro has no members");
    expect(dutyWords(shift("", "", { duty: "on_call", group: null, department: "ER", position: 2 }))).toBe(
      "on call 2, ER",
    );
  });

  it("puts a night on both of its days, and one that ends at midnight on the first only", () => {
    const night = shift("2026-11-28T17:00:00Z", "2026-11-29T07:00:00Z");
    const evening = shift("2026-11-28T15:00:00Z", "2026-11-28T23:00:00Z");
    const days = week([evening, night], [gap], Date.parse("2026-11-27T23:30:00Z"));
    expect(days.map((day) => day.label)).toEqual([
      "Sat 28 Nov",
      "Sun 29 Nov",
      "Mon 30 Nov",
      "Tue 1 Dec",
      "Wed 2 Dec",
      "Thu 3 Dec",
      "Fri 4 Dec",
    ]);
    expect(days.slice(0, 3).map((day) => [day.shifts.length, day.gaps.length])).toEqual([
      [2, 1],
      [1, 1],
      [0, 0],
    ]);
  });
});

describe("a date and time as it is typed", () => {
  it("is a moment of the reader's zone, on the nights of a clock change too", () => {
    const moment = (text: string) => new Date(fromLocalInput(text)).toISOString();
    expect(moment("2026-11-28T18:00")).toBe("2026-11-28T17:00:00.000Z");
    expect(moment("2026-03-28T22:00")).toBe("2026-03-28T21:00:00.000Z");
    expect(moment("2026-03-29T08:00")).toBe("2026-03-29T06:00:00.000Z");
    expect(moment("2026-03-29T02:30")).toBe("2026-03-29T01:30:00.000Z");
    expect(moment("2026-10-25T02:30")).toBe("2026-10-25T00:30:00.000Z");
    expect(toLocalInput(fromLocalInput("2026-07-01T09:15"))).toBe("2026-07-01T09:15");
    expect(fromLocalInput("soon")).toBeNaN();
  });
});
