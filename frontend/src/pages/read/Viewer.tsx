import { useEffect, useEffectEvent } from "react";

import { watchActivity } from "../../app/activity";
import { isTyping } from "../../keyboard/keymap";
import type { Bridge } from "./bridge";
import styles from "./Read.module.css";

interface Props {
  bridge: Bridge;
  uids: readonly string[];
  /** Offers a key pressed inside the viewer to the page; true when the page used it. */
  onKey: (event: KeyboardEvent, typing: boolean) => boolean;
}

let webGl: boolean | undefined;

/** Whether this browser draws by WebGL, which the viewer needs. */
function hasWebGl(): boolean {
  webGl ??= document.createElement("canvas").getContext("webgl2") !== null;
  return webGl;
}

/** The viewer, or where it cannot draw, the plain page of rendered pictures. */
export function addressOf(uids: readonly string[], drawn = hasWebGl()): string {
  const [uid = ""] = uids;
  return drawn
    ? `/viewer/viewer?StudyInstanceUIDs=${uids.map(encodeURIComponent).join(",")}`
    : `/viewer/plain/${encodeURIComponent(uid)}`;
}

/** The image viewer in its frame. Keys of this page work there too; what the page does not use is OHIF's. */
export function Viewer({ bridge, uids, onKey }: Props) {
  const { frame, expectNew } = bridge;
  const handle = useEffectEvent((event: KeyboardEvent) => {
    if (onKey(event, isTyping(event.target))) event.stopImmediatePropagation();
  });

  useEffect(() => {
    expectNew();
    const element = frame.current;
    if (!element) return;
    let leave: (() => void) | undefined;
    const enter = () => {
      leave?.();
      const inner = element.contentWindow;
      if (!inner) return;
      const unwatch = watchActivity(inner);
      // A press on the images brings the keyboard there: the viewer itself keeps the browser from doing it,
      // and a number meant for a window would answer a question of the report.
      const focus = () => inner.focus();
      inner.addEventListener("keydown", handle, { capture: true });
      inner.addEventListener("pointerdown", focus, { capture: true });
      leave = () => {
        unwatch();
        inner.removeEventListener("pointerdown", focus, { capture: true });
        inner.removeEventListener("keydown", handle, { capture: true });
      };
    };
    element.addEventListener("load", enter);
    return () => {
      element.removeEventListener("load", enter);
      leave?.();
    };
  }, [expectNew, frame]);

  return (
    <div className={styles.viewer}>
      <iframe ref={frame} title="Images" src={addressOf(uids)} allow="fullscreen" />
      {bridge.error && (
        <p className={styles.viewerError} role="alert">
          Images: {bridge.error}
        </p>
      )}
    </div>
  );
}
