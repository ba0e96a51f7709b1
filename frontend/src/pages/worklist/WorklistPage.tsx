import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useLocation, useSearchParams } from "wouter";

import { explain, Problem } from "../../api/client";
import { api, historyQuery, itemQuery, priorsQuery, runsQuery, summaryQuery } from "../../api/queries";
import type { WorklistItem } from "../../api/types";
import { PageFooter } from "../../app/Shell";
import { hasRole, useMe } from "../../app/session";
import { useKeys, type Handlers } from "../../keyboard/useKeys";
import { useLiveInterval } from "../../live/live";
import { isReadingWindow, openReadingWindow, useReadingWindow, windows } from "../../live/windows";
import { formatTime } from "../../time/dates";
import { personName } from "../../ui/person";
import { Empty, Failed, LoadingRows } from "../../ui/states";
import { ActionPopover, type Asked } from "./ActionPopover";
import { FilterBar } from "./FilterBar";
import { isFiltered, readFilters, writeFilters, type Filters } from "./filters";
import { whyNot } from "./offered";
import { reselect } from "./order";
import { PeekPanel } from "./PeekPanel";
import { PrintList } from "./PrintList";
import { useTakenOver } from "./takenOver";
import { Toast } from "./Toast";
import { useActions } from "./useActions";
import { showItem, useWorklist } from "./useWorklist";
import { VirtualList, type ListHandle } from "./VirtualList";
import styles from "./Worklist.module.css";

const SELECTED = "firstread.selected";

const print = () => window.print();

function takenText(error: unknown): string {
  if (error instanceof Problem && error.status === 409 && error.document.holder) {
    const until = error.document.claim_expires_at;
    const lease = until ? ` until ${formatTime(Date.parse(until))}` : "";
    return `${personName(error.document.holder)} holds this study${lease}.`;
  }
  return explain(error);
}

