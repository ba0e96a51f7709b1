import { useSyncExternalStore } from "react";

import { request } from "../api/client";
import { queryClient } from "../api/queries";
import { LiveConnection, type Change, type LiveState } from "./connection";
import type { Topic } from "./messages";

type Listener = (change: Change) => void;

let state: LiveState = { phase: "connecting", since: null };
const watchers = new Set<() => void>();
const listeners = new Map<Topic, Set<Listener>>();

function setState(next: LiveState): void {
  state = next;
  watchers.forEach((watch) => watch());
}

/** Queries that are read anew, whole, when something of the topic changed (the worklist itself merges rows). */
const TOPIC_QUERIES: Record<Topic, readonly (readonly string[])[]> = {
  worklist: [["worklist", "summary"], ["er"]],
  alerts: [["er"], ["worklist", "alerts"]],
  reports: [["reports"], ["er"]],
  quality: [["quality"]],
  rota: [["rota"]],
  // Heard by key in the shell: everybody hears of everybody's desk, and asks only about their own.
  desk: [],
};

const pending = new Set<string>();
let flushTimer: ReturnType<typeof setTimeout> | undefined;

function flush(): void {
  clearTimeout(flushTimer);
  flushTimer = undefined;
  const burst = [...pending];
  pending.clear();
  burst.forEach((key) => void queryClient.invalidateQueries({ queryKey: JSON.parse(key) as string[] }));
}

/** Gathers a burst of changes into one refetch per query; an alert does not wait for the burst to end. */
function invalidate(keys: readonly (readonly string[])[], now: boolean): void {
  keys.forEach((key) => pending.add(JSON.stringify(key)));
  if (now) flush();
  else flushTimer ??= setTimeout(flush, 150);
}

function onChange(change: Change): void {
  listeners.get(change.topic)?.forEach((listen) => listen(change));
  invalidate(TOPIC_QUERIES[change.topic], change.topic === "alerts");
}

let connection: LiveConnection | null = null;

/** Starts the connection; called once, by the shell, for a signed-in user. Returns how to end it. */
export function startLive(): () => void {
  const scheme = window.location.protocol === "https:" ? "wss" : "ws";
  connection = new LiveConnection(`${scheme}://${window.location.host}/ws/`, {
    onChange,
    onResync: () => void queryClient.invalidateQueries({ predicate: (one) => one.queryKey[0] !== "me" }),
    onState: setState,
    // The account's own page tells whether that is true, and leads to the sign-in page if so.
    onSignedOut: () => void request("/api/me/").catch(() => undefined),
  });
  const wake = () => {
    if (document.visibilityState === "visible") connection?.wake();
  };
  window.addEventListener("online", wake);
  document.addEventListener("visibilitychange", wake);
  connection.start();
  return () => {
    window.removeEventListener("online", wake);
    document.removeEventListener("visibilitychange", wake);
    connection?.stop();
    connection = null;
  };
}

/** Hears each change of a topic. Returns how to stop hearing. */
export function onTopic(topic: Topic, listener: Listener): () => void {
  const group = listeners.get(topic) ?? new Set<Listener>();
  group.add(listener);
  listeners.set(topic, group);
  return () => group.delete(listener);
}

export function useLiveState(): LiveState {
  return useSyncExternalStore(
    (watch) => {
      watchers.add(watch);
      return () => watchers.delete(watch);
    },
    () => state,
  );
}

/** While the socket stands a slow sweep is enough; without it the page asks every 15 s. */
export function useLiveInterval(): number {
  return useLiveState().phase === "live" ? 60_000 : 15_000;
}
