import { NativeSelect, Popover } from "@mantine/core";
import { useState } from "react";

import { Icon } from "../../ui/icons";
import { moreWords, type Filters, type Mark } from "./filters";
import styles from "./Worklist.module.css";
import { FLAG_WORDS, LOCATIONS } from "./words";

interface Props {
  filters: Filters;
  onChange: (next: Filters) => void;
  onPrint: () => void;
}

const MARKS: readonly { value: Mark; label: string }[] = [
  { value: "", label: "any" },
  { value: "raised", label: "raised by a reader" },
  ...Object.entries(FLAG_WORDS).map(([value, label]) => ({ value: value as Mark, label })),
];

/** What is chosen less often, and printing. The button says what is chosen, so that nothing hides a study unseen. */
export function MoreFilters({ filters, onChange, onPrint }: Props) {
  const [open, setOpen] = useState(false);
  const chosen = moreWords(filters);
  return (
    <Popover
      opened={open}
      onChange={setOpen}
      position="bottom-end"
      width={240}
      trapFocus
      returnFocus
      withinPortal
      transitionProps={{ duration: 0 }}
    >
      <Popover.Target>
        <button
          type="button"
          className={styles.chip}
          aria-label={chosen ? `More filters: ${chosen}` : "More filters"}
          aria-pressed={chosen !== ""}
          onClick={() => setOpen(!open)}
        >
          {chosen || "More"} <Icon name="more" size={12} />
        </button>
      </Popover.Target>
      <Popover.Dropdown className={styles.more}>
        <NativeSelect
          label="State"
          value={filters.signed ? "signed" : ""}
          onChange={(event) =>
            onChange({ ...filters, signed: event.currentTarget.value === "signed", unclaimed: false })
          }
          data={[
            { value: "", label: "waiting" },
            { value: "signed", label: "signed" },
          ]}
        />
        <NativeSelect
          label="Location"
          value={filters.location_class}
          onChange={(event) => onChange({ ...filters, location_class: event.currentTarget.value })}
          data={[
            { value: "", label: "all" },
            ...Object.entries(LOCATIONS).map(([value, label]) => ({ value, label })),
          ]}
        />
        <NativeSelect
          label="Mark"
          value={filters.mark}
          onChange={(event) => onChange({ ...filters, mark: event.currentTarget.value as Mark })}
          data={[...MARKS]}
        />
        <button
          type="button"
          className={styles.linkButton}
          onClick={() => {
            setOpen(false);
            onPrint();
          }}
        >
          Print this list (Ctrl+P)
        </button>
      </Popover.Dropdown>
    </Popover>
  );
}
