import { useEffect, useState } from "react";
import { useLocation } from "wouter";

import { deskQuery, queryClient } from "../api/queries";
import type { Desk, Me } from "../api/types";
import { onTopic } from "../live/live";
import { hasRole } from "./session";
import styles from "./Shell.module.css";

/** What to do when another application on the desk opened something. */
export type Lead =
  { act: "none" } | { act: "go"; uid: string } | { act: "ask"; uid: string } | { act: "warn" };

/**
 * A list may be left for the study at once. A study that is being read is never taken from its reader: the page asks.
 */
export function leadOf(desk: Desk, path: string): Lead {
  if (!desk.something_open || desk.opened_by === "Firstread") return { act: "none" };
  const uid = desk.study_instance_uid;
  const reading = path.startsWith("/read/");
  if (!uid) return reading ? { act: "warn" } : { act: "none" };
  if (path === `/read/${uid}`) return { act: "none" };
  return { act: path === "/" ? "go" : "ask", uid };
}

/** Follows, or says that another application shows another patient than this page. */
function Follower({ me }: { me: Me }) {
  const [path, navigate] = useLocation();
  const [desk, setDesk] = useState<Desk | null>(null);

  useEffect(
    () =>
      onTopic("desk", (change) => {
        if (change.key !== String(me.id)) return;
        void queryClient.fetchQuery({ ...deskQuery, staleTime: 0 }).then(setDesk, () => undefined);
      }),
    [me.id],
  );

  const lead = desk ? leadOf(desk, path) : { act: "none" as const };
  const goal = lead.act === "go" ? lead.uid : null;
  useEffect(() => {
    if (goal) navigate(`/read/${goal}`);
  }, [goal, navigate]);

  if (lead.act !== "ask" && lead.act !== "warn") return null;
  return (
    <p className={styles.trouble} role="alert">
      {lead.act === "warn"
        ? "! Another application on your desk opened a study that is not in this archive: it shows another patient than this page. "
        : "! Another application on your desk opened another study than this page shows. "}
      {lead.act === "ask" && (
        <button type="button" onClick={() => navigate(`/read/${lead.uid}`)}>
          Go to it
        </button>
      )}{" "}
      <button type="button" onClick={() => setDesk(null)}>
        Stay here
      </button>
    </p>
  );
}

export function DeskBanner({ me }: { me: Me }) {
  return hasRole(me, "radiologist") ? <Follower me={me} /> : null;
}
