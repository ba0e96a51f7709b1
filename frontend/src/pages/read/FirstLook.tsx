import { Button } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type Ref } from "react";

import { explain } from "../../api/client";
import { api, readingQuery } from "../../api/queries";
import type { WorklistItem } from "../../api/types";
import { formatMoment } from "../../time/dates";
import { AiMark } from "../../ui/AiMark";
import styles from "./Read.module.css";

interface Props {
  item: WorklistItem;
  ref?: Ref<HTMLTextAreaElement>;
}

/** What this reader committed before AI was shown, under the findings that followed. */
export function FirstLookSaid({ uid }: { uid: string }) {
  const looks = useQuery(readingQuery(uid)).data;
  if (!looks?.first_look_at) return null;
  return (
    <p className={styles.firstLookSaid} data-testid="first-look-said">
      Your first look, {formatMoment(looks.first_look_at)}: “{looks.impression}”
    </p>
  );
}

/** In place of the findings while AI is hidden: the reader's own impression comes first, where the mode asks. */
export function FirstLook({ item, ref }: Props) {
  const client = useQueryClient();
  const [impression, setImpression] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const uid = item.study_instance_uid;

  const commit = async () => {
    if (busy) return;
    if (!impression.trim()) {
      setError("Say what you see first; then AI is shown.");
      return;
    }
    setBusy(true);
    setError("");
    try {
      await api.firstLook(uid, impression);
      // Everything about this study may say more now.
      await Promise.all(
        [["worklist"], ["reports", uid]].map((queryKey) => client.invalidateQueries({ queryKey })),
      );
    } catch (problem) {
      setError(explain(problem));
      setBusy(false);
    }
  };

  return (
    <section className={styles.block} aria-label="AI findings" data-testid="first-look">
      <header>
        <h2>
          <AiMark /> hidden
        </h2>
      </header>
      {item.ai_hidden === "hidden" ? (
        <p className={styles.quiet}>
          This site reads without AI: what it says is shown once the report is signed. The study stands where
          the list put it.
        </p>
      ) : (
        <form
          className={styles.firstLook}
          onSubmit={(event) => {
            event.preventDefault();
            void commit();
          }}
        >
          <label htmlFor="first-look">Your first look (L). It is kept as written; then AI is shown.</label>
          <textarea
            id="first-look"
            ref={ref}
            value={impression}
            maxLength={5000}
            placeholder="What do you see, and what not?"
            onChange={(event) => setImpression(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
                // Ctrl+Enter signs the report elsewhere on the page; here it commits what is written.
                event.preventDefault();
                event.stopPropagation();
                void commit();
              }
            }}
          />
          {error && (
            <p role="alert" className={styles.notice}>
              {error}
            </p>
          )}
          <footer>
            <span className={styles.quiet}>Ctrl+Enter</span>
            <Button type="submit" disabled={busy} data-testid="commit-first-look">
              Commit and show AI
            </Button>
          </footer>
        </form>
      )}
    </section>
  );
}
