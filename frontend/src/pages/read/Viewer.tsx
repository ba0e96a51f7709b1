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
      inner.addEventListener("keydown", handle, { capture: true });
      leave = () => {
        unwatch();
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
      <iframe
        ref={frame}
        title="Images"
        src={`/viewer/viewer?StudyInstanceUIDs=${uids.map(encodeURIComponent).join(",")}`}
        allow="fullscreen"
      />
      {bridge.error && (
        <p className={styles.viewerError} role="alert">
          Images: {bridge.error}
        </p>
      )}
    </div>
  );
}
