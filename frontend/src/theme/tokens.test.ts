import { describe, expect, it } from "vitest";

import { color, tokensToCss } from "./tokens";

function luminance(hex: string): number {
  const channels = [1, 3, 5].map((at) => {
    const share = parseInt(hex.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  const [r = 0, g = 0, b = 0] = channels;
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one: string, other: string): number {
  const [light = 0, dark = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

const TEXTS = [
  "text",
  "textQuiet",
  "textFaint",
  "accent",
  "danger",
  "soon",
  "ai",
  "aiQuiet",
  "good",
] as const;
const GROUNDS = ["background", "surface", "raised", "hover", "selected"] as const;

describe("the colours", () => {
  it.each(TEXTS)("let %s be read on every surface (WCAG AA, 4.5 to 1)", (text) => {
    for (const ground of GROUNDS) {
      expect(contrast(color[text], color[ground]), ground).toBeGreaterThanOrEqual(4.5);
    }
  });

  it("let the loud surfaces be read too", () => {
    expect(contrast("#ffffff", color.dangerStrong)).toBeGreaterThanOrEqual(4.5);
    expect(contrast("#ffffff", color.accentStrong)).toBeGreaterThanOrEqual(4.5);
    for (const text of ["text", "textQuiet", "danger", "ai", "soon"] as const) {
      expect(contrast(color[text], color.dangerSurface), text).toBeGreaterThanOrEqual(4.5);
    }
    expect(contrast(color.soon, color.soonSurface)).toBeGreaterThanOrEqual(4.5);
  });

  it("reach the stylesheets as custom properties", () => {
    expect(tokensToCss()).toContain("--text-quiet: #a3abb8;");
  });
});
