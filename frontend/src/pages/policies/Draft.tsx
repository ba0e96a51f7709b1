import { Button } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { explain, Problem } from "../../api/client";
import type { PolicyDocument, PriorityPolicyPreview, PolicyTrouble, PriorityPolicy } from "../../api/types";
import { formatMoment } from "../../time/dates";
import { CLASSES } from "../pushedback/words";
import { Minutes } from "./Minutes";
import { policyApi } from "./queries";
import { LOCATION_WORDS, previewInWords } from "./words";
import paper from "../../ui/Paper.module.css";
import styles from "./Policies.module.css";

function Moves({ preview }: { preview: PriorityPolicyPreview }) {
  return (
    <div role="status">
      <p>{previewInWords(preview)}</p>
      {preview.examples.length > 0 && (
        <table className={styles.table} aria-label="The longest moves">
          <thead>
            <tr>
              <th>place now</th>
              <th>then</th>
              <th>study</th>
              <th>arrived</th>
              <th>due now</th>
              <th>due then</th>
            </tr>
          </thead>
          <tbody>
            {preview.examples.map((move) => (
              <tr key={`${String(move.place_now)} ${String(move.place_then)}`}>
                <td>{move.place_now}</td>
                <td>
                  {move.place_then} {move.place_then < move.place_now ? "up" : "down"}
                </td>
                <td>
                  {CLASSES[move.priority_class]}, {LOCATION_WORDS[move.location_class]}, {move.modality}
                  {move.ai_flagged && ", AI flag"}
                </td>
                <td>{formatMoment(move.arrived_at)}</td>
                <td>{formatMoment(move.due_now)}</td>
                <td>{formatMoment(move.due_then)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}

/** A version that nothing is ranked by yet: change its minutes, look ahead, put it in force or let it be. */
export function Draft({ draft }: { draft: PriorityPolicy }) {
  const client = useQueryClient();
  const [policy, setPolicy] = useState<PolicyDocument>(draft.document);
  const [saved, setSaved] = useState<PolicyDocument>(draft.document);
  const [troubles, setTroubles] = useState<readonly PolicyTrouble[]>([]);
  const [preview, setPreview] = useState<PriorityPolicyPreview | null>(null);
  const [reason, setReason] = useState("");
  const [said, setSaid] = useState("");
  const changed = JSON.stringify(policy) !== JSON.stringify(saved);

  const run = async (work: () => Promise<unknown>, done: string) => {
    setSaid("");
    setTroubles([]);
    try {
      await work();
      setSaid(done);
    } catch (error) {
      if (error instanceof Problem && error.document.troubles) setTroubles(error.document.troubles);
      setSaid(explain(error));
    }
  };
  const refresh = () => client.invalidateQueries({ queryKey: ["policies"] });
  const save = async () => {
    await policyApi.change(draft.id, policy);
    setSaved(policy);
  };
  return (
    <section aria-label={`Draft ${draft.version}`} className={styles.draft}>
      <h2>Draft {draft.version}</h2>
      <Minutes
        policy={policy}
        troubles={troubles}
        onChange={(next) => {
          setPolicy(next);
          setPreview(null);
        }}
      />
      {troubles.length > 0 && (
        <ul aria-label="What is wrong">
          {troubles.map((one) => (
            <li key={one.field + one.message}>{one.message}</li>
          ))}
        </ul>
      )}
      <div className={`${paper.bar} ${styles.bar}`}>
        <Button disabled={!changed} onClick={() => void run(save, "Saved.")}>
          Save draft
        </Button>
        <Button
          onClick={() =>
            void run(async () => {
              if (changed) await save();
              setPreview(await policyApi.preview(draft.id));
            }, "")
          }
        >
          What would change
        </Button>
        <Button
          onClick={() =>
            void run(async () => {
              await policyApi.discard(draft.id);
              await refresh();
            }, "Discarded.")
          }
        >
          Discard draft
        </Button>
        <span role="status">{said}</span>
      </div>
      {preview && <Moves preview={preview} />}
      <div className={`${paper.bar} ${styles.bar}`}>
        <input
          type="text"
          aria-label="Why this policy"
          placeholder="Why this policy"
          maxLength={300}
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
        />
        <Button
          disabled={reason.trim() === "" || preview === null || changed}
          onClick={() =>
            void run(async () => {
              await policyApi.activate(draft.id, reason.trim());
              await refresh();
            }, "In force. The open list is ranked anew.")
          }
        >
          Put in force
        </Button>
        <span>{preview === null ? "Look at what would change first; then say why." : ""}</span>
      </div>
    </section>
  );
}
