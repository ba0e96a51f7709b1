import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { LiveConnection, retryDelay, SILENCE_MS, type Change, type LiveState } from "./connection";

class FakeSocket {
  static all: FakeSocket[] = [];
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  onerror: (() => void) | null = null;
  sent: unknown[] = [];
  closed = false;

  constructor() {
    FakeSocket.all.push(this);
  }
  send(data: string) {
    this.sent.push(JSON.parse(data));
  }
  close() {
    this.closed = true;
  }
  says(message: object) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
  drops(code = 1006) {
    this.onclose?.({ code });
  }
}

const changed = (key: string, seq: number, version = 1) => ({
  type: "changed",
  topic: "worklist",
  key,
  version,
  seq,
});

describe("the live connection", () => {
  let changes: Change[];
  let states: LiveState[];
  let resyncs: number;
  let signedOut: number;
  let live: LiveConnection;
  const latest = () => {
    const socket = FakeSocket.all.at(-1);
    if (!socket) throw new Error("no socket");
    return socket;
  };

  beforeEach(() => {
    vi.useFakeTimers();
    FakeSocket.all = [];
    changes = [];
    states = [];
    resyncs = signedOut = 0;
    live = new LiveConnection(
      "ws://here/ws/",
      {
        onChange: (change) => changes.push(change),
        onResync: () => (resyncs += 1),
        onState: (state) => states.push(state),
        onSignedOut: () => (signedOut += 1),
      },
      () => new FakeSocket() as unknown as WebSocket,
    );
    live.start();
  });

  afterEach(() => {
    live.stop();
    vi.useRealTimers();
  });

  it("is live from the server's hello and hands changes on", () => {
    latest().says({ type: "hello", seq: 4 });
    latest().says(changed("9", 5));
    expect(states.at(-1)?.phase).toBe("live");
    expect(changes).toEqual([{ topic: "worklist", key: "9", version: 1 }]);
    expect(latest().sent).toEqual([]);
  });

  it("asks for what it missed when a number is skipped, and asks once", () => {
    latest().says({ type: "hello", seq: 4 });
    latest().says(changed("9", 7));
    latest().says(changed("5", 5));
    latest().says(changed("6", 6));
    latest().says(changed("9", 7));
    latest().says(changed("8", 8));
    expect(latest().sent).toEqual([{ type: "since", seq: 4 }]);
    expect(changes.map((change) => change.key)).toEqual(["9", "5", "6", "9", "8"]);
  });

  it("notices by a ping that the last message was lost", () => {
    latest().says({ type: "hello", seq: 4 });
    latest().says({ type: "ping", seq: 6 });
    expect(latest().sent).toEqual([{ type: "since", seq: 4 }]);
  });

  it("comes back after a cut and asks from the last number it knew", () => {
    latest().says({ type: "hello", seq: 4 });
    latest().drops();
    expect(states.at(-1)?.phase).toBe("reconnecting");
    vi.advanceTimersByTime(500);
    expect(FakeSocket.all).toHaveLength(2);
    latest().says({ type: "hello", seq: 9 });
    expect(latest().sent).toEqual([{ type: "since", seq: 4 }]);
    expect(states.at(-1)).toEqual({ phase: "live", since: null });
  });

  it("asks after a cut even when no number is newer, for a slow transaction may have shown late", () => {
    latest().says({ type: "hello", seq: 4 });
    latest().drops();
    vi.advanceTimersByTime(500);
    latest().says({ type: "hello", seq: 4 });
    expect(latest().sent).toEqual([{ type: "since", seq: 4 }]);
  });

  it("reads everything anew when the server says so or its numbers began again", () => {
    latest().says({ type: "hello", seq: 4 });
    latest().says({ type: "resync" });
    expect(resyncs).toBe(1);
    latest().drops();
    vi.advanceTimersByTime(500);
    latest().says({ type: "hello", seq: 1 });
    expect(resyncs).toBe(2);
  });

  it("waits longer after each failure, up to fifteen seconds", () => {
    const full = [0, 1, 2, 3, 4, 5, 6].map((attempt) => retryDelay(attempt, 1));
    expect(full).toEqual([500, 1000, 2000, 4000, 8000, 15000, 15000]);
    expect(retryDelay(3, 0)).toBe(2000);
  });

  it("says offline since when after ten seconds, and goes on trying", () => {
    const start = Date.now();
    latest().says({ type: "hello", seq: 4 });
    latest().drops();
    for (let second = 0; second < 12; second += 1) {
      vi.advanceTimersByTime(1000);
      if (!latest().closed) latest().drops();
    }
    expect(states.at(-1)).toEqual({ phase: "offline", since: start });
    expect(FakeSocket.all.length).toBeGreaterThan(3);
  });

  it("takes silence for a dead connection", () => {
    latest().says({ type: "hello", seq: 4 });
    vi.advanceTimersByTime(SILENCE_MS + 1);
    expect(states.at(-1)?.phase).toBe("reconnecting");
    expect(FakeSocket.all[0]?.closed).toBe(true);
  });

  it("tries at once when the page wakes up", () => {
    latest().says({ type: "hello", seq: 4 });
    latest().drops();
    live.wake();
    expect(FakeSocket.all).toHaveLength(2);
  });

  it("tells that the session ended when the server closes with 4401", () => {
    latest().says({ type: "hello", seq: 4 });
    latest().drops(4401);
    expect(signedOut).toBe(1);
  });
});
