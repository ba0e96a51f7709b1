// @vitest-environment happy-dom
import { act, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { useSole } from "./sole";

/** Web Locks as the standard has them: one holder a name, the others wait in line. */
class Locks {
  private held = false;
  private readonly line: (() => void)[] = [];

  request(_name: string, options: { signal: AbortSignal }, work: () => Promise<void> | undefined) {
    return new Promise<void>((resolve, reject) => {
      const begin = () => {
        this.held = true;
        void Promise.resolve(work()).then(() => {
          this.held = false;
          resolve();
          this.line.shift()?.();
        });
      };
      options.signal.addEventListener("abort", () => {
        const at = this.line.indexOf(begin);
        if (at < 0) return;
        this.line.splice(at, 1);
        reject(new Error("aborted"));
      });
      if (this.held) this.line.push(begin);
      else begin();
    });
  }
}

function Tab({ name, wanted = true }: { name: string; wanted?: boolean }) {
  return <p>{`${name} ${useSole("sound", wanted) ? "sounds" : "is quiet"}`}</p>;
}

describe("what only one tab does", () => {
  const give = (locks: Locks | undefined) =>
    Object.defineProperty(navigator, "locks", { value: locks, configurable: true });
  beforeEach(() => give(new Locks()));
  afterEach(() => give(undefined));

  it("is done by one tab, and by the next when that one closes", async () => {
    const first = render(<Tab name="first" />);
    render(<Tab name="second" />);
    expect(await screen.findByText("first sounds")).toBeVisible();
    expect(screen.getByText("second is quiet")).toBeVisible();
    await act(async () => {
      first.unmount();
      await Promise.resolve();
    });
    expect(await screen.findByText("second sounds")).toBeVisible();
  });

  it("is left to others while it is not wanted here", async () => {
    const first = render(<Tab name="first" />);
    render(<Tab name="second" />);
    expect(await screen.findByText("first sounds")).toBeVisible();
    first.rerender(<Tab name="first" wanted={false} />);
    expect(await screen.findByText("second sounds")).toBeVisible();
    expect(screen.getByText("first is quiet")).toBeVisible();
  });

  it("is done by every tab where the browser cannot tell them apart", () => {
    give(undefined);
    render(<Tab name="first" />);
    expect(screen.getByText("first sounds")).toBeVisible();
  });
});
