import { blankAfter, blankBefore } from "./blanks";

type Stop = HTMLTextAreaElement | HTMLInputElement | HTMLSelectElement | HTMLButtonElement;

function stopsOf(root: HTMLElement): Stop[] {
  const found = [...root.querySelectorAll<Stop>("textarea[data-field], [data-answer]")];
  // Of many buttons that answer one question, the first stands for it.
  const seen = new Set<string>();
  return found.filter((one) => {
    const key = one.dataset.answer;
    if (key === undefined) return true;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/** Moves as a dictation key does: to the next place to fill, else to the next field of the report, round and round. */
export function goToNextField(root: HTMLElement, by: 1 | -1): void {
  const stops = stopsOf(root);
  if (stops.length === 0) return;
  const here = document.activeElement;
  const key = here instanceof HTMLElement ? here.dataset.answer : undefined;
  const at = stops.findIndex((one) => one === here || (key !== undefined && one.dataset.answer === key));
  if (here instanceof HTMLTextAreaElement && at >= 0) {
    const blank =
      by === 1 ? blankAfter(here.value, here.selectionEnd) : blankBefore(here.value, here.selectionStart);
    if (blank) {
      here.setSelectionRange(blank.start, blank.end);
      return;
    }
  }
  const target = stops[(at + by + stops.length) % stops.length];
  target?.focus();
  if (!(target instanceof HTMLTextAreaElement)) return;
  const blank = by === 1 ? blankAfter(target.value, 0) : blankBefore(target.value, target.value.length);
  if (blank) target.setSelectionRange(blank.start, blank.end);
}
