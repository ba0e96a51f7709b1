/** Places to fill (`[side]`) and macros, as pure functions over text and caret. */

export interface Span {
  start: number;
  end: number;
}

const BLANK = /\[[^[\]\n]{0,80}\]/g;

export function blanksOf(text: string): Span[] {
  return [...text.matchAll(BLANK)].map((match) => ({
    start: match.index,
    end: match.index + match[0].length,
  }));
}

/** The first place to fill that begins at or after `from`; null when none is left. */
export function blankAfter(text: string, from: number): Span | null {
  return blanksOf(text).find((one) => one.start >= from) ?? null;
}

/** The last place to fill that ends before `before`. */
export function blankBefore(text: string, before: number): Span | null {
  return blanksOf(text).findLast((one) => one.end <= before && one.start < before) ?? null;
}

export interface Macro {
  name: string;
  section: string;
  text: string;
}

export interface Expanded extends Span {
  text: string;
}

/**
 * `.name` right before the caret becomes the macro's text; the selection is its first place to fill, or its end.
 * Null when no macro of this section is named there.
 */
export function expandMacro(
  text: string,
  caret: number,
  macros: readonly Macro[],
  section: string,
): Expanded | null {
  const named = /(?:^|[\s])\.([a-z][a-z0-9_]*)$/.exec(text.slice(0, caret));
  const macro = named && macros.find((one) => one.name === named[1] && one.section === section);
  if (!macro) return null;
  const start = caret - macro.name.length - 1;
  const made = text.slice(0, start) + macro.text + text.slice(caret);
  const blank = blankAfter(made, start);
  const end = start + macro.text.length;
  const inside = blank && blank.end <= end ? blank : { start: end, end };
  return { text: made, ...inside };
}
