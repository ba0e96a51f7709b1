import { NativeSelect, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState, type RefObject } from "react";

import type { WorklistSummary } from "../../api/types";
import { Icon } from "../../ui/icons";
import { groupsQuery } from "../rota/rota";
import type { Filters } from "./filters";
import { ListSwitcher } from "./ListSwitcher";
import { MoreFilters } from "./MoreFilters";
import styles from "./Worklist.module.css";

interface Props {
  filters: Filters;
  onChange: (next: Filters) => void;
  summary: WorklistSummary | undefined;
  modalities: string[];
  searchRef: RefObject<HTMLInputElement | null>;
  onLeaveSearch: () => void;
  onPrint: () => void;
}

const SEARCH_PAUSE_MS = 180;

export function FilterBar(props: Props) {
  const { filters, onChange, summary, modalities, searchRef, onLeaveSearch, onPrint } = props;
  const [text, setText] = useState(filters.search);
  const [seen, setSeen] = useState(filters.search);
  if (filters.search !== seen) {
    setSeen(filters.search);
    setText(filters.search);
  }
  useEffect(() => {
    if (text === seen) return;
    const timer = setTimeout(() => onChange({ ...filters, search: text }), SEARCH_PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, seen, filters, onChange]);

  const chip = (
    label: string,
    count: number | undefined,
    on: boolean,
    next: Partial<Filters>,
    ai = false,
  ) => (
    <button
      type="button"
      className={styles.chip}
      data-ai={ai || undefined}
      aria-pressed={on}
      onClick={() => onChange({ ...filters, ...next })}
    >
      {label} <b>{count ?? "–"}</b>
    </button>
  );

  const groups = useQuery({ ...groupsQuery, staleTime: 300_000 });
  const offered = filters.modality ? [...new Set([...modalities, filters.modality])].sort() : modalities;
  return (
    <div className={styles.filters} role="search">
      <ListSwitcher filters={filters} onChange={onChange} />
      <NativeSelect
        aria-label="Whose studies"
        value={filters.list}
        onChange={(event) => onChange({ ...filters, list: event.currentTarget.value })}
        data={[
          { value: "", label: "All studies" },
          { value: "mine", label: "My list" },
          ...(groups.data ?? [])
            .filter((group) => group.active)
            .map((group) => ({ value: String(group.id), label: group.name })),
        ]}
      />
      <TextInput
        ref={searchRef}
        className={styles.search}
        type="search"
        aria-label="Search name, ID, accession, text"
        placeholder="Search name, ID, accession, text"
        leftSection={<Icon name="search" />}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter" || event.key === "ArrowDown") {
            event.preventDefault();
            event.currentTarget.blur();
            onLeaveSearch();
          }
        }}
      />
      <div className={styles.chips} role="group" aria-label="Filters">
        {chip("STAT", summary?.stat, filters.stat, { stat: !filters.stat })}
        {chip("ER", summary?.er, filters.location_class === "er", {
          location_class: filters.location_class === "er" ? "" : "er",
        })}
        {chip("AI flags", summary?.ai_flags, filters.flags, { flags: !filters.flags }, true)}
        {chip("Unclaimed", summary?.unclaimed, filters.unclaimed, {
          unclaimed: !filters.unclaimed,
          mine: false,
          signed: false,
        })}
        {chip("Mine", summary?.mine, filters.mine, { mine: !filters.mine, unclaimed: false })}
        {chip("For me", summary?.assigned_to_me, filters.forMe, { forMe: !filters.forMe })}
        {chip("On hold", summary?.held, filters.held, { held: !filters.held })}
      </div>
      <NativeSelect
        aria-label="Modality"
        value={filters.modality}
        onChange={(event) => onChange({ ...filters, modality: event.currentTarget.value })}
        data={[{ value: "", label: "All modalities" }, ...offered.map((value) => ({ value, label: value }))]}
      />
      <MoreFilters filters={filters} onChange={onChange} onPrint={onPrint} />
      <span className={styles.dueSoon} data-some={summary !== undefined && summary.due_30_min > 0}>
        <Icon name="soon" /> {summary?.due_30_min ?? "–"} due &lt; 30 min
      </span>
    </div>
  );
}
