import { useCallback, useEffect, useRef, useState } from "react";

import { allowSound, ring, ringOnce, soundAllowed } from "./ring";

const FLASH_MS = 1_000;
const FLASHES = 10;

/** Rings once for each telling of an alert and flashes the title; then the title keeps the count, quietly. */
export function useRinging(keys: readonly string[]): { audible: boolean; enable: () => void } {
  const [audible, setAudible] = useState(() => soundAllowed());
  const flashed = useRef(new Set<string>());
  const name = keys.join(" ");

  const enable = useCallback(() => {
    void allowSound().then((allowed) => {
      setAudible(allowed);
      // Whoever asks for sound hears what it is like, also when another tab rang for it.
      if (allowed && name) void ringOnce(name.split(" ")).then((rang) => rang || ring());
    });
  }, [name]);

  useEffect(() => {
    const open = name.split(" ").filter(Boolean);
    const calm = open.length > 0 ? `(${String(open.length)}) Alert · Firstread` : "ER · Firstread";
    document.title = calm;
    if (open.length > 0) void ringOnce(open);
    const fresh = open.filter((key) => !flashed.current.has(key));
    if (fresh.length === 0) return;
    fresh.forEach((key) => flashed.current.add(key));
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
      document.title = turns % 2 === 1 && turns < FLASHES ? "● ALERT ● ALERT" : calm;
      if (turns >= FLASHES) clearInterval(timer);
    }, FLASH_MS);
    return () => clearInterval(timer);
  }, [name]);

  useEffect(
    () => () => {
      document.title = "Firstread";
    },
    [],
  );
  return { audible, enable };
}
