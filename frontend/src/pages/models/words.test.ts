import { describe, expect, it } from "vitest";

import { model } from "../../test/models";
import { agreement, comparable, decisionWords, ordered } from "./words";

describe("the list of models", () => {
  it("shows what is in use first, and of one name the newest version", () => {
    const list = [
      model("1", { state: "retired" }),
      model("2", { state: "shadow", version: "1", registered_at: "2026-11-01T00:00:00Z" }),
      model("3", { state: "shadow", version: "2", registered_at: "2026-11-02T00:00:00Z" }),
      model("4", { state: "draft" }),
      model("5", { state: "live", name: "z" }),
    ];
    expect(ordered(list).map((one) => one.id)).toEqual(["5", "3", "2", "4", "1"]);
  });
});

describe("what a model can be compared with", () => {
  it("looks for the same finding; other versions of it come first", () => {
    const mine = model("1");
    const chest = model("2", {
      name: "cxr",
      targets: mine.targets.map((one) => ({ ...one, code: "36118008" })),
    });
    const rival = model("3", { name: "a-rival", state: "live" });
    const older = model("4", { state: "retired" });
    expect(comparable(mine, [mine, chest, rival, older]).map((one) => one.id)).toEqual(["4", "3"]);
  });
});

describe("words", () => {
  const decision = {
    id: "1",
    at: "2026-11-24T10:00:00Z",
    by: { username: "ann", display_name: "Ann" },
    action: "moved" as const,
    from_state: "shadow",
    to_state: "live",
    reason: "Good",
  };

  it("say who decided what", () => {
    expect(decisionWords(decision)).toBe("Ann moved it from shadow to live");
    expect(decisionWords({ ...decision, action: "approved" })).toBe("Ann approved it for live");
    expect(decisionWords({ ...decision, action: "registered", by: null })).toBe(
      "The house registered it as live",
    );
  });

  it("of agreement are a share with its numbers, and nothing where nothing was compared", () => {
    expect(agreement({ both: 2, only_a: 1, only_b: 0, neither: 5 })).toBe("7 of 8 studies (88 %)");
    expect(agreement({ both: 0, only_a: 0, only_b: 0, neither: 0 })).toBeNull();
  });
});
