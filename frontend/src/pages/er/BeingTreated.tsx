import { Button, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { beingTreated } from "../../api/alerting";
import { explain } from "../../api/client";
import type { Alert } from "../../api/types";
import { useMe } from "../../app/session";
import styles from "./Er.module.css";

/** For an answered alert: somebody says by name that the patient is being treated. Once; the first word stands. */
export function BeingTreated({ alert }: { alert: Alert }) {
  const me = useMe();
  const client = useQueryClient();
  const [asking, setAsking] = useState(false);
  const [name, setName] = useState(me.display_name);
  const [said, setSaid] = useState("");
  if (alert.state !== "acknowledged" || alert.being_treated_at !== null) return null;
  const send = async (event: FormEvent) => {
    event.preventDefault();
    setSaid("");
    try {
      await beingTreated(alert.id, name.trim());
      setAsking(false);
    } catch (error) {
      setSaid(explain(error));
    } finally {
      void client.invalidateQueries({ queryKey: ["er"] });
    }
  };
  if (!asking) {
    return (
      <Button size="xs" data-testid="alert-treat" onClick={() => setAsking(true)}>
        Is being treated…
      </Button>
    );
  }
  return (
    <form className={styles.treated} onSubmit={(event) => void send(event)}>
      <TextInput
        label="Who treats the patient?"
        data-testid="alert-treat-name"
        required
        autoFocus
        maxLength={120}
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <Button type="submit" variant="filled" disabled={name.trim() === ""} data-testid="alert-treat-confirm">
        Is being treated
      </Button>
      <Button onClick={() => setAsking(false)}>Back</Button>
      {said && (
        <p className={styles.error} role="alert">
          {said}
        </p>
      )}
    </form>
  );
}
