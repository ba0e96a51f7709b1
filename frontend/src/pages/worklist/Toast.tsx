import { useEffect } from "react";

import styles from "./Actions.module.css";
import type { Told, Undoable } from "./useActions";

const SHOWN_MS = 12_000;

interface Props {
  told: Told;
  onUndo: (what: Undoable) => void;
  onOpen: (uid: string) => void;
  onClose: () => void;
}

/** What just happened, over the list's foot so that nothing moves. What failed stays until it is closed. */
export function Toast({ told, onUndo, onOpen, onClose }: Props) {
  const { text, undo, readOnlyUid } = told;
  useEffect(() => {
    if (!undo) return;
    const timer = setTimeout(onClose, SHOWN_MS);
    return () => clearTimeout(timer);
  }, [undo, onClose]);
  return (
    <div className={styles.toast} role={undo ? "status" : "alert"} data-testid="toast">
      <span>{text}</span>
      {undo && (
        <button type="button" onClick={() => onUndo(undo)}>
          Undo (Z)
        </button>
      )}
      {readOnlyUid && (
        <button type="button" onClick={() => onOpen(readOnlyUid)}>
          Open read only
        </button>
      )}
      <button type="button" onClick={onClose}>
        Close
      </button>
    </div>
  );
}
