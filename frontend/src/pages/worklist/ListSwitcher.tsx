import { Button, Menu } from "@mantine/core";
import { queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { explain, request } from "../../api/client";
import type { Page, SavedList } from "../../api/types";
import { isFiltered, readFilters, writeFilters, type Filters } from "./filters";
import styles from "./ListSwitcher.module.css";

const ROOT = "/api/lists/";

export const listsQuery = queryOptions({
  queryKey: ["lists"],
  queryFn: ({ signal }) => request<Page<SavedList>>(`${ROOT}?page_size=200`, { signal }),
});

const plain = (filters: Filters): Record<string, string> => Object.fromEntries(writeFilters(filters));
const sameView = (one: Record<string, string>, other: Record<string, string>) =>
  new URLSearchParams(Object.entries(one).sort()).toString() ===
  new URLSearchParams(Object.entries(other).sort()).toString();

interface Props {
  filters: Filters;
  onChange: (next: Filters) => void;
}

/** Saved views of the list: choose one, keep the present one under a name, share, rename, delete. */
export function ListSwitcher({ filters, onChange }: Props) {
  const client = useQueryClient();
  const lists = useQuery(listsQuery);
  const [name, setName] = useState("");
  const [said, setSaid] = useState("");
  const rows = lists.data?.results ?? [];
  const present = plain(filters);
  const chosen = rows.find((one) => sameView(one.filters, present));

  const run = async (work: () => Promise<unknown>) => {
    setSaid("");
    try {
      await work();
      setName("");
    } catch (error) {
      setSaid(explain(error));
    }
    await client.invalidateQueries({ queryKey: ["lists"] });
  };
  const change = (one: SavedList, body: unknown) =>
    run(() => request(`${ROOT}${one.id}/`, { method: "PATCH", body }));
  const save = (event: FormEvent) => {
    event.preventDefault();
    if (chosen?.mine) void change(chosen, { name: name.trim() });
    else void run(() => request(ROOT, { method: "POST", body: { name: name.trim(), filters: present } }));
  };

  return (
    <Menu width={320} position="bottom-start" closeOnItemClick={false}>
      <Menu.Target>
        <Button variant="default" rightSection="▾" aria-label={`List: ${chosen?.name ?? "not saved"}`}>
          {chosen?.name ?? (isFiltered(filters) ? "This view" : "Everything")}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => onChange(readFilters(new URLSearchParams()))}>Everything</Menu.Item>
        {rows.map((one) => (
          <Menu.Item
            key={one.id}
            aria-current={one === chosen ? "true" : undefined}
            onClick={() => onChange(readFilters(new URLSearchParams(one.filters)))}
          >
            {one.name}
            <small className={styles.whose}>
              {one.mine ? (one.shared ? "shared by you" : "yours") : `of ${one.owner.display_name}`}
            </small>
          </Menu.Item>
        ))}
        {lists.isSuccess && rows.length === 0 && (
          <Menu.Label>No saved list yet. Choose filters, then save the view here.</Menu.Label>
        )}
        {lists.isError && <Menu.Label role="alert">{explain(lists.error)}</Menu.Label>}
        {chosen?.mine && (
          <>
            <Menu.Divider />
            <Menu.Item onClick={() => void change(chosen, { shared: !chosen.shared })}>
              {chosen.shared ? "Stop sharing" : "Share"} {chosen.name}
            </Menu.Item>
            <Menu.Item onClick={() => void run(() => request(`${ROOT}${chosen.id}/`, { method: "DELETE" }))}>
              Delete {chosen.name}
            </Menu.Item>
          </>
        )}
        <Menu.Divider />
        <form className={styles.save} onSubmit={save}>
          <input
            type="text"
            aria-label={chosen?.mine ? `New name of ${chosen.name}` : "Name of this view"}
            placeholder={chosen?.mine ? "New name" : "Save this view as"}
            maxLength={80}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            onKeyDown={(event) => event.stopPropagation()}
          />
          <Button type="submit" disabled={name.trim() === ""}>
            {chosen?.mine ? "Rename" : "Save"}
          </Button>
        </form>
        {said && (
          <p role="alert" className={styles.said}>
            {said}
          </p>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}
