import type { Changed, ServerMessage, Since, Topic } from "./messages";

/**
 * The one WebSocket of the page. It carries no patient data: only "topic T, key K is now at version V".
 * Every message has a sequence number, so a hole is seen and asked for; what cannot be filled is read anew.
 */
export interface Change {
  topic: Topic;
  key: string;
  version: number;
}

export type LivePhase = "connecting" | "live" | "reconnecting" | "offline";

export interface LiveState {
  phase: LivePhase;
  /** When the connection was lost (ms since epoch), null while it stands. */
  since: number | null;
}

export interface LiveHandlers {
  onChange: (change: Change) => void;
  /** Everything on the page may be stale: read it anew. */
  onResync: () => void;
  onState: (state: LiveState) => void;
  /** The server ended the session (signed out elsewhere or timed out). */
  onSignedOut: () => void;
}

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 15_000;
/** A gap shorter than this is "reconnecting"; after it the page says "offline since". */
const OFFLINE_AFTER_MS = 10_000;
/** Close code of a session that is not, or no longer, signed in. */
const NOT_SIGNED_IN = 4401;
/** The server pings more often than this; longer silence means a dead connection that no close told us of. */
export const SILENCE_MS = 65_000;

export function retryDelay(attempt: number, random: number): number {
  const full = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** attempt);
  // Half fixed, half random, so that a whole department does not come back in the same instant.
  return full / 2 + (full / 2) * random;
}

export class LiveConnection {
  private socket: WebSocket | null = null;
  private lastSeq: number | null = null;
  private attempt = 0;
  private lostAt: number | null = null;
  private phase: LivePhase = "connecting";
  private stopped = false;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private offlineTimer: ReturnType<typeof setTimeout> | undefined;
  private silenceTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly url: string,
    private readonly handlers: LiveHandlers,
    private readonly open: (url: string) => WebSocket = (url) => new WebSocket(url),
  ) {}

  start(): void {
    this.stopped = false;
    this.connect();
  }

  stop(): void {
    this.stopped = true;
    this.clearTimers();
    this.dropSocket();
  }

  /** Tries again at once: the network came back or the reader looked at the page again. */
  wake(): void {
    if (this.stopped || this.phase === "live" || this.phase === "connecting") return;
    this.attempt = 0;
    clearTimeout(this.retryTimer);
    this.connect();
  }

  private connect(): void {
    this.dropSocket();
    const socket = this.open(this.url);
    this.socket = socket;
    socket.onmessage = (event) => this.receive(String(event.data));
    socket.onclose = (event) => {
      if (event.code === NOT_SIGNED_IN) this.handlers.onSignedOut();
      this.lost(socket);
    };
    socket.onerror = () => this.lost(socket);
    this.expectSound();
  }

  private receive(data: string): void {
    this.expectSound();
    const message = JSON.parse(data) as ServerMessage;
    if (message.type === "hello") this.greeted(message.seq);
    else if (message.type === "changed") this.changed(message);
    else if (message.type === "ping") this.pinged(message.seq);
    else this.handlers.onResync();
  }

  private greeted(seq: number): void {
    const known = this.lastSeq;
    this.attempt = 0;
    this.lostAt = null;
    clearTimeout(this.offlineTimer);
    if (known !== null && seq < known) {
      // The server's counter began again: nothing we know can be matched to it.
      this.handlers.onResync();
    } else if (known !== null) {
      // Also when the numbers are equal: a slow transaction may have shown a lower number meanwhile.
      this.askSince(known);
    }
    this.lastSeq = seq;
    this.enter("live");
  }

  private changed({ seq, topic, key, version }: Changed): void {
    if (this.lastSeq !== null && seq > this.lastSeq + 1) this.askSince(this.lastSeq);
    // Answers to "since" carry older numbers; they count as news but never turn the counter back.
    this.lastSeq = Math.max(this.lastSeq ?? seq, seq);
    this.handlers.onChange({ topic, key, version });
  }

  /** A ping names the latest change, so that a lost last message is noticed too. */
  private pinged(seq: number): void {
    if (this.lastSeq === null || seq <= this.lastSeq) return;
    this.askSince(this.lastSeq);
    this.lastSeq = seq;
  }

  private askSince(seq: number): void {
    const since: Since = { type: "since", seq };
    this.socket?.send(JSON.stringify(since));
  }

  private lost(socket: WebSocket): void {
    if (socket !== this.socket || this.stopped) return;
    this.dropSocket();
    if (this.lostAt === null) {
      this.lostAt = Date.now();
      this.offlineTimer = setTimeout(() => this.enter("offline"), OFFLINE_AFTER_MS);
    }
    if (this.phase !== "offline") this.enter("reconnecting");
    clearTimeout(this.retryTimer);
    this.retryTimer = setTimeout(() => this.connect(), retryDelay(this.attempt, Math.random()));
    this.attempt += 1;
  }

  private expectSound(): void {
    clearTimeout(this.silenceTimer);
    const socket = this.socket;
    this.silenceTimer = setTimeout(() => {
      if (socket) this.lost(socket);
    }, SILENCE_MS);
  }

  private enter(phase: LivePhase): void {
    this.phase = phase;
    this.handlers.onState({ phase, since: this.lostAt });
  }

  private dropSocket(): void {
    const socket = this.socket;
    this.socket = null;
    if (!socket) return;
    socket.onmessage = socket.onclose = socket.onerror = null;
    socket.close();
  }

  private clearTimers(): void {
    clearTimeout(this.retryTimer);
    clearTimeout(this.offlineTimer);
    clearTimeout(this.silenceTimer);
  }
}
