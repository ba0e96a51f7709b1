import { describe, expect, it } from "vitest";

import { BATCH_BYTES, BATCH_FILES, batchesOf, filesOf } from "./upload";

const file = (name: string, size = 10) => Object.defineProperty(new File([], name), "size", { value: size });

describe("an upload", () => {
  it("goes in batches that the server takes, in order and complete", () => {
    const files = Array.from({ length: 120 }, (_, index) => file(String(index)));
    const batches = batchesOf(files);
    expect(batches.map((batch) => batch.length)).toEqual([BATCH_FILES, BATCH_FILES, 20]);
    expect(batches.flat()).toEqual(files);
  });

  it("sends a file that is larger than a batch alone", () => {
    const batches = batchesOf([file("a"), file("big.zip", BATCH_BYTES * 2), file("b")]);
    expect(batches.map((batch) => batch.map((one) => one.name))).toEqual([["a"], ["big.zip"], ["b"]]);
  });

  it("walks dropped folders to the bottom, also those handed out in parts", async () => {
    const leaf = (name: string) => ({ isFile: true, file: (done: (f: File) => void) => done(file(name)) });
    const folder = (...parts: object[][]) => ({
      isFile: false,
      createReader: () => {
        const left = [...parts];
        return { readEntries: (done: (entries: object[]) => void) => done(left.shift() ?? []) };
      },
    });
    const dropped = [folder([leaf("1"), folder([leaf("2")])], [leaf("3")]), leaf("4")];
    const files = await filesOf(dropped as unknown as FileSystemEntry[]);
    expect(files.map((one) => one.name)).toEqual(["1", "2", "3", "4"]);
  });
});