export default function WorklistPage() {
  const me = useMe();
  const client = useQueryClient();
  const [, navigate] = useLocation();
  const [params, setParams] = useSearchParams();
  const filters = useMemo(() => readFilters(params), [params]);
  const list = useWorklist(filters);
  const interval = useLiveInterval();
  const summary = useQuery({ ...summaryQuery(filters.list), refetchInterval: interval });
  // The rows on the page, and the name of the list (its filters) that they are.
  const [{ items, name }, setRows] = useState<{ items: WorklistItem[]; name: string }>({
    items: [],
    name: "",
  });
  const [selected, setSelected] = useState<string | null>(() => sessionStorage.getItem(SELECTED));
  const [peek, setPeek] = useState(false);
  const [asked, setAsked] = useState<{ what: Asked; uid: string } | null>(null);
  const { acts, told, tell, undo } = useActions(me);
  const reading = useReadingWindow();
  const [followed, setFollowed] = useState(reading);
  const [out, setOut] = useState({ above: 0, below: 0 });
  const handle = useRef<ListHandle>(null);
  const search = useRef<HTMLInputElement>(null);
  const mayRead = hasRole(me, "radiologist");

  if (list.data && list.data.items !== items) {
    const next = list.data.items;
    setSelected(reselect(selected, items, next));
    setRows({ items: next, name: list.isPlaceholderData ? name : JSON.stringify(filters) });
  }
  if (followed !== reading) {
    // The list stands on what is read in the other window.
    setFollowed(reading);
    if (reading) setSelected(reading);
  }
  const current = items.find((item) => item.study_instance_uid === selected) ?? null;
  const target = asked ? items.find((item) => item.study_instance_uid === asked.uid) : undefined;

  useTakenOver(items, tell);

  useEffect(() => {
    if (selected) sessionStorage.setItem(SELECTED, selected);
  }, [selected]);

  const setFilters = useCallback(
    (next: Filters) => setParams(writeFilters(next), { replace: true }),
    [setParams],
  );

  const select = useCallback((uid: string) => setSelected(uid), []);

  const open = useCallback(
    async (item: WorklistItem) => {
      const uid = item.study_instance_uid;
      tell(null);
      if (mayRead && item.state !== "signed" && !item.is_mine) {
        try {
          showItem(await api.claim(uid));
        } catch (error) {
          tell({ text: takenText(error), undo: null, readOnlyUid: uid });
          return;
        }
      } else {
        client.setQueryData(["worklist", "item", uid], item);
      }
      if (await windows.show(uid)) return;
      void client.prefetchQuery(priorsQuery(uid));
      void client.prefetchQuery(runsQuery(uid));
      navigate(`/read/${uid}`);
    },
    [client, mayRead, navigate, tell],
  );

  const toggleClaim = useCallback(
    async (item: WorklistItem) => {
      tell(null);
      try {
        const uid = item.study_instance_uid;
        showItem(await (item.is_mine ? api.release(uid) : api.claim(uid)));
      } catch (error) {
        tell({ text: takenText(error), undo: null });
      }
    },
    [tell],
  );

  const ask = useCallback(
    (item: WorklistItem, what: Asked) => {
      const refusal = what === "menu" ? "" : whyNot(what, item, Date.now());
      const uid = item.study_instance_uid;
      setSelected(uid);
      if (refusal) tell({ text: refusal, undo: null });
      else if (what === "hold" && item.held) void acts.unhold(item);
      else setAsked({ what, uid });
    },
    [acts, tell],
  );
  const menu = useCallback((item: WorklistItem) => ask(item, "menu"), [ask]);
  const askCurrent = (what: Asked) => current && mayRead && ask(current, what);
  const closeAsked = useCallback(() => {
    setAsked(null);
    handle.current?.focus();
  }, []);

  const takeNext = useCallback(async () => {
    tell(null);
    try {
      const item = await api.next();
      showItem(item);
      if (await windows.show(item.study_instance_uid)) tell({ text: item.why, undo: null });
      else navigate(`/read/${item.study_instance_uid}`, { state: { why: item.why } });
    } catch (error) {
      tell({ text: explain(error), undo: null });
    }
  }, [navigate, tell]);

  const openWindow = useCallback(() => {
    if (isReadingWindow() || openReadingWindow(reading ?? null)) return;
    tell({
      text: "The browser blocked the window. Allow pop-ups of this page, then press W again.",
      undo: null,
    });
  }, [reading, tell]);

  const untell = useCallback(() => tell(null), [tell]);

  const step = (by: number) => {
    if (items.length === 0) return;
    const at = items.findIndex((item) => item.study_instance_uid === selected);
    const index = at < 0 ? 0 : Math.min(items.length - 1, Math.max(0, at + by));
    const target = items[index];
    if (!target) return;
    select(target.study_instance_uid);
    handle.current?.reveal(index);
  };

  const keys: Handlers<"worklist"> = {
    down: () => step(1),
    up: () => step(-1),
    pageDown: () => step(handle.current?.pageSize() ?? 10),
    pageUp: () => step(-(handle.current?.pageSize() ?? 10)),
    first: () => step(-items.length),
    last: () => step(items.length),
    open: () => current && void open(current),
    window: openWindow,
    claim: () => current && mayRead && void toggleClaim(current),
    next: () => mayRead && void takeNext(),
    search: () => search.current?.select(),
    peek: () => setPeek((shown) => !shown),
    assign: () => askCurrent("assign"),
    hold: () => askCurrent("hold"),
    raise: () => askCurrent("raise"),
    decline: () => askCurrent("decline"),
    takeOver: () => askCurrent("takeOver"),
    flag: () => askCurrent("flag"),
    menu: () => askCurrent("menu"),
    undo: () => mayRead && void undo(),
    print,
  };
  // While a form is open its letters are text and its buttons are its own.
  useKeys("worklist", asked ? {} : keys);
  useKeys("everywhere", {
    escape: () => {
      if (asked) {
        closeAsked();
        return;
      }
      if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
      if (told) tell(null);
      else setPeek(false);
    },
  });

  useEffect(() => {
    if (!peek || !selected) return;
    // The rows around are one key away; have their details before the key is pressed.
    const timer = setTimeout(() => {
      void client.prefetchQuery(historyQuery(selected));
      void client.prefetchQuery(itemQuery(selected));
    }, 150);
    return () => clearTimeout(timer);
  }, [client, peek, selected]);

  const modalities = useMemo(() => [...new Set(items.map((item) => item.modality))].sort(), [items]);
  const total = list.data?.count ?? 0;

  return (
    <div className={styles.page}>
      <h1 className="visually-hidden">Reading worklist</h1>
      <FilterBar
        filters={filters}
        onChange={setFilters}
        summary={summary.data}
        modalities={modalities}
        searchRef={search}
        onLeaveSearch={() => handle.current?.focus()}
        onPrint={print}
      />
      {list.isError && <Failed error={list.error} onRetry={() => void list.refetch()} />}
      <div className={styles.body}>
        {list.isPending ? (
          <LoadingRows rows={18} />
        ) : items.length === 0 ? (
          !list.isError && <EmptyList filtered={isFiltered(filters)} onClear={() => setParams({})} />
        ) : (
          <VirtualList
            ref={handle}
            items={items}
            name={name}
            selected={selected}
            onSelect={select}
            complete={list.data?.complete ?? false}
            onOpen={open}
            me={me.username}
            onClaim={mayRead ? toggleClaim : null}
            onMenu={mayRead ? menu : null}
            onOutOfView={setOut}
          />
        )}
        {peek && current && (
          <PeekPanel
            item={current}
            onClose={() => setPeek(false)}
            onAsk={mayRead ? (what) => ask(current, what) : null}
            onUndo={(what) => void undo(what)}
          />
        )}
      </div>
      {asked && target && (
        <ActionPopover
          key={`${asked.what}-${asked.uid}`}
          asked={asked.what}
          item={target}
          me={me}
          acts={acts}
          onAsk={(what) => {
            setAsked(null);
            ask(target, what);
          }}
          onClose={closeAsked}
        />
      )}
      {told && (
        <Toast
          key={told.text}
          told={told}
          onUndo={(what) => void undo(what)}
          onOpen={(uid) => navigate(`/read/${uid}`)}
          onClose={untell}
        />
      )}
      <PrintList items={items} total={list.data?.count ?? items.length} filters={filters} me={me} />
      <PageFooter>
        <span>
          ↑ ↓ move · Enter open · W reading window · C claim · N next for me · S assign · H hold · P raise · Z
          undo · / search · Space peek · ? keys
        </span>
        <span className={styles.counts}>
          {total.toLocaleString("en-GB")} {filters.signed ? "signed" : "waiting"}
          {reading !== undefined && " · opens in the reading window"}
          {out.below > 0 && ` · ${String(out.below)} new below`}
        </span>
      </PageFooter>
    </div>
  );
}

function EmptyList({ filtered, onClear }: { filtered: boolean; onClear: () => void }) {
  return filtered ? (
    <Empty title="No study fits these filters">
      <button type="button" className={styles.linkButton} onClick={onClear}>
        Show the whole list
      </button>
    </Empty>
  ) : (
    <Empty title="Nothing is waiting">
      A study stands here from its first image. Send one from a modality to this archive, or let the PACS
      administrator drop files on the Archive page.
    </Empty>
  );
}
