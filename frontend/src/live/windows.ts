import { useSyncExternalStore } from "react";

/**
 * One reader, several windows of one browser: the list on one screen, images on another. They tell each other
 * which study is being read and what must be saved; nothing about a patient, and nothing leaves the browser.
 * What changed on the server each window hears by its own WebSocket.
 */
type Said =
  | { type: "who" }
  /** The reading window is there and shows this study; null while it waits for one. */
  | { type: "reading"; uid: string | null }
  | { type: "gone" }
  | { type: "show"; uid: string }
  /** Somebody signs out: who has something open says so, saves it, and says so again. */
  | { type: "save" }
  | { type: "saving" }
  | { type: "saved" };

export interface Channel {
  postMessage: (message: unknown) => void;
  onmessage: ((event: MessageEvent) => void) | null;
  close: () => void;
}

/** Longer silence means that the other window is gone or stuck. */
const ANSWER_MS = 1_000;
const SAVE_MS = 3_000;
/** Within this every window has heard a question. */
const HEARD_MS = 150;

export class Windows {
  /** The study in the reading window; undefined while no other window is one. */
  reading: string | null | undefined;
  /** Set by the reading window: how to go to a study. */
  follow: ((uid: string) => void) | null = null;
  /** Saves what is open here before the session ends; null when nothing is. */
  save: () => Promise<unknown> | null = () => null;

  private shown: string | null = null;
  private readonly watchers = new Set<() => void>();
  private readonly answers = new Set<(said: Said) => void>();

  constructor(private readonly channel: Channel | null) {
    if (!channel) return;
    channel.onmessage = (event) => this.hear(event.data as Said);
    this.say({ type: "who" });
  }

  readonly watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  /** From the reading window: it shows this study now. */
  shows(uid: string | null): void {
    this.shown = uid;
    this.say({ type: "reading", uid });
  }

  /** From the reading window: it closes, or becomes something else. */
  leaves(): void {
    this.follow = null;
    this.say({ type: "gone" });
  }

  /** Shows a study in the reading window. False when there is none, or when it does not answer. */
  async show(uid: string): Promise<boolean> {
    if (this.reading === undefined) return false;
    const shown = this.answer((said) => said.type === "reading" && said.uid === uid, ANSWER_MS);
    this.say({ type: "show", uid });
    if (await shown) return true;
    this.enter(undefined);
    return false;
  }

  /** Before signing out: the other windows save what is open. Waits for them, but not for ever. */
  async saveOthers(): Promise<void> {
    if (!this.channel) return;
    let saving = 0;
    const count = (said: Said) => {
      if (said.type === "saving") saving += 1;
      else if (said.type === "saved") saving -= 1;
    };
    this.answers.add(count);
    this.say({ type: "save" });
    await this.answer(() => false, HEARD_MS);
    if (saving > 0) await this.answer(() => saving <= 0, SAVE_MS);
    this.answers.delete(count);
  }

  private hear(said: Said): void {
    this.answers.forEach((answer) => answer(said));
    if (said.type === "who") {
      if (this.follow) this.shows(this.shown);
    } else if (said.type === "reading") this.enter(said.uid);
    else if (said.type === "gone") this.enter(undefined);
    else if (said.type === "show") this.follow?.(said.uid);
    else if (said.type === "save") this.saveHere();
  }

  private saveHere(): void {
    const saving = this.save();
    if (!saving) return;
    this.say({ type: "saving" });
    const done = () => this.say({ type: "saved" });
    saving.then(done, done);
  }

  private answer(fits: (said: Said) => boolean, withinMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (found: boolean) => {
        clearTimeout(timer);
        this.answers.delete(listen);
        resolve(found);
      };
      const listen = (said: Said) => {
        if (fits(said)) end(true);
      };
      const timer = setTimeout(() => end(false), withinMs);
      this.answers.add(listen);
    });
  }

  private say(said: Said): void {
    this.channel?.postMessage(said);
  }

  private enter(reading: string | null | undefined): void {
    if (this.reading === reading) return;
    this.reading = reading;
    this.watchers.forEach((watch) => watch());
  }
}

const NAME = "firstread-reading";

export const windows = new Windows(
  typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("firstread"),
);

/** Whether this is the window that shows what is opened in the list; it stays so when it is loaded anew. */
export const isReadingWindow = (): boolean => window.name === NAME;

/** Opens the reading window, or brings it to the front. False when the browser does not allow it. */
export function openReadingWindow(uid: string | null): boolean {
  const opened = window.open(uid ? `/read/${uid}` : "/reading", NAME, "popup=yes,width=1600,height=1000");
  opened?.focus();
  return opened !== null;
}

/** The study in the reading window: null while it waits for one, undefined while there is no such window. */
export function useReadingWindow(): string | null | undefined {
  return useSyncExternalStore(windows.watch, () => windows.reading);
}
