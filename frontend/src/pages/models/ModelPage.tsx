import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";

import { evaluationQuery, modelQuery, modelsQuery } from "../../api/queries";
import type { ModelDetail } from "../../api/types";
import { PageFooter } from "../../app/Shell";
import { hasRole, useMe } from "../../app/session";
import { formatMoment } from "../../time/dates";
import { AiMark } from "../../ui/AiMark";
import { personName } from "../../ui/person";
import { Failed, LoadingRows } from "../../ui/states";
import { Decide } from "./Decide";
import { comparable, decisionWords, fullName, STATE_WORDS } from "./words";
import styles from "./Models.module.css";

function plain(value: unknown): string {
  return Array.isArray(value) ? value.map((one) => String(one) || "not named").join(", ") : String(value);
}

function Facts({ model }: { model: ModelDetail }) {
  return (
    <dl className={styles.facts}>
      <dt>intended use</dt>
      <dd>{model.intended_use || "not stated"}</dd>
      <dt>answers with</dt>
      <dd>
        {model.kind}, {model.dimensions}D, {model.format} bundle
        {model.second_opinion_to && `, second opinion to ${model.second_opinion_to}`}
      </dd>
      <dt>looks at</dt>
      <dd>{model.looks_at.join("; ") || "nothing: no active rule"}</dd>
      <dt>results</dt>
      <dd>
        {model.runs.positive} flagged, {model.runs.negative} nothing found, {model.runs.not_analysed} not
        analysed, {model.runs.failed} failed, {model.runs.waiting} waiting
        {model.runs.last_runtime && ` · computed by ${model.runs.last_runtime}`}
      </dd>
      <dt>weights SHA-256</dt>
      <dd>
        <code>{model.weights_sha256}</code>
      </dd>
      <dt>configs SHA-256</dt>
      <dd>
        <code>{model.configs_sha256}</code>
      </dd>
      <dt>came from</dt>
      <dd>
        {model.came_from || "not recorded"}, {formatMoment(model.registered_at)}
        {model.registered_by && `, by ${personName(model.registered_by)}`}
      </dd>
    </dl>
  );
}

/** Where the figures of this site's own evaluation are, or how to get them. */
export function Measured({ id, name, known }: { id: string; name: string; known: boolean }) {
  if (known) {
    return (
      <a href={`/api/models/${id}/evaluation/report/`} target="_blank" rel="noreferrer">
        How good it was on a labelled set: evaluation report
      </a>
    );
  }
  return (
    <p className={styles.quiet}>
      Not evaluated with these files. An administrator runs <code>manage.py evaluate {name} FOLDER</code>.
    </p>
  );
}

export function ModelView({
  model,
  decides,
  evaluated = false,
}: {
  model: ModelDetail;
  decides: boolean;
  evaluated?: boolean;
}) {
  return (
    <div className={styles.columns}>
      <div>
        <h1>
          <AiMark /> {fullName(model)}{" "}
          <span className={styles.state} data-state={model.state}>
            {model.state}
          </span>
        </h1>
        <p className={styles.quiet}>{STATE_WORDS[model.state]}</p>
        <Facts model={model} />
        <Measured id={model.id} name={model.name} known={evaluated} />
        <h2>Findings it looks for</h2>
        <table className={styles.table} aria-label="Findings">
          <thead>
            <tr>
              <th>finding</th>
              <th>code</th>
              <th>criticality</th>
              <th className={styles.number}>raises from</th>
              <th className={styles.number}>alerts from</th>
              <th>probability</th>
            </tr>
          </thead>
          <tbody>
            {model.targets.map((target) => (
              <tr key={target.name}>
                <td>
                  {target.meaning}
                  {target.subtype && <small>{target.subtype}</small>}
                </td>
                <td>
                  {target.scheme} {target.code}
                </td>
                <td>{target.criticality}</td>
                <td className={styles.number}>{target.rank_threshold}</td>
                <td className={styles.number}>{target.alert_threshold}</td>
                <td>{target.probability_method || "as the network says"}</td>
              </tr>
            ))}
          </tbody>
        </table>
        <h2>Input limits: outside them it says “not analysed”</h2>
        <dl className={styles.facts}>
          {Object.entries(model.input_limits).map(([name, value]) => (
            <div key={name}>
              <dt>{name.replaceAll("_", " ")}</dt>
              <dd>{plain(value)}</dd>
            </div>
          ))}
        </dl>
      </div>
      <div>
        {decides && <Decide model={model} />}
        <h2>Decisions</h2>
        <ol className={styles.history} aria-label="Decisions">
          {[...model.decisions].reverse().map((decision) => (
            <li key={decision.id}>
              <b>{decisionWords(decision)}</b>
              <span>{decision.reason}</span>
              <time dateTime={decision.at}>{formatMoment(decision.at)}</time>
            </li>
          ))}
        </ol>
      </div>
    </div>
  );
}

/** One model: what it is for, what it may see, what it did, who decided what. */
export default function ModelPage({ id }: { id: string }) {
  const me = useMe();
  const model = useQuery(modelQuery(id));
  const all = useQuery(modelsQuery);
  const evaluation = useQuery(evaluationQuery(id));
  const others = model.data ? comparable(model.data, all.data ?? []) : [];
  return (
    <>
      <div className={styles.page}>
        <div className={styles.bar}>
          <Link href="/models">All models</Link>
          {others.slice(0, 4).map((other) => (
            <Link key={other.id} href={`/models/compare?a=${id}&b=${other.id}`}>
              Compare with {fullName(other)} ({other.state})
            </Link>
          ))}
        </div>
        {model.isPending && <LoadingRows />}
        {model.isError && <Failed error={model.error} onRetry={() => void model.refetch()} />}
        {model.data && (
          <ModelView
            model={model.data}
            decides={hasRole(me, "pacs_administrator")}
            evaluated={evaluation.isSuccess}
          />
        )}
      </div>
      <PageFooter>Every result names the weights’ SHA-256 and the exact images.</PageFooter>
    </>
  );
}
