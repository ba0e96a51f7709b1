import { useCallback, useEffect, useRef, useState, type RefObject } from "react";

/** The language between this page and the image viewer in its frame (same origin, postMessage). */
export type HostMessage =
  | { type: "jump"; sopInstanceUID: string; seriesInstanceUID: string }
  | { type: "overlay"; on: boolean; segSeriesInstanceUID: string; opacity: number }
  | { type: "window"; preset: WindowPreset }
  | { type: "link"; on: boolean };

/** A CT window by name, or the one that the image brings. */
export type WindowPreset = "brain" | "subdural" | "bone" | "stroke" | "soft" | "lung" | "own";

export interface Shown {
  studyInstanceUID: string;
  seriesInstanceUID: string;
  sopInstanceUID: string;
  /** From 1, of an image that has several. */
  frame?: number;
}

/** A measurement drawn on an image, in its own coordinates. */
export interface Drawing extends Shown {
  uid: string;
  kind: "length" | "angle" | "ellipse";
  frame: number;
  points: [number, number][];
  label: string;
}

export type ViewerMessage =
  | { type: "ready" }
  | ({ type: "shown" } & Shown)
  | ({ type: "drawing" } & Drawing)
  | { type: "erased"; uid: string }
  | { type: "firstImage"; ms: number }
  | { type: "error"; message: string };

/** Reads a message of the viewer; null for everything that does not come from our own frame. */
export function readViewerMessage(
  event: Pick<MessageEvent, "data" | "origin" | "source">,
  origin: string,
  frame: unknown,
): ViewerMessage | null {
  if (event.origin !== origin || event.source !== frame) return null;
  const data = event.data as { source?: unknown; type?: unknown } | null;
  if (typeof data !== "object" || data?.source !== "firstread-viewer") return null;
  if (!["ready", "shown", "firstImage", "error", "drawing", "erased"].includes(String(data.type)))
    return null;
  return data as unknown as ViewerMessage;
}

export interface Bridge {
  frame: RefObject<HTMLIFrameElement | null>;
  send: (message: HostMessage) => void;
  /** A new viewer is being loaded into the frame: what is said waits for it. */
  expectNew: () => void;
  ready: boolean;
  shown: Shown | null;
  /** What is drawn on the images now, the latest last. */
  drawings: readonly Drawing[];
  error: string;
}

/** Speaks with the viewer; what is said before the viewer listens waits for it. */
export function useBridge(): Bridge {
  const frame = useRef<HTMLIFrameElement>(null);
  const waiting = useRef<HostMessage[]>([]);
  const listening = useRef(false);
  const [ready, setReady] = useState(false);
  const [shown, setShown] = useState<Shown | null>(null);
  const [drawings, setDrawings] = useState<readonly Drawing[]>([]);
  const [error, setError] = useState("");

  const post = useCallback((message: HostMessage) => {
    frame.current?.contentWindow?.postMessage({ source: "firstread", ...message }, window.location.origin);
  }, []);

  const send = useCallback(
    (message: HostMessage) => {
      if (message.type !== "window" && message.type !== "link") setError("");
      if (listening.current) post(message);
      else waiting.current.push(message);
    },
    [post],
  );

  const expectNew = useCallback(() => {
    listening.current = false;
    setReady(false);
    setShown(null);
    setDrawings([]);
  }, []);

  useEffect(() => {
    const receive = (event: MessageEvent) => {
      const message = readViewerMessage(event, window.location.origin, frame.current?.contentWindow);
      if (!message) return;
      if (message.type === "ready") {
        listening.current = true;
        setReady(true);
        waiting.current.splice(0).forEach(post);
      } else if (message.type === "shown") {
        setShown(message);
        setError("");
      } else if (message.type === "drawing") {
        setDrawings((known) => [...known.filter((one) => one.uid !== message.uid), message]);
      } else if (message.type === "erased") {
        setDrawings((known) => known.filter((one) => one.uid !== message.uid));
      } else if (message.type === "error") setError(message.message);
    };
    window.addEventListener("message", receive);
    return () => window.removeEventListener("message", receive);
  }, [post]);

  return { frame, send, expectNew, ready, shown, drawings, error };
}
