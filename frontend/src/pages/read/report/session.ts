import { Problem, Refused, Unreachable } from "../../../api/client";
import type { Report } from "../../../api/types";
import { changedSections, mergeTexts, placeChange, textsOf, type Conflict, type Texts } from "./merge";

export type SaveStatus = "saved" | "changed" | "saving" | "offline" | "failed" | "conflict";

export interface Snapshot {
  report: Report;
  texts: Texts;
  status: SaveStatus;
  conflicts: readonly Conflict[];
  /** Why the last save failed; empty while nothing is wrong. */
  problem: string;
}

export interface SessionOptions {
  report: Report;
  save: (version: number, sections: { key: string; text: string }[]) => Promise<Report>;
  /** Where unsaved text survives a closed page; named by user and report. */
  storageKey: string;
}

interface Buffered {
  base: Texts;
  texts: Texts;
}

export const SAVE_AFTER_MS = 2_000;
export const RETRY_MS = 5_000;

/**
 * One reader's work on one report: keeps what is typed, saves it two seconds later, and never loses it to a
 * lost connection, a closed page or another editor. All writes go one after the other with the version
 * that the one before returned.
 */
export class ReportSession {
  private snapshot: Snapshot;
  /** The texts both sides last agreed on; what a merge starts from. */
  private base: Texts;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private queue: Promise<unknown> = Promise.resolve();
  private closed = false;
  private readonly watchers = new Set<() => void>();

  constructor(private readonly options: SessionOptions) {
    const { report } = options;
    const server = textsOf(report);
    this.base = server;
    this.snapshot = { report, texts: server, status: "saved", conflicts: [], problem: "" };
    this.restore(server);
  }

  subscribe = (watch: () => void): (() => void) => {
    this.watchers.add(watch);
    return () => this.watchers.delete(watch);
  };

  getSnapshot = (): Snapshot => this.snapshot;

  /** Stops the timers; what is not saved stays in the buffer. */
  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  edit(key: string, text: string): void {
    this.update({ texts: { ...this.snapshot.texts, [key]: text } });
    this.buffer();
    if (this.snapshot.status === "saved" || this.snapshot.status === "failed") {
      this.update({ status: "changed", problem: "" });
    }
    if (this.timer === undefined) this.saveIn(SAVE_AFTER_MS);
  }

  /** Saves now. Resolves when nothing is left to save; throws when it cannot be saved. */
  flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    return this.enqueue(() => this.saveOnce(true));
  }

  /** Runs another write on the report (a decision, a signature) after all text is saved. */
  run(write: (version: number) => Promise<Report>): Promise<Report> {
    return this.enqueue(async () => {
      await this.saveOnce(true);
      try {
        return this.accept(await write(this.snapshot.report.version));
      } catch (error) {
        if (error instanceof Problem && error.document.current) this.adopt(error.document.current);
        throw error;
      }
    });
  }

  /** Takes in a report that came by itself (another editor, a late AI result), after our own writes. */
  take(report: Report): void {
    void this.enqueue(() => {
      this.adopt(report);
      return Promise.resolve();
    });
  }

  /** Merges a newer report with what is being typed. */
  private adopt(report: Report, own = false): void {
    if (report.version < this.snapshot.report.version) return;
    const theirs = textsOf(report);
    const open = this.snapshot.conflicts.map((conflict) => conflict.key);
    const merged = mergeTexts(this.base, this.snapshot.texts, theirs);
    const { texts } = merged;
    const conflicts = merged.conflicts.filter(({ key, mine, theirs: their }) => {
      const placed = own ? placeChange(this.base[key] ?? "", mine, their) : null;
      if (placed !== null) texts[key] = placed;
      return placed === null;
    });
    // A conflict that is still being decided stays one, with the newest text of the other side.
    const kept = open
      .filter((key) => texts[key] !== theirs[key] && !conflicts.some((one) => one.key === key))
      .map((key) => ({ key, mine: texts[key] ?? "", theirs: theirs[key] ?? "" }));
    const all = [...conflicts, ...kept];
    this.base = theirs;
    this.update({ report, texts, conflicts: all });
    if (all.length > 0) {
      this.update({ status: "conflict" });
      this.buffer();
    } else this.settle();
  }

  /** Ends a conflict with the text the reader chose. */
  resolve(key: string, text: string): void {
    const conflicts = this.snapshot.conflicts.filter((conflict) => conflict.key !== key);
    this.update({ texts: { ...this.snapshot.texts, [key]: text }, conflicts });
    this.buffer();
    if (conflicts.length === 0) {
      this.update({ status: "changed", problem: "" });
      this.saveIn(0);
    }
  }

  private enqueue<T>(work: () => Promise<T>): Promise<T> {
    const next = this.queue.then(work, work);
    this.queue = next.catch(() => undefined);
    return next;
  }

  private saveIn(ms: number): void {
    clearTimeout(this.timer);
    if (this.closed) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      void this.enqueue(() => this.saveOnce(false));
    }, ms);
  }

  private async saveOnce(mustSucceed: boolean): Promise<void> {
    const { report, texts, conflicts } = this.snapshot;
    if (conflicts.length > 0) {
      if (mustSucceed)
        throw new Refused("Two versions of this report differ. Choose a text first, then sign.");
      return;
    }
    const sections = changedSections(textsOf(report), texts);
    if (sections.length === 0) {
      this.settle();
      return;
    }
    this.update({ status: "saving" });
    try {
      const saved = await this.options.save(report.version, sections);
      // What was sent is now common ground: typing on while it travelled is no conflict with it.
      this.base = { ...this.base, ...Object.fromEntries(sections.map(({ key, text }) => [key, text])) };
      this.accept(saved);
    } catch (error) {
      this.failed(error);
      if (mustSucceed) throw error;
    }
  }

  private failed(error: unknown): void {
    if (error instanceof Unreachable || (error instanceof Problem && error.status >= 500)) {
      this.update({ status: "offline", problem: error.message });
      this.saveIn(RETRY_MS);
    } else if (error instanceof Problem && error.document.current) {
      this.adopt(error.document.current);
      if (this.snapshot.conflicts.length === 0) this.saveIn(0);
    } else {
      const problem = error instanceof Error ? error.message : "The report could not be saved.";
      this.update({ status: "failed", problem });
    }
  }

  /** The server took a write of ours; what was typed meanwhile stays. */
  private accept(report: Report): Report {
    this.adopt(report, true);
    return report;
  }

  private settle(): void {
    const left = changedSections(textsOf(this.snapshot.report), this.snapshot.texts);
    if (left.length > 0) {
      this.update({ status: "changed", problem: "" });
      this.buffer();
      if (this.timer === undefined) this.saveIn(SAVE_AFTER_MS);
    } else {
      this.update({ status: "saved", problem: "" });
      localStorage.removeItem(this.options.storageKey);
    }
  }

  private buffer(): void {
    const kept: Buffered = { base: this.base, texts: this.snapshot.texts };
    localStorage.setItem(this.options.storageKey, JSON.stringify(kept));
  }

  private restore(server: Texts): void {
    const stored = localStorage.getItem(this.options.storageKey);
    if (stored === null) return;
    const { base, texts: mine } = JSON.parse(stored) as Buffered;
    const { texts, conflicts } = mergeTexts(base, mine, server);
    this.update({ texts, conflicts });
    if (conflicts.length > 0) this.update({ status: "conflict" });
    else this.settle();
  }

  private update(change: Partial<Snapshot>): void {
    this.snapshot = { ...this.snapshot, ...change };
    this.watchers.forEach((watch) => watch());
  }
}
