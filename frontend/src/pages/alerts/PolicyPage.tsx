import { Button } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import {
  activatePolicy,
  activePolicyQuery,
  backToShipped,
  draftPolicy,
  policiesQuery,
  previewPolicy,
} from "../../api/alerting";
import { explain } from "../../api/client";
import type { AlertPolicy, PolicyPreview, PolicyRules } from "../../api/types";
import { PageFooter } from "../../app/Shell";
import { hasRole, useMe } from "../../app/session";
import { formatMoment } from "../../time/dates";
import { personName } from "../../ui/person";
import { Empty, Failed, LoadingRows } from "../../ui/states";
import paper from "../../ui/Paper.module.css";
import styles from "./Alerts.module.css";
import { Channels } from "./Channels";
import { RuleForm } from "./RuleForm";

function Words({ policy }: { policy: AlertPolicy }) {
  return (
    <ol className={styles.words}>
      {policy.words.map((one) => (
        <li key={one}>{one}</li>
      ))}
    </ol>
  );
}

function Preview({ found }: { found: PolicyPreview }) {
  if (found.alerts === 0) return <p role="status">No alert rang in the last {found.days} days.</p>;
  return (
    <div role="status" data-testid="policy-preview">
      <p>
        Of {found.alerts} alerts in the last {found.days} days, {found.changed} would have been told otherwise
        than today.
      </p>
      <table className={`${paper.table} ${styles.table}`} aria-label="What it would have done">
        <thead>
          <tr>
            <th>rule</th>
            <th>alerts</th>
            <th>told first</th>
            <th>everybody after</th>
            <th>nobody on call</th>
          </tr>
        </thead>
        <tbody>
          {found.rules.map((rule) => (
            <tr key={rule.name}>
              <td>{rule.name}</td>
              <td>{rule.alerts}</td>
              <td>{rule.first}</td>
              <td>{Math.round(rule.seconds_to_everybody / 60)} min</td>
              <td>
                {rule.uncovered.length === 0
                  ? "–"
                  : rule.uncovered
                      .map((gap) => `! position ${String(gap.position)}: ${String(gap.alerts)} alerts`)
                      .join(", ")}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Editor({ start, onDone }: { start: PolicyRules; onDone: () => void }) {
  const client = useQueryClient();
  const [version, setVersion] = useState("");
  const [rules, setRules] = useState(start.rules);
  const [preview, setPreview] = useState<PolicyPreview | null>(null);
  const [said, setSaid] = useState("");
  const run = async (action: () => Promise<unknown>) => {
    setSaid("");
    try {
      await action();
    } catch (error) {
      setPreview(null);
      setSaid(explain(error));
    }
  };
  const document = { rules };
  return (
    <section aria-label="New version">
      <h2>New version</h2>
      <p className={styles.quiet}>
        The first rule that fits takes an alert; the last one takes every other. Its last rung always tells
        the whole ER and all radiologists on their pages.
      </p>
      {rules.map((rule, index) => (
        <RuleForm
          key={index}
          rule={rule}
          last={index === rules.length - 1}
          onChange={(next) => setRules(rules.map((one, at) => (at === index ? next : one)))}
          onRemove={() => setRules(rules.filter((_, at) => at !== index))}
        />
      ))}
      <div className={styles.actions}>
        <Button
          onClick={() => {
            const model = rules.at(-1);
            if (model) setRules([{ ...model, name: `rule ${String(rules.length)}` }, ...rules]);
          }}
        >
          Add a rule before
        </Button>
        <Button onClick={() => void run(async () => setPreview(await previewPolicy(document)))}>
          Preview on the last 7 days
        </Button>
      </div>
      {preview && <Preview found={preview} />}
      <div className={styles.actions}>
        <label>
          Name of the version{" "}
          <input
            value={version}
            maxLength={32}
            placeholder="2026-12 nights"
            onChange={(event) => setVersion(event.currentTarget.value)}
          />
        </label>
        <Button
          disabled={version.trim() === ""}
          onClick={() =>
            void run(async () => {
              await draftPolicy(version.trim(), document);
              await client.invalidateQueries({ queryKey: ["alert-policies"] });
              onDone();
            })
          }
        >
          Keep as a draft
        </Button>
        <Button onClick={onDone}>Close</Button>
      </div>
      {said && (
        <p className={styles.bad} role="alert">
          {said}
        </p>
      )}
    </section>
  );
}

function Version({ policy }: { policy: AlertPolicy }) {
  const me = useMe();
  const client = useQueryClient();
  const [reason, setReason] = useState<string | null>(null);
  const [said, setSaid] = useState("");
  const activate = async () => {
    try {
      await activatePolicy(policy.id ?? "", (reason ?? "").trim());
      setReason(null);
      await client.invalidateQueries({ queryKey: ["alert-policies"] });
    } catch (error) {
      setSaid(explain(error));
    }
  };
  return (
    <li data-testid="policy-version">
      <b>{policy.version}</b> {policy.state}
      <small>
        by {policy.created_by ? personName(policy.created_by) : "somebody"}
        {policy.created_at && `, ${formatMoment(policy.created_at)}`}
        {policy.activated_at && ` · activated ${formatMoment(policy.activated_at)}: ${policy.reason}`}
      </small>
      <Words policy={policy} />
      {policy.state !== "active" && hasRole(me, "pacs_administrator") && (
        <span className={styles.actions}>
          {reason === null ? (
            <Button aria-label={`Activate ${policy.version}`} onClick={() => setReason("")}>
              Activate…
            </Button>
          ) : (
            <>
              <input
                autoFocus
                aria-label="Why it shall hold from now on"
                placeholder="Why it shall hold from now on"
                maxLength={300}
                value={reason}
                onChange={(event) => setReason(event.currentTarget.value)}
              />
              <Button disabled={reason.trim() === ""} onClick={() => void activate()}>
                Activate
              </Button>
              <Button onClick={() => setReason(null)}>Back</Button>
            </>
          )}
          {said && <span role="alert">{said}</span>}
        </span>
      )}
    </li>
  );
}

/** Who is told of alerts, how, how soon and who next: the policy in force, its versions, and a new one. */
export default function PolicyPage() {
  const me = useMe();
  const client = useQueryClient();
  const active = useQuery(activePolicyQuery);
  const versions = useQuery(policiesQuery);
  const [editing, setEditing] = useState(false);
  const [said, setSaid] = useState("");
  if (active.isPending || versions.isPending) return <LoadingRows rows={6} />;
  if (active.isError) return <Failed error={active.error} onRetry={() => void active.refetch()} />;
  if (versions.isError) return <Failed error={versions.error} onRetry={() => void versions.refetch()} />;
  const administrator = hasRole(me, "pacs_administrator");
  return (
    <>
      <div className={`${paper.page} ${styles.page}`}>
        <h1>Alert policy</h1>
        <section aria-label="In force">
          <h2>In force: {active.data.version === "shipped" ? "the house’s own" : active.data.version}</h2>
          <Words policy={active.data} />
          <p className={styles.quiet}>Alerts that ring already go on by the version they began with.</p>
          {administrator && !editing && (
            <span className={styles.actions}>
              <Button onClick={() => setEditing(true)}>New version from this one</Button>
              {active.data.id !== null && (
                <Button
                  onClick={() => {
                    backToShipped(`back to the house's own by ${me.username}`).then(
                      () => client.invalidateQueries({ queryKey: ["alert-policies"] }),
                      (error: unknown) => setSaid(explain(error)),
                    );
                  }}
                >
                  Back to the house’s own
                </Button>
              )}
            </span>
          )}
          {said && <p role="alert">{said}</p>}
        </section>
        <Channels />
        {editing && <Editor start={active.data.document} onDone={() => setEditing(false)} />}
        <section aria-label="Versions">
          <h2>Versions</h2>
          {versions.data.length === 0 ? (
            <Empty title="This site has no policy of its own">
              The house’s own tells the patient’s department, then the whole ER, then all radiologists too.
            </Empty>
          ) : (
            <ul className={styles.versions}>
              {versions.data.map((one) => (
                <Version key={one.id} policy={one} />
              ))}
            </ul>
          )}
        </section>
      </div>
      <PageFooter>An alert ends only when a named person answers, whatever the policy says.</PageFooter>
    </>
  );
}
