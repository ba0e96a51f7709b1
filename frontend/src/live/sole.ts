import { useEffect, useState } from "react";

/**
 * True in exactly one of this browser's tabs that ask for `name`, so that a sound is heard once. When that tab
 * closes, the next becomes it. Browsers without Web Locks (plain HTTP on another machine) say true in every tab:
 * an alert may be heard twice there, but never not at all.
 */
export function useSole(name: string, wanted = true): boolean {
  // Typed as always there; it is not outside a secure context.
  const locks = navigator.locks as LockManager | undefined;
  const [holds, setHolds] = useState(false);

  useEffect(() => {
    if (!locks || !wanted) return;
    const leave = new AbortController();
    let release: () => void = () => undefined;
    locks
      .request(`firstread.${name}`, { signal: leave.signal }, () => {
        if (leave.signal.aborted) return undefined;
        setHolds(true);
        return new Promise<void>((resolve) => {
          release = resolve;
        });
      })
      // Given up while it waited.
      .catch(() => undefined);
    return () => {
      leave.abort();
      release();
      setHolds(false);
    };
  }, [locks, name, wanted]);

  return wanted && (locks ? holds : true);
}
