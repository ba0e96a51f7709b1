import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState } from "react";

import { explain, Problem } from "../../api/client";
import { api, itemQuery, reportsQuery } from "../../api/queries";
import type { Report, WorklistItem } from "../../api/types";
import { hasRole, useMe } from "../../app/session";
import { onTopic, useLiveInterval } from "../../live/live";
import { personName } from "../../ui/person";
import { takenOverWords } from "../worklist/takenOver";
import { showItem } from "../worklist/useWorklist";

const HEARTBEAT_MS = 30_000;

export interface Reading {
  item: WorklistItem | undefined;
  error: unknown;
  retry: () => void;
  /** True while this user holds the claim: text, decisions and signature are open. */
  mayEdit: boolean;
  /** Why it is read only, in words; empty while it is not. */
  readOnlyReason: string;
  /** Another reader took the study from this one. */
  takenOver: boolean;
  claim: () => Promise<void>;
  release: () => Promise<void>;
}

/** Opens a study: claims it for a radiologist, keeps the claim alive, records that it was opened. */
export function useReading(uid: string): Reading {
  const me = useMe();
  const client = useQueryClient();
  const interval = useLiveInterval();
  const query = useQuery({ ...itemQuery(uid), refetchInterval: interval });
  const item = query.data;
  const [refusal, setRefusal] = useState("");
  const [lost, setLost] = useState("");
  const [held, setHeld] = useState(false);
  const tried = useRef(false);
  const reader = hasRole(me, "radiologist");
  const mine = item?.is_mine === true && item.state === "claimed";

  if (mine && (!held || lost)) {
    setHeld(true);
    setLost("");
  }
  const holder = item?.claimed_by?.username;
  useEffect(() => {
    if (!held || mine || !holder) return;
    let current = true;
    void takenOverWords(uid).then(
      (words) => current && setLost(words),
      () => undefined,
    );
    return () => {
      current = false;
    };
  }, [held, holder, mine, uid]);

  const take = useCallback(
    (fresh: WorklistItem) => {
      showItem(fresh);
      client.setQueryData(itemQuery(uid).queryKey, fresh);
    },
    [client, uid],
  );

  const claim = useCallback(async () => {
    try {
      take(await api.claim(uid));
      setRefusal("");
    } catch (error) {
      const holder = error instanceof Problem ? error.document.holder : undefined;
      setRefusal(holder ? `${personName(holder)} is reading this study.` : explain(error));
      void client.invalidateQueries({ queryKey: itemQuery(uid).queryKey });
    }
  }, [client, take, uid]);

  const release = useCallback(async () => take(await api.release(uid)), [take, uid]);

  useEffect(() => {
    if (!item || tried.current) return;
    tried.current = true;
    if (reader && item.state === "open") void claim().then(() => api.opened(uid).then(take, () => undefined));
    else if (reader) void api.opened(uid).then(take, () => undefined);
  }, [claim, item, reader, take, uid]);

  // Applications on the reader's desk close it too; nothing happens when something else is open by then.
  useEffect(() => {
    if (!reader) return;
    return () => void api.closed(uid).catch(() => undefined);
  }, [reader, uid]);

  useEffect(() => {
    if (!mine) return;
    const timer = setInterval(() => {
      api.heartbeat(uid).then(take, (error: unknown) => {
        if (!(error instanceof Problem) || error.status >= 500) return;
        const holder = error.document.holder;
        setRefusal(holder ? `${personName(holder)} took over this study.` : error.message);
        void client.invalidateQueries({ queryKey: itemQuery(uid).queryKey });
      });
    }, HEARTBEAT_MS);
    return () => clearInterval(timer);
  }, [client, mine, take, uid]);

  const id = item?.id;
  useEffect(
    () =>
      onTopic("worklist", (change) => {
        if (change.key !== id) return;
        void client.invalidateQueries({ queryKey: itemQuery(uid).queryKey });
        void client.invalidateQueries({ queryKey: ["worklist", "runs", uid] });
        void client.invalidateQueries({ queryKey: ["worklist", "plan", uid] });
      }),
    [client, id, uid],
  );

  let readOnlyReason = "";
  if (item && !mine && item.state !== "signed") {
    if (!reader) readOnlyReason = "Read only: your role reads reports, radiologists write them.";
    else if (lost) readOnlyReason = `Read only: ${lost}`;
    else if (item.claimed_by)
      readOnlyReason = `Read only: ${personName(item.claimed_by)} is reading this study.`;
    else readOnlyReason = refusal || "Read only: you do not hold this study.";
  }
  return {
    item,
    error: query.error,
    retry: () => void query.refetch(),
    mayEdit: mine,
    readOnlyReason,
    takenOver: lost !== "",
    claim,
    release,
  };
}

/** The study's report: a holder of the claim gets a draft made if there is none. */
export function useReport(uid: string, mayEdit: boolean) {
  const client = useQueryClient();
  const interval = useLiveInterval();
  const key = reportsQuery(uid).queryKey;
  const query = useQuery({ ...reportsQuery(uid), refetchInterval: interval });
  const report = query.data?.[0];
  const [error, setError] = useState<unknown>(null);
  const missing = query.isSuccess && !report;
  const creating = useRef(false);

  useEffect(() => {
    if (!missing || !mayEdit || creating.current) return;
    creating.current = true;
    api.createReport(uid).then(
      (made) => client.setQueryData<Report[]>(key, [made]),
      (problem: unknown) => {
        creating.current = false;
        setError(problem);
      },
    );
  }, [client, key, mayEdit, missing, uid]);

  const show = useCallback((fresh: Report) => client.setQueryData<Report[]>(key, [fresh]), [client, key]);
  return { report, show, isPending: query.isPending, error: query.error ?? error };
}
