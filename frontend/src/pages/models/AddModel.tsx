import { Button, Textarea, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useRef, useState, type SyntheticEvent } from "react";
import { useLocation } from "wouter";

import { csrfToken, explain, problemFrom, Unreachable } from "../../api/client";
import type { ModelDetail } from "../../api/types";
import styles from "./Models.module.css";

async function send(form: FormData): Promise<ModelDetail> {
  let response: Response;
  try {
    response = await fetch("/api/models/", {
      method: "POST",
      headers: { "X-CSRFToken": csrfToken(), Accept: "application/json" },
      credentials: "same-origin",
      body: form,
    });
  } catch {
    throw new Unreachable();
  }
  const text = await response.text();
  if (!response.ok) throw problemFrom(response.status, text);
  return JSON.parse(text) as ModelDetail;
}

/** Adds a bundle's archive as a draft; the hash that its maker published is typed in, not computed here. */
export function AddModel() {
  const client = useQueryClient();
  const [, navigate] = useLocation();
  const file = useRef<HTMLInputElement>(null);
  const [sha256, setSha256] = useState("");
  const [reason, setReason] = useState("");
  const [chosen, setChosen] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");

  const submit = async (event: SyntheticEvent) => {
    event.preventDefault();
    const archive = file.current?.files?.[0];
    if (!archive) return;
    const form = new FormData();
    form.append("file", archive, archive.name);
    form.append("sha256", sha256.trim());
    form.append("reason", reason.trim());
    setBusy(true);
    setError("");
    try {
      const model = await send(form);
      await client.invalidateQueries({ queryKey: ["models"] });
      navigate(`/models/${model.id}`);
    } catch (failure) {
      setError(explain(failure));
    } finally {
      setBusy(false);
    }
  };

  const ready = chosen !== "" && /^[0-9a-f]{64}$/i.test(sha256.trim()) && reason.trim() !== "";
  return (
    <details className={styles.add}>
      <summary>Add a model</summary>
      <form onSubmit={(event) => void submit(event)} aria-label="Add a model">
        <label>
          Archive of the bundle (.zip or .tar.gz)
          <input
            ref={file}
            type="file"
            accept=".zip,.gz,.tgz"
            onChange={(event) => setChosen(event.currentTarget.files?.[0]?.name ?? "")}
          />
        </label>
        <TextInput
          label="SHA-256 of the archive, from whoever made it"
          value={sha256}
          spellCheck={false}
          onChange={(event) => setSha256(event.currentTarget.value)}
        />
        <Textarea
          label="Why it is added"
          value={reason}
          maxLength={500}
          rows={3}
          onChange={(event) => setReason(event.currentTarget.value)}
        />
        <Button type="submit" disabled={!ready || busy}>
          {busy ? "Checking…" : "Check and register as draft"}
        </Button>
        <p>Nothing in the bundle is run. Its files are looked into, and a refusal names file and place.</p>
        {error && <p role="alert">{error}</p>}
      </form>
    </details>
  );
}
