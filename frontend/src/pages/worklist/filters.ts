import { query } from "../../api/client";

/** What the list shows; the same names stand in the page's address. */
export interface Filters {
  search: string;
  modality: string;
  location_class: string;
  stat: boolean;
  flags: boolean;
  unclaimed: boolean;
  mine: boolean;
  signed: boolean;
}

const FLAGS = ["stat", "flags", "unclaimed", "mine", "signed"] as const;

export function readFilters(params: URLSearchParams): Filters {
  const flag = (name: string) => params.get(name) === "1";
  return {
    search: params.get("search") ?? "",
    modality: params.get("modality") ?? "",
    location_class: params.get("location_class") ?? "",
    stat: flag("stat"),
    flags: flag("flags"),
    unclaimed: flag("unclaimed"),
    mine: flag("mine"),
    signed: flag("signed"),
  };
}

export function writeFilters(filters: Filters): URLSearchParams {
  const params = new URLSearchParams();
  if (filters.search) params.set("search", filters.search);
  if (filters.modality) params.set("modality", filters.modality);
  if (filters.location_class) params.set("location_class", filters.location_class);
  for (const name of FLAGS) if (filters[name]) params.set(name, "1");
  return params;
}

export function isFiltered(filters: Filters): boolean {
  return writeFilters(filters).size > 0;
}

/** The filters as the API's query, with whatever else the call needs. */
export function listQuery(filters: Filters, extra: Record<string, string | number> = {}): string {
  return query({
    search: filters.search,
    modality: filters.modality,
    location_class: filters.location_class,
    priority_class: filters.stat ? "stat" : "",
    ai_flag: filters.flags ? "true" : "",
    state: filters.signed ? ["signed"] : filters.unclaimed ? ["open"] : undefined,
    mine: filters.mine ? "true" : "",
    ...extra,
  });
}
