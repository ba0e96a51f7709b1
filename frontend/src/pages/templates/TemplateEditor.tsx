import { Button } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { explain } from "../../api/client";
import { api } from "../../api/queries";
import type { ReportTemplateDetail, TemplatePreview } from "../../api/types";
import styles from "./Templates.module.css";

export interface Proposal {
  key: string;
  name: string;
  modalities: string;
  body_parts: string;
  words: string;
  /** As JSON. */
  content: string;
  imported: boolean;
  warnings: string[];
}

const PREVIEW_AFTER_MS = 500;

function listed(text: string): string[] {
  return text
    .split(",")
    .map((one) => one.trim())
    .filter(Boolean);
}

/** The content as JSON; null while it is none. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

interface Props {
  start: Proposal;
  onSaved: (made: ReportTemplateDetail) => void;
}

/** One template: what it is for, its content as text, and how reports of it read, side by side. */
export function TemplateEditor({ start, onSaved }: Props) {
  const client = useQueryClient();
  const [made, setMade] = useState(start);
  const [note, setNote] = useState("");
  const [preview, setPreview] = useState<TemplatePreview | null>(null);
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const content = parsed(made.content);

  useEffect(() => {
    const now = parsed(made.content);
    if (now === null) return;
    let current = true;
    const timer = setTimeout(() => {
      api.previewTemplate(now).then(
        (found) => current && setPreview(found),
        (problem: unknown) => current && setError(explain(problem)),
      );
    }, PREVIEW_AFTER_MS);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [made.content]);

  const save = async () => {
    setBusy(true);
    setError("");
    try {
      const saved = await api.addTemplate({
        key: made.key,
        name: made.name,
        modalities: listed(made.modalities),
        body_parts: listed(made.body_parts),
        words: listed(made.words),
        content,
        note,
        imported: made.imported,
      });
      void client.invalidateQueries({ queryKey: ["report-templates"] });
      onSaved(saved);
    } catch (problem) {
      setError(explain(problem));
    } finally {
      setBusy(false);
    }
  };

  const field = (name: "name" | "modalities" | "body_parts" | "words", label: string, hint = "") => (
    <label>
      {label}
      <input
        type="text"
        value={made[name]}
        placeholder={hint}
        onChange={(event) => setMade({ ...made, [name]: event.currentTarget.value })}
      />
    </label>
  );
  const problems = content === null ? ["The content is no JSON."] : (preview?.problems ?? []);

  return (
    <section className={styles.editor} aria-label={made.name || "New template"}>
      <div className={styles.form}>
        {made.warnings.length > 0 && (
          <div className={styles.warnings} role="status">
            <b>Imported, please check:</b>
            <ul>
              {made.warnings.map((one) => (
                <li key={one}>{one}</li>
              ))}
            </ul>
          </div>
        )}
        {field("name", "Name")}
        {field("modalities", "Modalities", "CT, MR; empty: all")}
        {field("body_parts", "Body parts", "HEAD, BRAIN; empty: all")}
        {field("words", "Words of the description", "angio; empty: none asked")}
        <label className={styles.content}>
          Sections, fields and macros (JSON)
          <textarea
            data-testid="template-content"
            spellCheck={false}
            value={made.content}
            onChange={(event) => setMade({ ...made, content: event.currentTarget.value })}
          />
        </label>
        <label>
          What changed, and why
          <input type="text" value={note} onChange={(event) => setNote(event.currentTarget.value)} />
        </label>
        {error && <p role="alert">{error}</p>}
        <Button
          variant="filled"
          data-testid="template-save"
          loading={busy}
          disabled={problems.length > 0 || made.name.trim() === ""}
          onClick={() => void save()}
        >
          Save as a new version
        </Button>
      </div>
      <article className={styles.preview} aria-label="Preview">
        <h2>Preview</h2>
        {problems.length > 0 ? (
          <ul role="alert" data-testid="template-problems">
            {problems.map((one) => (
              <li key={one}>{one}</li>
            ))}
          </ul>
        ) : (
          preview?.sections.map((section) => (
            <section key={section.key}>
              <h3>{section.title}</h3>
              <p>{section.text || "–"}</p>
            </section>
          ))
        )}
      </article>
    </section>
  );
}
