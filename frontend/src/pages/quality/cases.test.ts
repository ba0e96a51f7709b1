import { describe, expect, it } from "vitest";

import { review } from "../../test/samples";
import { casesOf, cellOf, queueLength } from "./cases";

describe("the cases of a number", () => {
  it("stand in the field that AI and the truth give, and QA's verdict overrules the signature", () => {
    expect(cellOf(review("1"))).toBe("tp");
    expect(cellOf(review("1", { verdict: "negative" }))).toBe("fp");
    expect(cellOf(review("1", { ai_result: "negative" }))).toBe("fn");
    expect(cellOf(review("1", { ai_result: "negative", reader_result: "negative" }))).toBe("tn");
  });

  it("leave out what cannot be compared", () => {
    expect(cellOf(review("1", { ai_result: "not_analysed" }))).toBeNull();
    expect(cellOf(review("1", { ai_result: "failed" }))).toBeNull();
    expect(cellOf(review("1", { reader_result: "uncertain" }))).toBeNull();
    expect(cellOf(review("1", { verdict: "indeterminate" }))).toBeNull();
  });

  it("come pending first, disagreements before the rest, then the latest", () => {
    const list = [
      review("done", { state: "agreed" }),
      review("old", { signed_at: "2026-11-01T00:00:00Z" }),
      review("new"),
      review("differs", { concordance: "discordant", signed_at: "2026-10-01T00:00:00Z" }),
    ];
    expect(casesOf(list, { view: "all", model: "" }).map((one) => one.id)).toEqual([
      "differs",
      "new",
      "old",
      "done",
    ]);
  });

  it("of the queue are pending and sampled", () => {
    const list = [
      review("1", { sampled: "random" }),
      review("2"),
      review("3", { sampled: "random", state: "agreed" }),
    ];
    expect(queueLength(list)).toBe(1);
  });

  it("of one model are that model's only", () => {
    const list = [review("1"), review("2", { model_version: "0.2.0" })];
    expect(casesOf(list, { view: "tp", model: "ich_demo 0.2.0" }).map((one) => one.id)).toEqual(["2"]);
  });
});
