import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useSearchParams } from "wouter";

import { milliliters, probabilityText } from "../../ai/wording";
import { comparisonQuery, modelsQuery } from "../../api/queries";
import type { ComparedCase, Model, ModelComparison } from "../../api/types";
import { PageFooter } from "../../app/Shell";
import { hasRole, useMe } from "../../app/session";
import { formatDay } from "../../time/dates";
import { patientName } from "../../ui/person";
import { Empty, Failed, LoadingRows } from "../../ui/states";
import { agreement, comparable, fullName, ordered, reportWords } from "./words";
import styles from "./Models.module.css";

const PAGE = 50;

function Answer({ answer }: { answer: ComparedCase["a"] }) {
  return (
    <>
      {answer.presence === "present" ? "possible" : "nothing found"} {probabilityText(answer.probability)}
      {answer.volume_ml !== null && <small>{milliliters(answer.volume_ml)}</small>}
    </>
  );
}

export function Comparison({ found, reads }: { found: ModelComparison; reads: boolean }) {
  const [a, b] = [fullName(found.a), fullName(found.b)];
  const meanings = new Map(found.findings.map((one) => [one.code, one.meaning]));
  return (
    <>
      <table className={styles.table} aria-label="Agreement">
        <thead>
          <tr>
            <th>finding</th>
            <th className={styles.number}>both say possible</th>
            <th className={styles.number}>only {a}</th>
            <th className={styles.number}>only {b}</th>
            <th className={styles.number}>neither</th>
            <th>agree on</th>
          </tr>
        </thead>
        <tbody>
          {found.findings.map((one) => (
            <tr key={one.code}>
              <td>{one.meaning}</td>
              <td className={styles.number}>{one.both}</td>
              <td className={styles.number}>{one.only_a}</td>
              <td className={styles.number}>{one.only_b}</td>
              <td className={styles.number}>{one.neither}</td>
              <td>{agreement(one) ?? "no study that both analysed"}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p className={styles.quiet}>
        Not compared: {found.only_a_analysed} studies that only {a} analysed, {found.only_b_analysed} that
        only {b} analysed.
      </p>
      {found.results.length === 0 ? (
        <Empty title="No case on which they disagree">
          Among studies that both analysed. Agreement does not say that either is right.
        </Empty>
      ) : (
        <table className={styles.table} aria-label="Cases on which they disagree">
          <thead>
            <tr>
              <th>patient</th>
              <th>study</th>
              <th>finding</th>
              <th>{a}</th>
              <th>{b}</th>
              <th>signed report: the finding</th>
              <th />
            </tr>
          </thead>
          <tbody>
            {found.results.map((one) => (
              <tr key={`${one.study_instance_uid}-${one.code}`} data-testid="compared-case">
                <td>
                  {patientName(one.patient.name)}
                  <small>{one.patient.id}</small>
                </td>
                <td>
                  {one.study_description}
                  <small>
                    {formatDay(one.study_date)} · {one.accession_number}
                  </small>
                </td>
                <td>{meanings.get(one.code) ?? one.code}</td>
                <td>
                  <Answer answer={one.a} />
                </td>
                <td>
                  <Answer answer={one.b} />
                </td>
                <td>
                  {reportWords(one, a, b)}
                  {one.report && one.report.state !== "final" && <small>{one.report.state}</small>}
                </td>
                <td>
                  {reads && <Link href={`/read/${one.study_instance_uid}`}>Open</Link>}{" "}
                  <a
                    href={`/viewer/viewer?StudyInstanceUIDs=${one.study_instance_uid}`}
                    target="_blank"
                    rel="noreferrer"
                  >
                    Images
                  </a>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}

interface ChooseProps {
  label: string;
  models: readonly Model[];
  value: string;
  onChange: (id: string) => void;
}

function Choose({ label, models, value, onChange }: ChooseProps) {
  return (
    <label className={styles.choose}>
      {label}{" "}
      <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        <option value="">choose a model</option>
        {models.map((model) => (
          <option key={model.id} value={model.id}>
            {fullName(model)} ({model.state})
          </option>
        ))}
      </select>
    </label>
  );
}

/** On which cases do two models disagree? Shadow results are shown here, and to no reader. */
export default function ComparisonPage() {
  const me = useMe();
  const [params, setParams] = useSearchParams();
  const [a, b] = [params.get("a") ?? "", params.get("b") ?? ""];
  const page = Math.max(1, Number(params.get("page")) || 1);
  const models = useQuery(modelsQuery);
  const all = ordered(models.data ?? []);
  const first = all.find((model) => model.id === a);
  const found = useQuery({ ...comparisonQuery(a, b, page), enabled: a !== "" && b !== "" });
  const choose = (change: Record<string, string>) =>
    setParams({ a, b, page: "1", ...change }, { replace: true });
  const pages = Math.max(1, Math.ceil((found.data?.count ?? 0) / PAGE));
  return (
    <>
      <div className={styles.page}>
        <div className={styles.bar}>
          <Link href="/models">All models</Link>
          <h1>On which cases do they disagree?</h1>
          <Choose label="first" models={all} value={a} onChange={(id) => choose({ a: id, b: "" })} />
          <Choose
            label="second"
            models={first ? comparable(first, all) : []}
            value={b}
            onChange={(id) => choose({ b: id })}
          />
          {found.data && (
            <span className={styles.quiet}>{found.data.count} cases, the strongest contradiction first</span>
          )}
        </div>
        {models.isError && <Failed error={models.error} onRetry={() => void models.refetch()} />}
        {found.isError && <Failed error={found.error} onRetry={() => void found.refetch()} />}
        {found.isLoading && <LoadingRows />}
        {(a === "" || b === "") && (
          <Empty title="Choose two models">
            Two versions of one model, or two models that look for the same finding.
          </Empty>
        )}
        {found.data && a && b && (
          <Comparison found={found.data} reads={hasRole(me, "radiologist", "qa_reviewer")} />
        )}
        {pages > 1 && (
          <div className={styles.bar}>
            <Button disabled={page <= 1} onClick={() => choose({ page: String(page - 1) })}>
              Before
            </Button>
            page {page} of {pages}
            <Button disabled={page >= pages} onClick={() => choose({ page: String(page + 1) })}>
              Next
            </Button>
          </div>
        )}
      </div>
      <PageFooter>Results of shadow models are seen by QA and administrators only.</PageFooter>
    </>
  );
}
