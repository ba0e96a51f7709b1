/** When the user last did something, shared by all tabs and the image viewer's frame. */
const KEY = "firstread.activity";
const EVENTS = ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"] as const;
const GRAIN_MS = 2_000;

let last = Date.now();

export function noteActivity(): void {
  const now = Date.now();
  if (now - last < GRAIN_MS) return;
  last = now;
  localStorage.setItem(KEY, String(now));
}

export function lastActivity(): number {
  return Math.max(last, Number(localStorage.getItem(KEY) ?? 0));
}

/** Counts what happens in a window (this page or the viewer's frame) as activity. */
export function watchActivity(target: Window): () => void {
  EVENTS.forEach((name) => target.addEventListener(name, noteActivity, { passive: true, capture: true }));
  return () => EVENTS.forEach((name) => target.removeEventListener(name, noteActivity, { capture: true }));
}

export const WARN_BEFORE_S = 60;

/** Seconds until the session ends for want of activity; null while there is no need to warn. */
export function secondsToSignOut(now: number, timeoutS: number, lastAt: number): number | null {
  const left = Math.ceil(timeoutS - (now - lastAt) / 1000);
  return left <= WARN_BEFORE_S ? Math.max(0, left) : null;
}
