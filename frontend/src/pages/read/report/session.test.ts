// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Problem, Unreachable } from "../../../api/client";
import type { Report } from "../../../api/types";
import { report } from "../../../test/samples";
import { ReportSession } from "./session";

const KEY = "firstread.report.ada.7";
type Sections = { key: string; text: string }[];

describe("writing a report", () => {
  let calls: { version: number; sections: Sections }[];
  let answer: (version: number, sections: Sections) => Promise<Report>;
  const open = (start: Report = report(1, { findings: "", impression: "" })) =>
    new ReportSession({
      report: start,
      storageKey: KEY,
      save: (version, sections) => {
        calls.push({ version, sections });
        return answer(version, sections);
      },
    });
  const saved = (version: number, sections: Sections, rest: Record<string, string> = {}) => {
    const texts = { findings: "", impression: "", ...rest };
    sections.forEach(({ key, text }) => (texts[key as "findings"] = text));
    return Promise.resolve(report(version + 1, texts));
  };

  beforeEach(() => {
    vi.useFakeTimers();
    calls = [];
    answer = (version, sections) => saved(version, sections);
  });
  afterEach(() => vi.useRealTimers());

  it("saves two seconds after a change, only what changed, with the version it knows", async () => {
    const session = open();
    session.edit("impression", "No bl");
    session.edit("impression", "No bleed.");
    await vi.advanceTimersByTimeAsync(1900);
    expect(calls).toEqual([]);
    await vi.advanceTimersByTimeAsync(200);
    expect(calls).toEqual([{ version: 1, sections: [{ key: "impression", text: "No bleed." }] }]);
    expect(session.getSnapshot()).toMatchObject({ status: "saved", report: { version: 2 } });
    expect(localStorage.getItem(KEY)).toBeNull();
  });

  it("keeps what is typed while a save is under way, without calling it a conflict", async () => {
    const session = open();
    let release: (value: Report) => void = () => undefined;
    answer = () => new Promise((resolve) => (release = resolve));
    session.edit("impression", "First");
    await vi.advanceTimersByTimeAsync(2000);
    session.edit("impression", "First and more");
    release(report(2, { findings: "", impression: "First" }));
    await vi.advanceTimersByTimeAsync(0);
    expect(session.getSnapshot()).toMatchObject({ status: "changed", conflicts: [] });
    answer = (version, sections) => saved(version, sections);
    await vi.advanceTimersByTimeAsync(2100);
    expect(calls.at(-1)).toEqual({ version: 2, sections: [{ key: "impression", text: "First and more" }] });
  });

  it("keeps the text here while the server is away, and sends it when it is back", async () => {
    const session = open();
    answer = () => Promise.reject(new Unreachable());
    session.edit("impression", "Bleed.");
    await vi.advanceTimersByTimeAsync(2100);
    expect(session.getSnapshot().status).toBe("offline");
    expect(localStorage.getItem(KEY)).toContain("Bleed.");
    answer = (version, sections) => saved(version, sections);
    await vi.advanceTimersByTimeAsync(5100);
    expect(session.getSnapshot().status).toBe("saved");
    expect(localStorage.getItem(KEY)).toBeNull();
  });

  it("finds unsaved text again after the page was closed", async () => {
    const first = open();
    answer = () => Promise.reject(new Unreachable());
    first.edit("findings", "Typed before the crash");
    first.close();
    answer = (version, sections) => saved(version, sections);
    const second = open();
    expect(second.getSnapshot().texts.findings).toBe("Typed before the crash");
    await vi.advanceTimersByTimeAsync(2100);
    expect(second.getSnapshot().status).toBe("saved");
  });

  it("shows both texts when another editor changed the same section, and saves the chosen one", async () => {
    const session = open();
    const theirs = report(5, { findings: "Theirs F", impression: "Theirs" });
    answer = () => Promise.reject(new Problem({ title: "Changed", status: 409, current: theirs }));
    session.edit("impression", "Mine");
    await vi.advanceTimersByTimeAsync(2100);
    expect(session.getSnapshot()).toMatchObject({
      status: "conflict",
      conflicts: [{ key: "impression", mine: "Mine", theirs: "Theirs" }],
      texts: { findings: "Theirs F", impression: "Mine" },
    });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(calls).toHaveLength(1);
    answer = (version, sections) => saved(version, sections, { findings: "Theirs F" });
    session.resolve("impression", "Mine");
    await vi.advanceTimersByTimeAsync(10);
    expect(calls.at(-1)).toEqual({ version: 5, sections: [{ key: "impression", text: "Mine" }] });
    expect(session.getSnapshot().status).toBe("saved");
  });

  it("goes on by itself when another editor changed a different section", async () => {
    const session = open();
    const theirs = report(5, { findings: "Theirs F", impression: "" });
    let first = true;
    answer = (version, sections) => {
      if (!first) return saved(version, sections, { findings: "Theirs F" });
      first = false;
      return Promise.reject(new Problem({ title: "Changed", status: 409, current: theirs }));
    };
    session.edit("impression", "Mine");
    await vi.advanceTimersByTimeAsync(2200);
    expect(calls.at(-1)).toEqual({ version: 5, sections: [{ key: "impression", text: "Mine" }] });
    expect(session.getSnapshot()).toMatchObject({ status: "saved", conflicts: [] });
  });

  it("saves the text before it signs, and signs the version that this gave", async () => {
    const session = open();
    session.edit("impression", "Done.");
    const versions: number[] = [];
    await session.run((version) => {
      versions.push(version);
      return Promise.resolve(report(version + 1, { findings: "", impression: "Done." }, { state: "final" }));
    });
    expect(calls).toHaveLength(1);
    expect(versions).toEqual([2]);
    expect(session.getSnapshot().report.state).toBe("final");
  });

  it("keeps both when a finding is accepted while I type, and asks nothing", async () => {
    const session = open();
    answer = (version, sections) => saved(version, sections);
    let release: (value: Report) => void = () => undefined;
    const accepting = session.run(() => new Promise((resolve) => (release = resolve)));
    await vi.advanceTimersByTimeAsync(0);
    session.edit("impression", "Called to ER.");
    release(report(2, { findings: "", impression: "Hemorrhage, left." }));
    await accepting;
    expect(session.getSnapshot()).toMatchObject({
      conflicts: [],
      texts: { impression: "Called to ER.\nHemorrhage, left." },
    });
    await session.flush();
    expect(calls.at(-1)?.version).toBe(2);
  });

  it("says what to do when it cannot sign because two versions differ", async () => {
    const session = open();
    const theirs = report(5, { findings: "", impression: "Theirs" });
    answer = () => Promise.reject(new Problem({ title: "Changed", status: 409, current: theirs }));
    session.edit("impression", "Mine");
    await vi.advanceTimersByTimeAsync(2100);
    await expect(session.run(vi.fn())).rejects.toThrow("Choose a text first");
  });

  it("does not sign while the text cannot be saved", async () => {
    const session = open();
    answer = () => Promise.reject(new Unreachable());
    session.edit("impression", "Done.");
    const sign = vi.fn();
    await expect(session.run(sign)).rejects.toThrow(Unreachable);
    expect(sign).not.toHaveBeenCalled();
  });
});
