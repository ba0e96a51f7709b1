import { Button } from "@mantine/core";
import { useEffect, useState } from "react";

import { explain } from "../../api/client";
import styles from "./Er.module.css";
import { pushState, startWorker, switchOff, switchOn, type PushState } from "./push";

/** Lets this device ring while no page is open. The message names no patient. */
export function PushSwitch() {
  const [state, setState] = useState<PushState | null>(null);
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState("");

  useEffect(() => {
    let gone = false;
    // Without push the worker still keeps the application's files and says when there is no connection.
    startWorker()
      .then(pushState)
      .then(
        (found) => !gone && setState(found),
        (error: unknown) => !gone && setSaid(explain(error)),
      );
    return () => {
      gone = true;
    };
  }, []);

  const run = async (action: () => Promise<PushState>) => {
    setBusy(true);
    setSaid("");
    try {
      setState(await action());
    } catch (error) {
      setSaid(explain(error));
    } finally {
      setBusy(false);
    }
  };

  return (
    <span className={styles.pushSwitch} data-testid="push-switch" data-state={state ?? ""}>
      {state === "off" && (
        <Button size="sm" loading={busy} onClick={() => void run(switchOn)}>
          Ring this device when the page is closed
        </Button>
      )}
      {state === "on" && (
        <>
          ✓ This device rings when the page is closed
          <Button size="xs" loading={busy} onClick={() => void run(switchOff)}>
            Switch off
          </Button>
        </>
      )}
      {state === "denied" && "! This browser forbids messages. Allow them for this site to be rung."}
      {state === "unsupported" &&
        "This browser cannot ring while the page is closed (it needs https; on an iPhone, the home screen)."}
      {said && <span role="alert">{said}</span>}
    </span>
  );
}
