import { useVirtualizer } from "@tanstack/react-virtual";
import {
  useCallback,
  useEffect,
  useImperativeHandle,
  useLayoutEffect,
  useRef,
  useState,
  useSyncExternalStore,
  type Ref,
} from "react";

import type { WorklistItem } from "../../api/types";
import { rowHeight } from "../../theme/tokens";
import { Icon } from "../../ui/icons";
import { planUpdate } from "./order";
import { WorklistRow } from "./WorklistRow";
import styles from "./Worklist.module.css";

export interface ListHandle {
  reveal: (index: number) => void;
  pageSize: () => number;
  focus: () => void;
}

interface Props {
  ref?: Ref<ListHandle>;
  items: readonly WorklistItem[];
  /** Which list this is; another list starts at its top and slides nothing. */
  name: string;
  /** False while the rest of the list is on its way: its rows are not news when they come. */
  complete: boolean;
  selected: string | null;
  onSelect: (uid: string) => void;
  onOpen: (item: WorklistItem) => void;
  /** Null for those who may only look. */
  onClaim: ((item: WorklistItem) => void) | null;
  onMenu: ((item: WorklistItem) => void) | null;
  /** Username of whoever looks at it. */
  me: string;
  onOutOfView: (counts: { above: number; below: number }) => void;
}

interface Shown {
  name: string;
  complete: boolean;
  items: readonly WorklistItem[];
  shift: number;
  moved: ReadonlySet<string>;
}

/** How long after a key or a pointer movement the reader still counts as working on the list. */
const HOLD_MS = 8_000;
const NONE: ReadonlySet<string> = new Set();
const PHONE = "(width <= 720px)";

function usePhone(): boolean {
  return useSyncExternalStore(
    (watch) => {
      const media = window.matchMedia(PHONE);
      media.addEventListener("change", watch);
      return () => media.removeEventListener("change", watch);
    },
    () => window.matchMedia(PHONE).matches,
  );
}

