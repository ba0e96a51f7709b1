import { describe, expect, it } from "vitest";

import { sampleDelivery } from "../../test/deliveries";
import { stateWords } from "./words";

describe("where a delivery stands", () => {
  it("names what keeps it, before its own state", () => {
    expect(stateWords(sampleDelivery({ state: "waiting", blocked: true }))).toBe(
      "waits for the version before",
    );
    expect(stateWords(sampleDelivery({ state: "failed", paused: true }))).toContain("does not answer");
    expect(stateWords(sampleDelivery({ state: "dead" }))).toBe("given up");
  });
});
