import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Windows, type Channel } from "./windows";

/** What one window says all others hear, as a BroadcastChannel does. */
class Browser {
  private readonly ends: Channel[] = [];

  channel(): Channel {
    const end: Channel = {
      onmessage: null,
      postMessage: (data) =>
        this.ends
          .filter((other) => other !== end)
          .forEach((other) => other.onmessage?.({ data: structuredClone(data) } as MessageEvent)),
      close: () => this.ends.splice(this.ends.indexOf(end), 1),
    };
    this.ends.push(end);
    return end;
  }
}

describe("the windows of one reader", () => {
  let browser: Browser;
  let list: Windows;

  beforeEach(() => {
    vi.useFakeTimers();
    browser = new Browser();
    list = new Windows(browser.channel());
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function readingWindow(): Windows {
    const reading = new Windows(browser.channel());
    reading.follow = (uid) => reading.shows(uid);
    reading.shows(null);
    return reading;
  }

  it("opens a study in the reading window, and the list knows what is read there", async () => {
    expect(await list.show("1.2")).toBe(false);
    const reading = readingWindow();
    expect(list.reading).toBeNull();
    const watched = vi.fn();
    list.watch(watched);
    expect(await list.show("1.2")).toBe(true);
    expect(list.reading).toBe("1.2");
    reading.shows("1.3");
    expect(list.reading).toBe("1.3");
    expect(watched).toHaveBeenCalledTimes(2);
  });

  it("tells a list that is loaded later", () => {
    const reading = readingWindow();
    reading.shows("1.2");
    expect(new Windows(browser.channel()).reading).toBe("1.2");
  });

  it("opens the study itself when the reading window has closed or does not answer", async () => {
    const reading = readingWindow();
    reading.leaves();
    expect(list.reading).toBeUndefined();
    expect(await list.show("1.2")).toBe(false);

    const stuck = readingWindow();
    stuck.follow = () => undefined;
    const shown = list.show("1.2");
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await shown).toBe(false);
    expect(list.reading).toBeUndefined();
  });

  it("lets the other windows save before the session ends, and does not wait for ever", async () => {
    let ended = false;
    const signOut = () => {
      ended = false;
      return list.saveOthers().then(() => (ended = true));
    };
    void signOut();
    await vi.advanceTimersByTimeAsync(150);
    expect(ended).toBe(true);

    let written: () => void = () => undefined;
    new Windows(browser.channel()).save = () => new Promise<void>((resolve) => (written = resolve));
    const fails = new Windows(browser.channel());
    fails.save = () => Promise.reject(new Error("no network"));
    void signOut();
    await vi.advanceTimersByTimeAsync(200);
    expect(ended).toBe(false);
    written();
    await vi.advanceTimersByTimeAsync(0);
    expect(ended).toBe(true);

    void signOut();
    await vi.advanceTimersByTimeAsync(3_150);
    expect(ended).toBe(true);
  });

  it("is alone where the browser has no channel", async () => {
    const alone = new Windows(null);
    expect(await alone.show("1.2")).toBe(false);
    await alone.saveOthers();
    expect(alone.reading).toBeUndefined();
  });
});
