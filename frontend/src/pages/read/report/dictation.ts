/** The browser's speech interface, where it exists. Its types are not in every TypeScript library. */

interface SpeechResult {
  readonly isFinal: boolean;
  readonly [index: number]: { readonly transcript: string };
}

interface Recognition {
  lang: string;
  continuous: boolean;
  interimResults: boolean;
  onresult: ((event: { resultIndex: number; results: ArrayLike<SpeechResult> }) => void) | null;
  onerror: ((event: { error: string }) => void) | null;
  onend: (() => void) | null;
  start: () => void;
  stop: () => void;
}

type RecognitionMaker = new () => Recognition;

function maker(): RecognitionMaker | null {
  const here = window as { SpeechRecognition?: RecognitionMaker; webkitSpeechRecognition?: RecognitionMaker };
  return here.SpeechRecognition ?? here.webkitSpeechRecognition ?? null;
}

export function canDictate(): boolean {
  return maker() !== null;
}

const SAID: Record<string, string> = { "full stop": ".", period: ".", comma: ",", "new line": "\n" };

/** "no bleed full stop" as it is written: spoken punctuation becomes signs. */
export function written(spoken: string): string {
  let text = spoken.trim();
  for (const [words, sign] of Object.entries(SAID)) {
    text = text.replace(new RegExp(`\\s*\\b${words}\\b`, "gi"), sign);
  }
  return text;
}

/** What was said, put at the caret with a space where one is missing. */
export function placeSpeech(text: string, caret: number, spoken: string): { text: string; caret: number } {
  const said = written(spoken);
  if (said === "") return { text, caret };
  const before = text.slice(0, caret);
  const glue = before === "" || /[\s(]$/.test(before) || /^[.,\n]/.test(said) ? "" : " ";
  const put = glue + said;
  return { text: before + put + text.slice(caret), caret: caret + put.length };
}

export interface Dictating {
  stop: () => void;
}

/** Listens until stopped; whole phrases only, because half a phrase is rewritten while it is spoken. */
export function dictate(
  onPhrase: (spoken: string) => void,
  onEnd: (problem: string) => void,
): Dictating | null {
  const Maker = maker();
  if (!Maker) return null;
  const listener = new Maker();
  let problem = "";
  listener.lang = document.documentElement.lang || "en";
  listener.continuous = true;
  listener.interimResults = false;
  listener.onresult = (event) => {
    for (let n = event.resultIndex; n < event.results.length; n += 1) {
      const result = event.results[n];
      if (result?.isFinal) onPhrase(result[0]?.transcript ?? "");
    }
  };
  listener.onerror = ({ error }) => {
    problem =
      error === "not-allowed"
        ? "The browser does not let this page hear you. Allow the microphone, then try again."
        : "Dictation stopped. Type, or try again.";
  };
  listener.onend = () => onEnd(problem);
  listener.start();
  return { stop: () => listener.stop() };
}
