import type { Report } from "../../../api/types";

export type Texts = Record<string, string>;

export function textsOf(report: Report): Texts {
  return Object.fromEntries(report.sections.map((section) => [section.key, section.text]));
}

export interface Conflict {
  key: string;
  mine: string;
  theirs: string;
}

export interface Merged {
  texts: Texts;
  conflicts: Conflict[];
}

/**
 * Joins what I typed and what the server has, section by section, against the text both started from.
 * Only a section that both changed differently is a conflict; until it is decided my text stays in place.
 */
export function mergeTexts(base: Texts, mine: Texts, theirs: Texts): Merged {
  const texts: Texts = {};
  const conflicts: Conflict[] = [];
  for (const [key, their] of Object.entries(theirs)) {
    const start = base[key] ?? "";
    const my = mine[key] ?? start;
    if (my === start || my === their) texts[key] = their;
    else {
      texts[key] = my;
      if (their !== start) conflicts.push({ key, mine: my, theirs: their });
    }
  }
  return { texts, conflicts };
}

/**
 * Puts the change from `base` to `theirs` into my text, when it is one insertion or one replaced passage that
 * my text still holds; null when it cannot be placed. Used for what my own clicks made the server write (an
 * accepted sentence) while I typed: both are mine, so both stay and nobody is asked.
 */
export function placeChange(base: string, mine: string, theirs: string): string | null {
  const shorter = Math.min(base.length, theirs.length);
  let head = 0;
  while (head < shorter && base[head] === theirs[head]) head += 1;
  let tail = 0;
  while (tail < shorter - head && base.at(-1 - tail) === theirs.at(-1 - tail)) tail += 1;
  const removed = base.slice(head, base.length - tail);
  const added = theirs.slice(head, theirs.length - tail);
  if (removed.trim() === "") {
    const sentence = added.trim();
    if (mine.includes(sentence)) return mine;
    return mine.trim() === "" ? sentence : `${mine.trimEnd()}\n${sentence}`;
  }
  return mine.includes(removed) ? mine.replace(removed, () => added) : null;
}

/** The sections whose text differs from what the server has. */
export function changedSections(server: Texts, texts: Texts): { key: string; text: string }[] {
  return Object.entries(texts)
    .filter(([key, text]) => key in server && server[key] !== text)
    .map(([key, text]) => ({ key, text }));
}

export interface DiffPart {
  text: string;
  in: "both" | "mine" | "theirs";
}

/** Word by word difference of two short texts (longest common subsequence). */
export function diffWords(mine: string, theirs: string): DiffPart[] {
  const a = mine.match(/\s+|[^\s]+/g) ?? [];
  const b = theirs.match(/\s+|[^\s]+/g) ?? [];
  const width = b.length + 1;
  const lengths = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number) => lengths[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      lengths[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const parts: DiffPart[] = [];
  const put = (text: string, where: DiffPart["in"]) => {
    const last = parts.at(-1);
    if (last?.in === where) last.text += text;
    else parts.push({ text, in: where });
  };
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const mineWord = a[i];
    const theirWord = b[j];
    if (mineWord !== undefined && mineWord === theirWord) {
      put(mineWord, "both");
      i += 1;
      j += 1;
    } else if (mineWord !== undefined && (theirWord === undefined || at(i + 1, j) >= at(i, j + 1))) {
      put(mineWord, "mine");
      i += 1;
    } else if (theirWord !== undefined) {
      put(theirWord, "theirs");
      j += 1;
    }
  }
  return parts;
}
