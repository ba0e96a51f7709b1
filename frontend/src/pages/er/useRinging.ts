import { useCallback, useEffect, useState } from "react";

import { allowSound, newlyRaised, ring, soundAllowed } from "./ring";

const FLASH_MS = 1_000;
const FLASHES = 10;

/** Rings once for each new alert and flashes the title; afterwards the title keeps the count, quietly. */
export function useRinging(openIds: readonly string[]): { audible: boolean; enable: () => void } {
  const [audible, setAudible] = useState(() => soundAllowed());
  const name = openIds.join(" ");

  const enable = useCallback(() => {
    void allowSound().then((allowed) => {
      setAudible(allowed);
      if (allowed && name) ring();
    });
  }, [name]);

  useEffect(() => {
    const ids = name.split(" ").filter(Boolean);
    const calm = ids.length > 0 ? `(${String(ids.length)}) Alert · Firstread` : "ER · Firstread";
    document.title = calm;
    if (newlyRaised(ids).length === 0) return;
    ring();
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
