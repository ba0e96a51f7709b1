import { useEffect } from "react";

import { query, request } from "../../api/client";
import type { Page, WorklistItem } from "../../api/types";

/** As the viewer asks, word for word: the browser's cache tells answers apart by it. */
const FRAME = "multipart/related; type=application/octet-stream; transfer-syntax=*";
const JSON_METADATA = "application/dicom+json";
const NO_IMAGES = ["SEG", "SR", "KO", "PR", "DOC", "REG", "RTSTRUCT", "RTPLAN", "RTDOSE", "ECG"];
/** Frames of one study that are fetched ahead; more would push others out of the browser's cache. */
export const MOST_FRAMES = 600;
const AT_ONCE = 2;
const QUIET_MS = 1_500;

type Attributes = Record<string, { Value?: unknown[] } | undefined>;

function first(attributes: Attributes, tag: string): unknown {
  return attributes[tag]?.Value?.[0];
}

async function json(path: string, signal: AbortSignal): Promise<Attributes[]> {
  const answer = await fetch(path, {
    headers: { Accept: JSON_METADATA },
    credentials: "same-origin",
    priority: "low",
    signal,
  });
  return answer.ok && answer.status === 200 ? ((await answer.json()) as Attributes[]) : [];
}

/** The frames of the study's largest series of images, the middle one first, as the viewer shows it. */
export async function framesOf(uid: string, signal: AbortSignal): Promise<string[]> {
  const root = `/dicom-web/studies/${uid}`;
  const images = (await json(`${root}/series`, signal))
    .filter((one) => !NO_IMAGES.includes(String(first(one, "00080060"))))
    .sort((a, b) => Number(first(b, "00201209") ?? 0) - Number(first(a, "00201209") ?? 0));
  const series = images[0] && String(first(images[0], "0020000E"));
  if (!series) return [];
  const instances = await json(`${root}/series/${series}/metadata`, signal);
  const frames = instances.flatMap((one) => {
    const count = Number(first(one, "00280008") ?? 1);
    const base = `${root}/series/${series}/instances/${String(first(one, "00080018"))}/frames/`;
    return Array.from({ length: count }, (_, index) => `${base}${String(index + 1)}`);
  });
  const middle = Math.floor(frames.length / 2);
  return [...frames.slice(middle), ...frames.slice(0, middle)].slice(0, MOST_FRAMES);
}

/** Fetches a study's main series into the browser's cache, two frames at a time and after all else. */
export async function prefetchStudy(uid: string, signal: AbortSignal): Promise<number> {
  const waiting = await framesOf(uid, signal);
  let fetched = 0;
  const work = async () => {
    for (let path = waiting.shift(); path !== undefined && !signal.aborted; path = waiting.shift()) {
      const answer = await fetch(path, {
        headers: { Accept: FRAME },
        credentials: "same-origin",
        priority: "low",
        signal,
      });
      // Only what is read to its end is kept by the cache.
      await answer.arrayBuffer();
      fetched += 1;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return fetched;
}

/** Once this study's first image is drawn, the next one on the reader's list is fetched ahead. */
export function usePrefetchNext(uid: string, started: boolean): void {
  useEffect(() => {
    if (!started) return;
    const leaving = new AbortController();
    const timer = setTimeout(() => {
      const params = query({ state: ["open"], list: "mine", page_size: 5 });
      void request<Page<WorklistItem>>(`/api/worklist/${params}`, { signal: leaving.signal })
        .then((page) => page.results.find((item) => item.study_instance_uid !== uid && !item.held))
        .then((next) => next && prefetchStudy(next.study_instance_uid, leaving.signal))
        // Nobody waits for it: what could not be fetched is fetched when it is opened.
        .catch(() => undefined);
    }, QUIET_MS);
    return () => {
      clearTimeout(timer);
      leaving.abort();
    };
  }, [started, uid]);
}
