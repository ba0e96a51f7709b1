import { query } from "../../api/client";
import type { LocationClass } from "../../api/types";
import { FLAG_WORDS, LOCATIONS } from "./words";

/** What the list shows; the same names stand in the page's address. */
export interface Filters {
  search: string;
  /** "mine": my groups' studies, what nobody's group has, shared, assigned to me; or a group's id; or all. */
  list: string;
  modality: string;
  location_class: string;
  stat: boolean;
  flags: boolean;
  unclaimed: boolean;
  mine: boolean;
  signed: boolean;
  /** Assigned to me. */
  forMe: boolean;
  held: boolean;
  /** Raised by a reader, or marked for teaching or peer review. */
  mark: Mark;
}

export type Mark = "" | "raised" | "teaching" | "peer_review";

const FLAGS = ["stat", "flags", "unclaimed", "mine", "signed", "forMe", "held"] as const;
const MARKS: readonly string[] = ["raised", "teaching", "peer_review"] satisfies Mark[];

export function readFilters(params: URLSearchParams): Filters {
  const flag = (name: string) => params.get(name) === "1";
  return {
    search: params.get("search") ?? "",
    list: /^(mine|\d+)$/.exec(params.get("list") ?? "")?.[0] ?? "",
    modality: params.get("modality") ?? "",
    location_class: params.get("location_class") ?? "",
    stat: flag("stat"),
    flags: flag("flags"),
    unclaimed: flag("unclaimed"),
    mine: flag("mine"),
    signed: flag("signed"),
    forMe: flag("forMe"),
    held: flag("held"),
    mark: MARKS.includes(params.get("mark") ?? "") ? (params.get("mark") as Mark) : "",
  };
}

export function writeFilters(filters: Filters): URLSearchParams {
  const params = new URLSearchParams();
  if (filters.search) params.set("search", filters.search);
  if (filters.list) params.set("list", filters.list);
  if (filters.modality) params.set("modality", filters.modality);
  if (filters.location_class) params.set("location_class", filters.location_class);
  if (filters.mark) params.set("mark", filters.mark);
  for (const name of FLAGS) if (filters[name]) params.set(name, "1");
  return params;
}

export function isFiltered(filters: Filters): boolean {
  return writeFilters(filters).size > 0;
}

/** The words of what the bar does not show by itself. */
export function moreWords(filters: Filters): string {
  const location = filters.location_class === "er" ? "" : filters.location_class;
  const words = [
    filters.signed && "signed",
    location && LOCATIONS[location as LocationClass],
    filters.mark === "raised" ? "raised" : filters.mark && FLAG_WORDS[filters.mark],
  ];
  return words.filter(Boolean).join(", ");
}

/** The filters in words, for the head of the printed list. */
export function filterWords(filters: Filters, groups: ReadonlyMap<string, string> = new Map()): string {
  const words = [
    filters.signed ? "signed" : "waiting",
    filters.list === "mine" ? "my list" : filters.list && (groups.get(filters.list) ?? "of one group"),
    filters.search && `with “${filters.search}”`,
    filters.modality,
    filters.location_class && LOCATIONS[filters.location_class as LocationClass],
    filters.stat && "STAT",
    filters.flags && "AI flags",
    filters.unclaimed && "unclaimed",
    filters.mine && "claimed by me",
    filters.forMe && "assigned to me",
    filters.held && "on hold",
    filters.mark === "raised" ? "raised by a reader" : filters.mark && FLAG_WORDS[filters.mark],
  ];
  return words.filter(Boolean).join(", ");
}

/** The filters as the API's query, with whatever else the call needs. */
export function listQuery(filters: Filters, extra: Record<string, string | number> = {}): string {
  return query({
    search: filters.search,
    list: filters.list === "mine" ? "mine" : "",
    group: filters.list === "mine" ? "" : filters.list,
    modality: filters.modality,
    location_class: filters.location_class,
    priority_class: filters.stat ? "stat" : "",
    ai_flag: filters.flags ? "true" : "",
    state: filters.signed ? ["signed"] : filters.unclaimed ? ["open"] : undefined,
    mine: filters.mine ? "true" : "",
    assigned: filters.forMe ? "me" : "",
    held: filters.held ? "true" : "",
    raised: filters.mark === "raised" ? "true" : "",
    flag: filters.mark === "raised" ? "" : filters.mark,
    ...extra,
  });
}
