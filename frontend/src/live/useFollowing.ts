import { useEffect } from "react";
import { useLocation } from "wouter";

import { isReadingWindow, windows } from "./windows";

/** In the reading window: goes to the study that is opened in the list, and tells which one it shows. */
export function useFollowing(): void {
  const [path, navigate] = useLocation();

  useEffect(() => {
    if (!isReadingWindow()) return;
    const leave = () => windows.leaves();
    const come = () => {
      windows.follow = (uid) => {
        // A study that stands there already is told again, because the list waits for the answer.
        if (window.location.pathname === `/read/${uid}`) windows.shows(uid);
        else navigate(`/read/${uid}`);
      };
    };
    come();
    // A page that comes back from the browser's memory is shown, not loaded.
    window.addEventListener("pageshow", come);
    window.addEventListener("pagehide", leave);
    return () => {
      window.removeEventListener("pageshow", come);
      window.removeEventListener("pagehide", leave);
      leave();
    };
  }, [navigate]);

  useEffect(() => {
    if (isReadingWindow()) windows.shows(path.startsWith("/read/") ? path.slice("/read/".length) : null);
  }, [path]);
}
