import { Button } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { explain } from "../../api/client";
import { api, templateQuery, templatesQuery } from "../../api/queries";
import type { ReportTemplate } from "../../api/types";
import { PageFooter } from "../../app/Shell";
import { formatMoment } from "../../time/dates";
import { personName } from "../../ui/person";
import { Empty, Failed, LoadingRows } from "../../ui/states";
import { TemplateEditor, type Proposal } from "./TemplateEditor";
import styles from "./Templates.module.css";

const STATES = { draft: "draft", active: "✓ active", retired: "retired" };
const SOURCES = { shipped: "shipped", site: "written here", mrrt: "imported" };

/** Asks why, then activates or retires a version. */
function Move({ template }: { template: ReportTemplate }) {
  const client = useQueryClient();
  const [reason, setReason] = useState<string | null>(null);
  const [error, setError] = useState("");
  const move = template.state === "active" ? "retire" : "activate";
  const words = move === "activate" ? "Activate" : "Retire";
  const run = async () => {
    setError("");
    try {
      await api.moveTemplate(template.id, move, reason ?? "");
      setReason(null);
      void client.invalidateQueries({ queryKey: ["report-templates"] });
    } catch (problem) {
      setError(explain(problem));
    }
  };
  if (reason === null) return <Button onClick={() => setReason("")}>{words}…</Button>;
  return (
    <span className={styles.move}>
      <input
        type="text"
        autoFocus
        aria-label={`Why ${words.toLowerCase()} ${template.name}`}
        placeholder="Why"
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value)}
      />
      <Button variant="filled" disabled={reason.trim() === ""} onClick={() => void run()}>
        {words}
      </Button>
      <Button onClick={() => setReason(null)}>Leave</Button>
      {error && <span role="alert">{error}</span>}
    </span>
  );
}

function proposalOf(template: ReportTemplate, content: unknown): Proposal {
  return {
    key: template.key,
    name: template.name,
    modalities: template.modalities.join(", "),
    body_parts: template.body_parts.join(", "),
    words: template.words.join(", "),
    content: JSON.stringify(content, null, 2),
    imported: false,
    warnings: [],
  };
}

/** Report templates: every version, what it holds, and which new reports take. */
export default function TemplatesPage() {
  const templates = useQuery(templatesQuery);
  const rows = templates.data?.results ?? [];
  const [chosen, setChosen] = useState("");
  const [imported, setImported] = useState<Proposal | null>(null);
  const [problem, setProblem] = useState("");
  const selected = rows.find((one) => one.id === chosen) ?? rows[0];
  const detail = useQuery({ ...templateQuery(selected?.id ?? ""), enabled: selected !== undefined });

  const read = async (file: File) => {
    setProblem("");
    try {
      const found = await api.readMrrt(await file.text());
      setImported({
        key: "",
        name: found.name,
        modalities: "",
        body_parts: "",
        words: "",
        content: JSON.stringify(found.content, null, 2),
        imported: true,
        warnings: found.warnings,
      });
    } catch (error) {
      setProblem(explain(error));
    }
  };

  return (
    <>
      <div className={styles.page}>
        <section className={styles.list} aria-label="Templates">
          <div className={styles.bar}>
            <h1>Report templates</h1>
            <label className={styles.import}>
              Import MRRT file
              <input
                type="file"
                accept=".html,.htm"
                data-testid="mrrt-file"
                onChange={(event) => {
                  const file = event.currentTarget.files?.[0];
                  if (file) void read(file);
                  event.currentTarget.value = "";
                }}
              />
            </label>
          </div>
          {problem && <p role="alert">{problem}</p>}
          {templates.isError && <Failed error={templates.error} onRetry={() => void templates.refetch()} />}
          {templates.isPending && <LoadingRows />}
          {templates.isSuccess && rows.length === 0 && (
            <Empty title="There are no templates">
              Import an MRRT file, or restart Firstread: it adds those that it ships.
            </Empty>
          )}
          <ul>
            {rows.map((one) => (
              <li key={one.id} aria-current={!imported && one.id === selected?.id}>
                <button
                  type="button"
                  data-testid="template-row"
                  onClick={() => {
                    setImported(null);
                    setChosen(one.id);
                  }}
                >
                  <b>{one.name}</b> version {one.version} · {STATES[one.state]}
                  <small>
                    {[...one.modalities, ...one.body_parts].join(" ") || "any study"} · {SOURCES[one.source]}{" "}
                    · {formatMoment(one.made_at)} {one.made_by ? personName(one.made_by) : ""}
                    {one.reason && ` · ${one.reason}`}
                  </small>
                </button>
                <Move template={one} />
              </li>
            ))}
          </ul>
        </section>
        {imported ? (
          <TemplateEditor
            key="imported"
            start={imported}
            onSaved={(made) => {
              setImported(null);
              setChosen(made.id);
            }}
          />
        ) : selected && detail.data ? (
          <TemplateEditor
            key={selected.id}
            start={proposalOf(selected, detail.data.content)}
            onSaved={(made) => setChosen(made.id)}
          />
        ) : null}
      </div>
      <PageFooter>
        A saved change is a new version; new reports take the active one, others keep theirs
      </PageFooter>
    </>
  );
}
