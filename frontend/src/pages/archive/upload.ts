import { csrfToken, problemFrom, signInAgain, Unreachable } from "../../api/client";
import type { UploadResult } from "../../api/types";

/** What the server takes in one request; a bigger single file (a zip) still goes alone. */
export const BATCH_FILES = 50;
export const BATCH_BYTES = 64 * 1024 * 1024;

/** Splits files into requests, in their order. */
export function batchesOf(files: readonly File[]): File[][] {
  const batches: File[][] = [];
  let batch: File[] = [];
  let bytes = 0;
  for (const file of files) {
    if (batch.length > 0 && (batch.length >= BATCH_FILES || bytes + file.size > BATCH_BYTES)) {
      batches.push(batch);
      batch = [];
      bytes = 0;
    }
    batch.push(file);
    bytes += file.size;
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}

function readFile(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

async function readFolder(entry: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = entry.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    // A reader hands out a folder in parts (a hundred in Chromium); an empty part is its end.
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (part.length === 0) return all;
    all.push(...part);
  }
}

/** All files of what was dropped, folders walked to the bottom. */
export async function filesOf(entries: readonly FileSystemEntry[]): Promise<File[]> {
  const files: File[] = [];
  for (const entry of entries) {
    if (entry.isFile) files.push(await readFile(entry as FileSystemFileEntry));
    else files.push(...(await filesOf(await readFolder(entry as FileSystemDirectoryEntry))));
  }
  return files;
}

/** Takes the entries out of a drop; must run inside the event, before anything is awaited. */
export function entriesOf(transfer: DataTransfer): FileSystemEntry[] {
  return [...transfer.items].flatMap((item) => item.webkitGetAsEntry() ?? []);
}

/** Sends one batch and tells how many bytes have gone out; fetch cannot tell, so this is an XMLHttpRequest. */
export function sendBatch(files: readonly File[], onProgress: (sent: number) => void): Promise<UploadResult> {
  return new Promise((resolve, reject) => {
    const form = new FormData();
    files.forEach((file) => form.append("files", file, file.name));
    const request = new XMLHttpRequest();
    request.open("POST", "/api/uploads/");
    request.setRequestHeader("X-CSRFToken", csrfToken());
    request.setRequestHeader("Accept", "application/json");
    request.upload.onprogress = (event) => onProgress(event.loaded);
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) {
        resolve(JSON.parse(request.responseText) as UploadResult);
        return;
      }
      if (request.status === 401) signInAgain();
      reject(problemFrom(request.status, request.responseText));
    };
    request.onerror = () => reject(new Unreachable());
    request.send(form);
  });
}
