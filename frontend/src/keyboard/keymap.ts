/** Every key of every page, once: the pages act on it, the help sheet and the guide print it. */
export type PageName = "everywhere" | "worklist" | "read" | "images" | "cosign" | "quality";

export interface Binding {
  /** As KeyboardEvent.key in lower case; "ctrl+" also means the Command key of a Mac. */
  keys: readonly string[];
  action: string;
  label: string;
}

export const keymap = {
  everywhere: [
    { keys: ["?"], action: "help", label: "Show or hide this sheet" },
    { keys: ["escape"], action: "escape", label: "Close what is open, leave a field" },
  ],
  worklist: [
    { keys: ["arrowdown", "j"], action: "down", label: "Next row" },
    { keys: ["arrowup", "k"], action: "up", label: "Row before" },
    { keys: ["pagedown"], action: "pageDown", label: "A page down" },
    { keys: ["pageup"], action: "pageUp", label: "A page up" },
    { keys: ["home"], action: "first", label: "Top of the list" },
    { keys: ["end"], action: "last", label: "End of the list" },
    { keys: ["enter"], action: "open", label: "Claim and open the study" },
    { keys: ["w"], action: "window", label: "Reading window: open studies on another screen" },
    { keys: ["c"], action: "claim", label: "Claim or release without opening" },
    { keys: ["n"], action: "next", label: "Take the next study for me" },
    { keys: ["s"], action: "assign", label: "Assign to a reader, or to nobody" },
    { keys: ["h"], action: "hold", label: "Hold until something is there; end the hold" },
    { keys: ["p"], action: "raise", label: "Raise the priority" },
    { keys: ["d"], action: "decline", label: "Decline: not offered to me for 2 h" },
    { keys: ["t"], action: "takeOver", label: "Take over from who is reading it" },
    { keys: ["g"], action: "flag", label: "Mark for teaching or peer review" },
    { keys: ["z", "ctrl+z"], action: "undo", label: "Undo my last action on this list" },
    { keys: ["m"], action: "menu", label: "Menu of all actions on the row" },
    { keys: ["ctrl+p"], action: "print", label: "Print the list" },
    { keys: ["/"], action: "search", label: "Search" },
    { keys: [" "], action: "peek", label: "Peek: thumbnail, order, priors, history, AI" },
  ],
  read: [
    { keys: ["a"], action: "accept", label: "Accept the finding" },
    { keys: ["r"], action: "reject", label: "Reject the finding" },
    { keys: ["u"], action: "uncertain", label: "Mark the finding uncertain" },
    { keys: ["j"], action: "jump", label: "Jump to the finding's key slice" },
    { keys: ["o"], action: "overlay", label: "AI overlay on or off" },
    { keys: ["]"], action: "overlayMore", label: "AI overlay stronger" },
    { keys: ["["], action: "overlayLess", label: "AI overlay fainter" },
    { keys: ["m"], action: "keepMeasurement", label: "Keep the latest measurement: archive and draft" },
    { keys: ["k"], action: "keyImage", label: "Mark the image on screen as key image" },
    { keys: ["l"], action: "firstLook", label: "Write the first look (while AI is hidden)" },
    { keys: ["f"], action: "nextFinding", label: "Next finding" },
    { keys: ["e"], action: "edit", label: "Write in the report (Esc leaves it)" },
    { keys: ["i"], action: "images", label: "Keyboard to the images" },
    { keys: ["alt+enter"], action: "takeSentence", label: "In a section: take the AI sentence" },
    { keys: ["alt+backspace"], action: "dropSentence", label: "In a section: delete the AI sentence" },
    {
      keys: ["tab"],
      action: "fill",
      label: "In a section: next place to fill [ ], or .macro becomes its text",
    },
    {
      keys: ["f8"],
      action: "nextField",
      label: "In the report: next field or place to fill (F7: the one before)",
    },
    { keys: ["1"], action: "present", label: "Conclude: present" },
    { keys: ["2"], action: "absent", label: "Conclude: absent" },
    { keys: ["3"], action: "indeterminate", label: "Conclude: indeterminate" },
    { keys: ["ctrl+enter"], action: "sign", label: "Sign, or list the open checks" },
    { keys: ["n"], action: "next", label: "Next study (after signing)" },
    { keys: ["b"], action: "back", label: "Back to the list (keeps the claim)" },
  ],
  cosign: [
    { keys: ["arrowdown", "j"], action: "down", label: "Next report" },
    { keys: ["arrowup", "k"], action: "up", label: "Report before" },
    { keys: ["enter"], action: "open", label: "Open it to change or co-sign" },
  ],
  images: [
    { keys: ["1"], action: "brain", label: "CT window: brain" },
    { keys: ["2"], action: "subdural", label: "CT window: subdural" },
    { keys: ["3"], action: "bone", label: "CT window: bone" },
    { keys: ["4"], action: "stroke", label: "CT window: stroke" },
    { keys: ["5"], action: "soft", label: "CT window: soft tissue" },
    { keys: ["6"], action: "lung", label: "CT window: lung" },
    { keys: ["0"], action: "own", label: "Window that the image brings" },
    { keys: ["="], action: "link", label: "Scroll the prior along, from here; or alone" },
  ],
  quality: [
    { keys: ["arrowdown", "j"], action: "down", label: "Next case" },
    { keys: ["arrowup", "k"], action: "up", label: "Case before" },
    { keys: ["a"], action: "agree", label: "Agree with the signed report" },
    { keys: ["d"], action: "disagree", label: "Disagree with the signed report" },
    { keys: ["1"], action: "positive", label: "Adjudicate: positive" },
    { keys: ["2"], action: "negative", label: "Adjudicate: negative" },
    { keys: ["3"], action: "indeterminate", label: "Adjudicate: indeterminate" },
    { keys: ["c"], action: "comment", label: "Write a comment" },
    { keys: ["enter"], action: "open", label: "Open the study" },
  ],
} as const satisfies Record<PageName, readonly Binding[]>;

