// @vitest-environment happy-dom
import { afterEach, describe, expect, it, vi } from "vitest";

import { canDictate, dictate, placeSpeech, written } from "./dictation";

describe("dictation", () => {
  afterEach(() => vi.unstubAllGlobals());

  it("is there only where the browser has it", () => {
    expect(canDictate()).toBe(false);
    expect(dictate(vi.fn(), vi.fn())).toBeNull();
  });

  it("writes spoken punctuation as signs and spaces words", () => {
    expect(written("no bleed full stop new line skull intact period")).toBe("no bleed.\n skull intact.");
    expect(placeSpeech("Seen", 4, "no bleed")).toEqual({ text: "Seen no bleed", caret: 13 });
    expect(placeSpeech("Seen", 4, "comma")).toEqual({ text: "Seen,", caret: 5 });
    expect(placeSpeech("ab", 1, "  ")).toEqual({ text: "ab", caret: 1 });
  });

  it("hands over whole phrases, and says why it ended", () => {
    class Fake {
      static last: Fake;
      onresult: (event: unknown) => void = () => undefined;
      onerror: (event: unknown) => void = () => undefined;
      onend: () => void = () => undefined;
      start = vi.fn();
      stop = vi.fn();
      constructor() {
        Fake.last = this;
      }
    }
    vi.stubGlobal("webkitSpeechRecognition", Fake);
    const phrase = vi.fn();
    const end = vi.fn();
    const dictating = dictate(phrase, end);
    Fake.last.onresult({
      resultIndex: 0,
      results: [
        { isFinal: false, 0: { transcript: "no" } },
        { isFinal: true, 0: { transcript: "no bleed" } },
      ],
    });
    expect(phrase.mock.calls).toEqual([["no bleed"]]);
    Fake.last.onerror({ error: "not-allowed" });
    Fake.last.onend();
    expect(end.mock.calls[0]?.[0]).toContain("Allow the microphone");
    dictating?.stop();
    expect(Fake.last.stop).toHaveBeenCalled();
  });
});
