import { Button } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useRef, useState, type DragEvent } from "react";

import { explain } from "../../api/client";
import type { UploadResult } from "../../api/types";
import { Icon } from "../../ui/icons";
import { batchesOf, entriesOf, filesOf, sendBatch } from "./upload";
import styles from "./Archive.module.css";

interface Batch {
  id: number;
  files: readonly File[];
  bytes: number;
  sent: number;
  result: UploadResult | null;
  error: string;
}

function Outcome({ batch, onRetry }: { batch: Batch; onRetry: () => void }) {
  const { result, error } = batch;
  if (error) {
    return (
      <span role="alert">
        {error} <Button onClick={onRetry}>Send again</Button>
      </span>
    );
  }
  if (!result) {
    const part = batch.bytes > 0 ? Math.min(1, batch.sent / batch.bytes) : 0;
    return (
      <>
        <progress max={1} value={part} aria-label="Sent" />
        <span>{part < 1 ? `${String(Math.round(part * 100))} %` : "being stored…"}</span>
      </>
    );
  }
  const problems = [
    ...result.quarantined.map((one) => ({ ...one, what: "quarantined" })),
    ...result.refused.map((one) => ({ ...one, what: "refused" })),
  ];
  return (
    <div>
      <b>{result.stored} stored</b>
      {result.duplicates > 0 && ` · ${String(result.duplicates)} already here`}
      {result.ignored > 0 && ` · ${String(result.ignored)} no images, left out`}
      {result.quarantined.length > 0 && ` · ${String(result.quarantined.length)} quarantined`}
      {result.refused.length > 0 && ` · ${String(result.refused.length)} refused`}
      {problems.length > 0 && (
        <ul>
          {problems.map((one, index) => (
            <li key={`${one.name}-${String(index)}`}>
              {one.name}: {one.what}, {one.reason}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** Drop files, folders or a zip; each batch tells how far it is and what became of it. */
export function UploadPanel() {
  const client = useQueryClient();
  const [batches, setBatches] = useState<readonly Batch[]>([]);
  const [over, setOver] = useState(false);
  const [reading, setReading] = useState(false);
  const [error, setError] = useState("");
  const numbers = useRef(0);
  const chain = useRef<Promise<void>>(Promise.resolve());
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);

  const change = (id: number, part: Partial<Batch>) =>
    setBatches((old) => old.map((batch) => (batch.id === id ? { ...batch, ...part } : batch)));

  const send = async (batch: Batch) => {
    change(batch.id, { error: "", sent: 0 });
    try {
      const result = await sendBatch(batch.files, (sent) => change(batch.id, { sent }));
      change(batch.id, { result });
      void client.invalidateQueries({ queryKey: ["archive"] });
    } catch (problem) {
      change(batch.id, { error: explain(problem) });
    }
  };

  const enqueue = (batch: Batch) => {
    chain.current = chain.current.then(() => send(batch));
  };

  const add = (chosen: readonly File[]) => {
    setError(chosen.length === 0 ? "There was no file in what you dropped." : "");
    const fresh = batchesOf(chosen).map((part) => ({
      id: (numbers.current += 1),
      files: part,
      bytes: part.reduce((sum, file) => sum + file.size, 0),
      sent: 0,
      result: null,
      error: "",
    }));
    setBatches((old) => [...fresh, ...old]);
    fresh.forEach(enqueue);
  };

  const drop = async (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    const entries = entriesOf(event.dataTransfer);
    const plain = [...event.dataTransfer.files];
    setReading(true);
    try {
      add(entries.length > 0 ? await filesOf(entries) : plain);
    } catch {
      setError("The folder could not be read. Drop it again, or choose the files.");
    } finally {
      setReading(false);
    }
  };

  const choose = (list: FileList | null) => {
    if (list && list.length > 0) add([...list]);
  };

  return (
    <section aria-label="Upload" className={styles.upload}>
      <div
        className={styles.drop}
        data-testid="upload-drop"
        data-over={over || undefined}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => void drop(event)}
      >
        <Icon name="upload" size={20} />
        <span>{reading ? "Reading the folder…" : "Drop DICOM files, folders or a zip here"}</span>
        <Button onClick={() => files.current?.click()}>Choose files</Button>
        <Button onClick={() => folder.current?.click()}>Choose a folder</Button>
        <input
          ref={files}
          type="file"
          multiple
          hidden
          data-testid="upload-input"
          aria-label="DICOM files or zip"
          onChange={(event) => {
            choose(event.currentTarget.files);
            event.currentTarget.value = "";
          }}
        />
        <input
          ref={folder}
          type="file"
          multiple
          hidden
          aria-label="Folder"
          {...{ webkitdirectory: "" }}
          onChange={(event) => {
            choose(event.currentTarget.files);
            event.currentTarget.value = "";
          }}
        />
      </div>
      {error && <p role="alert">{error}</p>}
      <ol className={styles.batches} aria-label="Batches">
        {batches.map((batch) => (
          <li key={batch.id} data-testid="upload-batch">
            <span>
              {batch.files.length === 1 ? batch.files[0]?.name : `${String(batch.files.length)} files`} ·{" "}
              {(batch.bytes / 1e6).toFixed(1)} MB
            </span>
            <Outcome batch={batch} onRetry={() => enqueue(batch)} />
          </li>
        ))}
      </ol>
    </section>
  );
}
