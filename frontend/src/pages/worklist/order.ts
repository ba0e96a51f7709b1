import type { WorklistItem } from "../../api/types";

export function compareItems(a: WorklistItem, b: WorklistItem): number {
  return (
    Date.parse(a.due_at) - Date.parse(b.due_at) ||
    Date.parse(a.arrived_at) - Date.parse(b.arrived_at) ||
    (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
  );
}

/** Pages joined into one list: each study once (the newest version wins), in the order of the deadline. */
export function joinPages(pages: readonly WorklistItem[][]): WorklistItem[] {
  const byUid = new Map<string, WorklistItem>();
  for (const item of pages.flat()) {
    const known = byUid.get(item.study_instance_uid);
    if (!known || item.version >= known.version) byUid.set(item.study_instance_uid, item);
  }
  return [...byUid.values()].sort(compareItems);
}

/** Puts one fetched row in its place; an older version than the one shown changes nothing. */
export function upsert(items: readonly WorklistItem[], incoming: WorklistItem): WorklistItem[] {
  const known = items.find((item) => item.study_instance_uid === incoming.study_instance_uid);
  if (known && known.version > incoming.version) return [...items];
  const rest = items.filter((item) => item !== known);
  return [...rest, incoming].sort(compareItems);
}

export interface Viewport {
  /** Index of the first row that can be seen, and how many fit. */
  first: number;
  size: number;
  /** Row the reader's eye or pointer is on; null when nobody is working on the list. */
  anchor: string | null;
  /** True while the reader works on the list, or has scrolled: what is seen must not shift. */
  held: boolean;
}

export interface Plan {
  /** Rows to scroll down (negative: up) so that what is seen stays where it is. */
  shift: number;
  /** Rows that changed their place among the others: these slide. */
  moved: ReadonlySet<string>;
  /** Rows that came or rose to a place above, or came below, what can be seen. */
  above: readonly string[];
  below: readonly string[];
}

const key = (item: WorklistItem) => `${item.due_at}|${item.arrived_at}`;

/**
 * How to bring a new order onto the screen without taking the list from under the reader.
 * Held: the anchor row keeps its place on screen, and rows that land above are announced instead of pushing.
 * Not held: rows simply slide to their new places.
 */
export function planUpdate(
  before: readonly WorklistItem[],
  after: readonly WorklistItem[],
  view: Viewport,
): Plan {
  const oldIndex = new Map(before.map((item, index) => [item.study_instance_uid, index]));
  const newIndex = new Map(after.map((item, index) => [item.study_instance_uid, index]));
  const moved = new Set<string>();
  for (const item of after) {
    const index = oldIndex.get(item.study_instance_uid);
    const old = index === undefined ? undefined : before[index];
    if (old && key(old) !== key(item)) moved.add(item.study_instance_uid);
  }

  let shift = 0;
  if (view.held) {
    const seen = before.slice(view.first, view.first + view.size).map((item) => item.study_instance_uid);
    const start = Math.max(0, seen.indexOf(view.anchor ?? ""));
    // The anchor may itself have left or moved; then the next row that stayed stands in for it.
    const anchor = [...seen.slice(start), ...seen.slice(0, start).reverse()].find(
      (uid) => newIndex.has(uid) && !moved.has(uid),
    );
    if (anchor !== undefined) shift = (newIndex.get(anchor) ?? 0) - (oldIndex.get(anchor) ?? 0);
  }
  if (!view.held) {
    // Everything that changes its index slides, also the rows that make room.
    for (const [uid, index] of newIndex) if (oldIndex.has(uid) && oldIndex.get(uid) !== index) moved.add(uid);
  }

  const first = Math.max(0, view.first + shift);
  const above: string[] = [];
  const below: string[] = [];
  after.forEach((item, index) => {
    const old = oldIndex.get(item.study_instance_uid);
    if (index < first && (old === undefined || old >= view.first)) above.push(item.study_instance_uid);
    if (index >= first + view.size && old === undefined) below.push(item.study_instance_uid);
  });
  const firstLoad = before.length === 0;
  return { shift, moved, above: firstLoad ? [] : above, below: firstLoad ? [] : below };
}

/** The row to select when the selected one is gone: the one that took its place. */
export function reselect(
  selected: string | null,
  before: readonly WorklistItem[],
  after: readonly WorklistItem[],
): string | null {
  if (selected !== null && after.some((item) => item.study_instance_uid === selected)) return selected;
  const place = before.findIndex((item) => item.study_instance_uid === selected);
  const index = Math.min(Math.max(place, 0), after.length - 1);
  return after[index]?.study_instance_uid ?? null;
}
