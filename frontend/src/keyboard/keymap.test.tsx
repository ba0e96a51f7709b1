// @vitest-environment happy-dom
import { render } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it, vi } from "vitest";

import { actionFor, keymap, type Binding, type PageName } from "./keymap";
import { useKeys } from "./useKeys";

const press = (key: string, part: Partial<KeyboardEvent> = {}) => ({
  key,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  ...part,
});

describe("the keys", () => {
  it.each(Object.keys(keymap) as PageName[])(
    "of %s mean one thing each, together with those of everywhere",
    (page) => {
      const bindings: readonly Binding[] =
        page === "everywhere" ? keymap[page] : [...keymap[page], ...keymap.everywhere];
      const keys = bindings.flatMap((binding) => binding.keys);
      expect(new Set(keys).size).toBe(keys.length);
    },
  );

  it("move, open, claim and search on the worklist", () => {
    expect(
      ["j", "ArrowDown", "k", "Enter", "c", "n", "/", " "].map((key) => actionFor("worklist", press(key))),
    ).toEqual(["down", "down", "up", "open", "claim", "next", "search", "peek"]);
  });

  it("judge findings and sign on the reading page", () => {
    expect(["a", "R", "u", "j", "o"].map((key) => actionFor("read", press(key)))).toEqual([
      "accept",
      "reject",
      "uncertain",
      "jump",
      "overlay",
    ]);
    expect(actionFor("read", press("Enter", { ctrlKey: true }))).toBe("sign");
    expect(actionFor("read", press("Enter"))).toBeNull();
  });

  it("with Ctrl or Alt stay with the browser unless they are named", () => {
    expect(actionFor("worklist", press("c", { ctrlKey: true }))).toBeNull();
    expect(actionFor("read", press("a", { altKey: true }))).toBeNull();
  });

  function Probe({ accept, sign }: { accept: () => void; sign: () => void }) {
    useKeys("read", { accept, sign });
    return (
      <>
        <textarea aria-label="text" />
        <button type="button">Button</button>
      </>
    );
  }

  it("are letters while somebody types, but Ctrl+Enter still signs", async () => {
    const accept = vi.fn();
    const sign = vi.fn();
    const { getByLabelText } = render(<Probe accept={accept} sign={sign} />);
    const user = userEvent.setup();
    await user.keyboard("a");
    expect(accept).toHaveBeenCalledTimes(1);
    await user.click(getByLabelText("text"));
    await user.keyboard("a");
    expect(accept).toHaveBeenCalledTimes(1);
    expect(getByLabelText("text")).toHaveValue("a");
    await user.keyboard("{Control>}{Enter}{/Control}");
    expect(sign).toHaveBeenCalledTimes(1);
  });

  it("take back an act of the list with Z or Ctrl+Z, but in a field Ctrl+Z takes back what was typed", async () => {
    const undo = vi.fn();
    const List = () => {
      useKeys("worklist", { undo });
      return <input aria-label="search" />;
    };
    const { getByLabelText } = render(<List />);
    const user = userEvent.setup();
    await user.keyboard("z{Control>}z{/Control}");
    expect(undo).toHaveBeenCalledTimes(2);
    await user.click(getByLabelText("search"));
    await user.keyboard("z{Control>}z{/Control}");
    expect(undo).toHaveBeenCalledTimes(2);
  });
});
