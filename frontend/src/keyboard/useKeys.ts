import { useEffect, useEffectEvent } from "react";

import { actionFor, belongsToControl, belongsToText, isTyping, type ActionOf, type PageName } from "./keymap";

export type Handlers<P extends PageName> = Partial<Record<ActionOf<P>, (event: KeyboardEvent) => void>>;

/** Runs the page's action for a key. Returns true when the key was used. */
export function dispatchKey<P extends PageName>(
  page: P,
  handlers: Handlers<P>,
  event: KeyboardEvent,
  typing = isTyping(event.target),
): boolean {
  if (event.defaultPrevented || belongsToControl(event)) return false;
  const action = actionFor(page, event);
  if (!action) return false;
  const chord = (event.ctrlKey || event.metaKey) && !belongsToText(event);
  if (typing && !chord && event.key !== "Escape") return false;
  const handle = handlers[action];
  if (!handle) return false;
  event.preventDefault();
  handle(event);
  return true;
}

/** Binds a page's keys to the window for as long as the component lives. */
export function useKeys<P extends PageName>(page: P, handlers: Handlers<P>): void {
  const onKey = useEffectEvent((event: KeyboardEvent) => {
    dispatchKey(page, handlers, event);
  });
  useEffect(() => {
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
}
