/** The sound of a new alert, made here: two tones, once. Browsers allow it only after a click on the page. */
let context: AudioContext | null = null;

function audio(): AudioContext {
  context ??= new AudioContext();
  return context;
}

/** Whether a sound could be heard now. */
export function soundAllowed(): boolean {
  return audio().state === "running";
}

/** Asks the browser for sound; works inside a click or key press. */
export async function allowSound(): Promise<boolean> {
  await audio().resume();
  return soundAllowed();
}

export function ring(): void {
  const ctx = audio();
  if (ctx.state !== "running") return;
  [880, 660, 880].forEach((frequency, index) => {
    const at = ctx.currentTime + index * 0.28;
    const tone = ctx.createOscillator();
    const volume = ctx.createGain();
    tone.frequency.value = frequency;
    volume.gain.setValueAtTime(0, at);
    volume.gain.linearRampToValueAtTime(0.35, at + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.001, at + 0.26);
    tone.connect(volume).connect(ctx.destination);
    tone.start(at);
    tone.stop(at + 0.28);
  });
}

const HEARD = "firstread.rung";

/** The alerts that have not been rung on this tab yet; marks them as rung. */
export function newlyRaised(openIds: readonly string[]): string[] {
  const heard = new Set(JSON.parse(sessionStorage.getItem(HEARD) ?? "[]") as string[]);
  const fresh = openIds.filter((id) => !heard.has(id));
  if (fresh.length > 0) sessionStorage.setItem(HEARD, JSON.stringify([...heard, ...fresh]));
  return fresh;
}
