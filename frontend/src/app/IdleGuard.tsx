import { useEffect, useRef } from "react";

import { request } from "../api/client";
import type { Me } from "../api/types";
import { useClock } from "../time/clock";
import { lastActivity, secondsToSignOut, watchActivity } from "./activity";
import { signOut } from "./session";
import styles from "./Shell.module.css";

/** Warns a minute before an idle session ends, then ends it. Any key or movement keeps it. */
export function IdleGuard({ me }: { me: Me }) {
  const timeout = me.idle_timeout_s;
  const left = useClock((now) => secondsToSignOut(now, timeout, lastActivity()) ?? -1);
  const ending = useRef(false);

  useEffect(() => {
    const unwatch = watchActivity(window);
    // Reading makes few requests; while the user is active the server's own timer must not run out.
    const keepAlive = setInterval(
      () => {
        if (Date.now() - lastActivity() < (timeout * 1000) / 3)
          void request("/api/me/").catch(() => undefined);
      },
      (timeout * 1000) / 3,
    );
    return () => {
      unwatch();
      clearInterval(keepAlive);
    };
  }, [timeout]);

  useEffect(() => {
    if (left !== 0 || ending.current || timeout <= 0) return;
    ending.current = true;
    void signOut(window.location.pathname + window.location.search);
  }, [left, timeout]);

  if (left < 0 || timeout <= 0) return null;
  return (
    <div className={styles.idle} role="alert">
      Nobody has used this page for a while. You will be signed out in {left} s; press any key to stay.
    </div>
  );
}
