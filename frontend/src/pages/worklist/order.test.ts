import { describe, expect, it } from "vitest";

import { item } from "../../test/samples";
import { joinPages, planUpdate, reselect, upsert } from "./order";

const uids = (items: { study_instance_uid: string }[]) => items.map((one) => one.study_instance_uid);
const ten = Array.from({ length: 10 }, (_, index) => item(String(index), index * 10));

describe("the order of the list", () => {
  it("is the deadline, then the arrival, then the id, whatever order pages come in", () => {
    const a = item("1", 10);
    const b = item("2", 5);
    const c = item("3", 10, { arrived_at: "2026-11-24T10:00:00Z" });
    const d = item("0", 10);
    expect(
      uids(
        joinPages([
          [a, d],
          [c, b],
        ]),
      ),
    ).toEqual(["1.2.2", "1.2.3", "1.2.0", "1.2.1"]);
  });

  it("shows a study once, in its newest version, when pages overlap", () => {
    const joined = joinPages([
      [item("1", 10, { version: 3 })],
      [item("1", 50, { version: 2 }), item("2", 20)],
    ]);
    expect(joined.map((one) => one.version)).toEqual([3, 1]);
  });

  it("does not let an older answer undo a newer row", () => {
    const list = [item("1", 10, { version: 5, is_mine: true })];
    expect(upsert(list, item("1", 10, { version: 4 }))[0]?.is_mine).toBe(true);
    expect(upsert(list, item("1", 99, { version: 6 }))[0]?.version).toBe(6);
  });
});

describe("a new order on the screen", () => {
  const risen = upsert(ten, item("8", -60, { version: 2 }));

  it("slides everything into place while nobody works on the list", () => {
    const plan = planUpdate(ten, risen, { first: 0, size: 6, anchor: null, held: false });
    expect(plan.shift).toBe(0);
    expect(plan.moved.has("1.2.8")).toBe(true);
    expect(plan.moved.has("1.2.0")).toBe(true);
    expect(plan.moved.has("1.2.9")).toBe(false);
  });

  it("keeps the row under the reader where it is and announces what rose above it", () => {
    const plan = planUpdate(ten, risen, { first: 0, size: 6, anchor: "1.2.3", held: true });
    expect(plan.shift).toBe(1);
    expect(plan.above).toEqual(["1.2.8"]);
    expect([...plan.moved]).toEqual(["1.2.8"]);
  });

  it("announces rows that arrive above what is seen, and those that arrive below", () => {
    const after = [item("a", -5), item("b", -4), ...ten, item("z", 900)];
    const plan = planUpdate(ten, after, { first: 2, size: 5, anchor: null, held: true });
    expect(plan.shift).toBe(2);
    expect(plan.above).toEqual(["1.2.a", "1.2.b"]);
    expect(plan.below).toEqual(["1.2.z"]);
  });

  it("scrolls back when rows above were signed and left", () => {
    const plan = planUpdate(ten, ten.slice(2), { first: 4, size: 5, anchor: "1.2.5", held: true });
    expect(plan.shift).toBe(-2);
    expect(plan.above).toEqual([]);
  });

  it("holds on to the next row when the one under the reader itself moved away", () => {
    const after = upsert(ten, item("3", -60, { version: 2 }));
    const plan = planUpdate(ten, after, { first: 2, size: 5, anchor: "1.2.3", held: true });
    expect(plan.shift).toBe(0);
    expect(plan.above).toEqual(["1.2.3"]);
  });

  it("announces nothing on the first load", () => {
    expect(planUpdate([], ten, { first: 0, size: 3, anchor: null, held: false }).below).toEqual([]);
  });
});

describe("the selection", () => {
  it("stays on its study however the list moves", () => {
    expect(reselect("1.2.5", ten, upsert(ten, item("5", -90, { version: 2 })))).toBe("1.2.5");
  });

  it("goes to the study that takes the place of one that left, and to the last at the end", () => {
    expect(
      reselect(
        "1.2.5",
        ten,
        ten.filter((one) => one.id !== "5"),
      ),
    ).toBe("1.2.6");
    expect(reselect("1.2.9", ten, ten.slice(0, 9))).toBe("1.2.8");
    expect(reselect("1.2.9", ten, [])).toBeNull();
    expect(reselect(null, [], ten)).toBe("1.2.0");
  });
});
