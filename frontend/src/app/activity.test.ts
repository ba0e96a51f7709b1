import { describe, expect, it } from "vitest";

import { secondsToSignOut } from "./activity";

describe("the idle session", () => {
  it("is warned of in its last minute only, and ends at zero", () => {
    expect(secondsToSignOut(0, 900, 0)).toBeNull();
    expect(secondsToSignOut(839_000, 900, 0)).toBeNull();
    expect(secondsToSignOut(840_000, 900, 0)).toBe(60);
    expect(secondsToSignOut(899_500, 900, 0)).toBe(1);
    expect(secondsToSignOut(960_000, 900, 0)).toBe(0);
  });
});