export type ActionOf<P extends PageName> = (typeof keymap)[P][number]["action"];

export interface KeyLike {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
}

export function chordOf(event: KeyLike): string {
  const key = event.key.toLowerCase();
  return event.ctrlKey || event.metaKey ? `ctrl+${key}` : key;
}

/** The action a key stands for on a page, or null. */
export function actionFor<P extends PageName>(page: P, event: KeyLike): ActionOf<P> | null {
  if (event.altKey) return null;
  const chord = chordOf(event);
  const bindings: readonly Binding[] = keymap[page];
  return (bindings.find((one) => one.keys.includes(chord))?.action ?? null) as ActionOf<P> | null;
}

/** While somebody types, letters are text: only Escape and Ctrl chords remain keys of the page. */
export function isTyping(target: EventTarget | null): boolean {
  const element = target as Partial<HTMLElement> | null;
  if (!element?.tagName) return false;
  return ["INPUT", "TEXTAREA", "SELECT"].includes(element.tagName) || element.isContentEditable === true;
}

/** Chords that a text field uses itself: there, Ctrl+Z takes back what was typed. */
export function belongsToText(event: KeyLike): boolean {
  return chordOf(event) === "ctrl+z";
}

/** Enter and Space on a focused control belong to that control. */
export function belongsToControl(event: KeyboardEvent): boolean {
  const target = event.target as Partial<HTMLElement> | null;
  const pressing = event.key === "Enter" || event.key === " ";
  return (
    pressing && !event.ctrlKey && !event.metaKey && ["BUTTON", "A", "SUMMARY"].includes(target?.tagName ?? "")
  );
}

const SHOWN: Record<string, string> = {
  arrowdown: "↓",
  arrowup: "↑",
  pagedown: "PgDn",
  pageup: "PgUp",
  escape: "Esc",
  enter: "Enter",
  home: "Home",
  end: "End",
  " ": "Space",
};

export function showKey(key: string): string {
  return key
    .split("+")
    .map(
      (part) =>
        SHOWN[part] ?? (part.length > 1 ? part.charAt(0).toUpperCase() + part.slice(1) : part.toUpperCase()),
    )
    .join("+");
}
