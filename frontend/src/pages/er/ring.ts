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
const KEPT = 500;

/** One telling of one alert: told again, it rings again. */
export const ringKey = (alert: { id: string; round: number }) => `${alert.id}:${String(alert.round)}`;

function heard(): string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(HEARD) ?? "[]");
    return Array.isArray(kept) ? kept.filter((one) => typeof one === "string") : [];
  } catch {
    return []; // somebody else's words under our name; what rings now is more than one ring too many
  }
}

/** The tellings that no tab of this browser has rung for yet; marks them as rung. */
export function newlyRaised(keys: readonly string[]): string[] {
  const before = heard();
  const fresh = keys.filter((key) => !before.includes(key));
  if (fresh.length > 0) localStorage.setItem(HEARD, JSON.stringify([...before, ...fresh].slice(-KEPT)));
  return fresh;
}

/**
 * Sounds once for what no tab has rung for: tabs take turns by a lock of the browser, and a tab that may
 * not make a sound leaves the ring to one that may.
 */
export async function ringOnce(keys: readonly string[]): Promise<boolean> {
  const turn = () => {
    if (!soundAllowed() || newlyRaised(keys).length === 0) return false;
    ring();
    return true;
  };
  // Browsers lend locks to pages by https only. Without them two tabs in the same moment may both ring.
  const locks = (navigator as Partial<Navigator>).locks;
  return locks ? await locks.request("firstread.ring", turn) : turn();
}
