import { useSyncExternalStore } from "react";

/** One timer for the whole page; a reader of it is rendered only when what it derives has changed. */
const watchers = new Set<() => void>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(watch: () => void): () => void {
  watchers.add(watch);
  timer ??= setInterval(() => {
    now = Date.now();
    watchers.forEach((one) => one());
  }, 1000);
  return () => {
    watchers.delete(watch);
    if (watchers.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** Derives a plain value (text, number, flag) from the time; renders again only when the value differs. */
export function useClock<T extends string | number | boolean>(derive: (now: number) => T): T {
  return useSyncExternalStore(subscribe, () => {
    // Without a running timer (first render) the stored time may be old.
    if (timer === undefined) now = Date.now();
    return derive(now);
  });
}