/** The list itself: virtual rows that slide, and a scroll position that never moves under the reader. */
export function VirtualList({
  ref,
  items,
  name,
  complete,
  selected,
  onSelect,
  onOpen,
  onClaim,
  onMenu,
  me,
  onOutOfView,
}: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const touched = useRef(0);
  const hovered = useRef<string | null>(null);
  const height = usePhone() ? rowHeight.phone : rowHeight.desk;
  const [shown, setShown] = useState<Shown>({ name, complete, items, shift: 0, moved: NONE });
  const [unseen, setUnseen] = useState<ReadonlySet<string>>(NONE);
  const [floor, setFloor] = useState(0);
  const [seen, setSeen] = useState({ first: 0, last: Number.POSITIVE_INFINITY });

  // Near the top of a short list there is nothing to scroll; this keeps the room that a held list needs.
  const virtual = useVirtualizer({
    count: shown.items.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    overscan: 10,
    getItemKey: (index) => shown.items[index]?.study_instance_uid ?? index,
  });
  const measure = virtual.measure;
  useEffect(() => measure(), [height, measure]);

  const view = useCallback(() => {
    const element = scroller.current;
    const top = element?.scrollTop ?? 0;
    return {
      first: Math.floor((top + height * 0.5) / height),
      size: Math.max(1, Math.floor((element?.clientHeight ?? height) / height)),
      top,
    };
  }, [height]);

  useLayoutEffect(() => {
    if (shown.items === items) return;
    if (shown.name !== name) {
      if (scroller.current) scroller.current.scrollTop = 0;
      setShown({ name, complete, items, shift: 0, moved: NONE });
      setUnseen(NONE);
      return;
    }
    const { first, size, top } = view();
    const working = Date.now() - touched.current < HOLD_MS;
    const plan = planUpdate(shown.items, items, {
      first,
      size,
      anchor: hovered.current ?? (working ? selected : null),
      held: working || top > 0,
    });
    setShown({ name, complete, items, shift: plan.shift, moved: plan.moved });
    if (shown.complete && plan.above.length + plan.below.length > 0) {
      setUnseen((old) => new Set([...old, ...plan.above, ...plan.below]));
    }
  }, [items, name, complete, shown, selected, view]);

  /** Notes which rows can be seen; what has been on the screen is no longer new. */
  const look = useCallback(
    (rows: readonly WorklistItem[], forget: boolean) => {
      const { first, size } = view();
      const last = first + size - 1;
      setSeen((old) => (old.first === first && old.last === last ? old : { first, last }));
      if (!forget) return;
      setUnseen((old) => {
        if (old.size === 0) return old;
        const met = rows.slice(first, last + 1).filter((row) => old.has(row.study_instance_uid));
        if (met.length === 0) return old;
        const left = new Set(old);
        met.forEach((row) => left.delete(row.study_instance_uid));
        return left;
      });
    },
    [view],
  );

  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    if (shown.shift !== 0) {
      const target = Math.max(0, element.scrollTop + shown.shift * height);
      const room = target + element.clientHeight;
      const inner = element.querySelector<HTMLElement>("[data-inner]");
      // Set by hand as well, because the room must be there before the scroll position.
      if (inner) inner.style.minHeight = `${String(room)}px`;
      setFloor(room);
      element.scrollTop = target;
      setShown({ ...shown, shift: 0 });
    }
    look(shown.items, false);
  }, [shown, height, look]);

  const counts = { above: 0, below: 0 };
  if (unseen.size > 0) {
    shown.items.forEach((item, index) => {
      if (!unseen.has(item.study_instance_uid)) return;
      if (index < seen.first) counts.above += 1;
      else if (index > seen.last) counts.below += 1;
    });
  }
  const { above, below } = counts;
  useEffect(() => onOutOfView({ above, below }), [above, below, onOutOfView]);
  useImperativeHandle(ref, () => ({
    reveal: (index) => {
      touched.current = Date.now();
      hovered.current = null;
      virtual.scrollToIndex(index, { align: "auto" });
    },
    pageSize: () => view().size - 1,
    focus: () => scroller.current?.focus(),
  }));

  const hover = useCallback((uid: string) => {
    hovered.current = uid;
  }, []);
  const rows = virtual.getVirtualItems();
  return (
    <div className={styles.listBox}>
      <div className={styles.head} aria-hidden="true">
        <span>due</span>
        <span>class</span>
        <span>patient, age, sex</span>
        <span>mod</span>
        <span>study</span>
        <span className={styles.colAi}>AI</span>
        <span className={styles.colWhy}>why it stands here</span>
        <span>state</span>
      </div>
      {above > 0 && (
        <button
          type="button"
          className={styles.newAbove}
          onClick={() => scroller.current?.scrollTo({ top: 0, behavior: "smooth" })}
        >
          <Icon name="up" size={12} /> {above} new above
        </button>
      )}
      <div className="visually-hidden" role="status">
        {above > 0 && `${String(above)} new above`}
      </div>
      <div
        ref={scroller}
        className={styles.scroller}
        tabIndex={0}
        role="listbox"
        aria-label="Studies, most urgent first"
        aria-activedescendant={selected ? `row-${selected}` : undefined}
        onPointerMove={() => {
          touched.current = Date.now();
        }}
        onPointerLeave={() => {
          touched.current = 0;
          hovered.current = null;
        }}
        onScroll={(event) => {
          if (event.currentTarget.scrollTop === 0 && floor > 0) setFloor(0);
          look(shown.items, true);
        }}
      >
        <div
          data-inner
          className={styles.inner}
          style={{ height: virtual.getTotalSize(), minHeight: floor || undefined }}
        >
          {rows.map((row) => {
            const item = shown.items[row.index];
            if (!item) return null;
            return (
              <WorklistRow
                key={row.key}
                item={item}
                index={row.index}
                total={shown.items.length}
                top={row.start}
                slides={shown.moved.has(item.study_instance_uid)}
                selected={item.study_instance_uid === selected}
                onSelect={onSelect}
                onOpen={onOpen}
                me={me}
                onClaim={onClaim}
                onMenu={onMenu}
                onHover={hover}
              />
            );
          })}
        </div>
      </div>
    </div>
  );
}
