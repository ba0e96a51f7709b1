/** Made by `python -m scripts.schema` from worklist/live/messages.py. Do not edit. */
export type Topic = "worklist" | "alerts" | "reports" | "quality" | "rota" | "desk";

/** Row `key` of `topic` is now at `version`; fetch it if you show it. */
export interface Changed {
  type: "changed";
  topic: Topic;
  key: string;
  version: number;
  seq: number;
}

/** The connection stands; `seq` is the latest change at this moment. */
export interface Hello {
  type: "hello";
  seq: number;
}

/** Still here; `seq` is the latest change, so that a lost last message is noticed too. */
export interface Ping {
  type: "ping";
  seq: number;
}

/** What was missed is too much or too long ago: read everything anew. */
export interface Resync {
  type: "resync";
}

export type ServerMessage = Changed | Hello | Ping | Resync;

/** The client asks for all changes after `seq`. */
export interface Since {
  type: "since";
  seq: number;
}
