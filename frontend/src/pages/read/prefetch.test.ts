import { afterEach, expect, test, vi } from "vitest";

import { prefetchStudy } from "./prefetch";

afterEach(() => vi.unstubAllGlobals());

const series = (uid: string, modality: string, count: number) => ({
  "00080060": { Value: [modality] },
  "0020000E": { Value: [uid] },
  "00201209": { Value: [count] },
});
const image = (uid: string, frames?: number) => ({
  "00080018": { Value: [uid] },
  ...(frames ? { "00280008": { Value: [frames] } } : {}),
});

function archive(asked: string[]) {
  return vi.fn((path: string) => {
    asked.push(path);
    const body = path.endsWith("/series")
      ? [series("9", "SEG", 400), series("1", "CT", 3), series("2", "CT", 2)]
      : path.endsWith("/metadata")
        ? [image("a"), image("b"), image("c", 2)]
        : null;
    return Promise.resolve({
      ok: true,
      status: 200,
      json: () => Promise.resolve(body),
      arrayBuffer: () => Promise.resolve(new ArrayBuffer(0)),
    });
  });
}

test("the largest series of images is fetched frame by frame, the middle first", async () => {
  const asked: string[] = [];
  vi.stubGlobal("fetch", archive(asked));
  expect(await prefetchStudy("7", new AbortController().signal)).toBe(4);
  const root = "/dicom-web/studies/7/series/1/instances";
  expect(asked.slice(2)).toEqual([
    `${root}/c/frames/1`,
    `${root}/c/frames/2`,
    `${root}/a/frames/1`,
    `${root}/b/frames/1`,
  ]);
});

test("nothing more is asked for once the reader has left", async () => {
  const asked: string[] = [];
  const leaving = new AbortController();
  const answer = archive(asked);
  vi.stubGlobal("fetch", (path: string) => {
    if (path.includes("/frames/")) leaving.abort();
    return answer(path);
  });
  expect(await prefetchStudy("7", leaving.signal)).toBeLessThan(4);
});
