import { Kbd } from "@mantine/core";

import { keymap, showKey, type Binding, type PageName } from "./keymap";
import styles from "./HelpSheet.module.css";

const TITLES: Record<PageName, string> = {
  worklist: "Worklist",
  read: "Reading page",
  cosign: "Co-sign",
  images: "In the images (I, or a click)",
  quality: "Quality",
  everywhere: "Everywhere",
};

export function KeyTable({ page }: { page: PageName }) {
  const bindings: readonly Binding[] = keymap[page];
  return (
    <section>
      <h2>{TITLES[page]}</h2>
      <dl className={styles.keys}>
        {bindings.map((binding) => (
          <div key={binding.action}>
            <dt>
              {binding.keys.map((key) => (
                <Kbd key={key} size="xs">
                  {showKey(key)}
                </Kbd>
              ))}
            </dt>
            <dd>{binding.label}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

/** A sheet at the side, not a dialog: the page under it goes on working. */
export function HelpSheet({ page, onClose }: { page: PageName; onClose: () => void }) {
  return (
    <aside className={styles.sheet} aria-label="Keyboard help" data-testid="help-sheet">
      <header>
        <h1>Keys</h1>
        <button type="button" className={styles.close} onClick={onClose} aria-label="Close keyboard help">
          Esc
        </button>
      </header>
      {page !== "everywhere" && <KeyTable page={page} />}
      {page === "read" && <KeyTable page="images" />}
      <KeyTable page="everywhere" />
    </aside>
  );
}
