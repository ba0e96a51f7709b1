import { Button } from "@mantine/core";
import {
  Fragment,
  useEffect,
  useImperativeHandle,
  useRef,
  useState,
  useSyncExternalStore,
  type Ref,
} from "react";

import { explain, Problem } from "../../../api/client";
import { api } from "../../../api/queries";
import type { Check, ConclusionValue, Decision, Patient, Report } from "../../../api/types";
import { beforeSignOut, hasRole, useMe } from "../../../app/session";
import { formatMoment } from "../../../time/dates";
import { personName } from "../../../ui/person";
import { Conclusions } from "./Conclusions";
import { Conflicts } from "./Conflicts";
import { canDictate } from "./dictation";
import { DocumentField } from "./DocumentField";
import { Fields } from "./Fields";
import { goToNextField } from "./nextField";
import { ReportSession } from "./session";
import { TemplateLine } from "./TemplateLine";
import { SignBar, type SignBarHandle, type SignRequest } from "./SignBar";
import styles from "./Report.module.css";

export interface EditorHandle {
  sign: () => void;
  focus: () => void;
  /** Adds a sentence at the end of a section, as if it had been typed. */
  insert: (key: string, sentence: string) => void;
  decide: (findingId: string, decision: Decision | null) => Promise<void>;
  /** Answers the first question that is open, or the first of all. */
  conclude: (value: ConclusionValue) => void;
}

interface Props {
  ref?: Ref<EditorHandle>;
  report: Report;
  /** As the banner of this page shows them: the server refuses to sign for somebody else. */
  patient: Patient;
  obstacle: string;
  onChange: (report: Report) => void;
  onSigned: (report: Report) => void;
  /** Leaves a preliminary report as it was signed; null for a draft. */
  onClose: (() => void) | null;
}

/** The draft as one document that saves itself; ends with the signature. */
export function ReportEditor({ ref, report, patient, obstacle, onChange, onSigned, onClose }: Props) {
  const me = useMe();
  const [session] = useState(
    () =>
      new ReportSession({
        report,
        storageKey: `firstread.report.${me.username}.${report.id}`,
        save: (version, sections) => api.saveReport(report.id, version, sections, document.hidden),
      }),
  );
  const state = useSyncExternalStore(session.subscribe, session.getSnapshot);
  const [checks, setChecks] = useState<readonly Check[]>([]);
  const [error, setError] = useState("");
  const [signing, setSigning] = useState(false);
  const root = useRef<HTMLElement>(null);
  const bar = useRef<SignBarHandle>(null);

  useEffect(() => session.take(report), [report, session]);

  useEffect(() => {
    const save = () => session.flush().catch(() => undefined);
    const hidden = () => {
      if (document.hidden) void save();
    };
    const leave = beforeSignOut(save);
    document.addEventListener("visibilitychange", hidden);
    return () => {
      leave();
      document.removeEventListener("visibilitychange", hidden);
      void save().finally(() => session.close());
    };
  }, [session]);

  const sign = async ({ overrides, preliminary, password }: SignRequest) => {
    if (signing || obstacle) return;
    if (me.site.sign_asks_password && !password) {
      setError("Enter your password below, then sign.");
      return;
    }
    setSigning(true);
    setError("");
    try {
      const shown = { id: patient.id, name: patient.name };
      onSigned(
        await session.run((version) =>
          api.sign(report.id, { version, overrides, preliminary, password, patient: shown }),
        ),
      );
      setChecks([]);
    } catch (problem) {
      if (problem instanceof Problem && problem.status === 422 && problem.document.checks) {
        setChecks(problem.document.checks);
      } else if (problem instanceof Problem && problem.document.current) {
        setError("The report was changed by somebody else. Look at it again, then sign.");
      } else setError(explain(problem));
    } finally {
      setSigning(false);
    }
  };

  const write = async (action: (version: number) => Promise<Report>) => {
    setError("");
    try {
      onChange(await session.run(action));
    } catch (problem) {
      setError(explain(problem));
    }
  };

  const conclude = (code: string, value: ConclusionValue) => {
    const known = state.report.conclusions.find((one) => one.code === code)?.value;
    void write((version) => api.conclude(report.id, version, code, known === value ? "" : value));
  };

  useImperativeHandle(ref, () => ({
    sign: () => bar.current?.sign(),
    insert: (key, sentence) => {
      const text = (session.getSnapshot().texts[key] ?? "").trimEnd();
      session.edit(key, text ? `${text}\n${sentence}` : sentence);
    },
    focus: () => root.current?.querySelector<HTMLElement>("textarea[data-field=findings], textarea")?.focus(),
    conclude: (value) => {
      const all = state.report.conclusions;
      const asked = all.find((one) => one.value === "") ?? all[0];
      if (asked) conclude(asked.code, value);
    },
    decide: (findingId, decision) => write((version) => api.decide(report.id, findingId, decision, version)),
  }));

  return (
    <>
      <article
        ref={root}
        className={styles.document}
        aria-label="Report draft"
        onKeyDown={(event) => {
          if (event.key !== "F7" && event.key !== "F8") return;
          event.preventDefault();
          goToNextField(event.currentTarget, event.key === "F8" ? 1 : -1);
        }}
      >
        {onClose && (
          <p className={styles.preliminary} role="status" data-testid="preliminary-note">
            <b>Preliminary</b>, signed by {personName(report.signed_by)}, {formatMoment(report.signed_at)}.
            Others see the signed words until you sign. <Button onClick={onClose}>Leave it as it is</Button>
          </p>
        )}
        <Conflicts
          report={state.report}
          conflicts={state.conflicts}
          onResolve={(key, text) => session.resolve(key, text)}
        />
        <TemplateLine
          report={state.report}
          onUse={(template) => void write((version) => api.useTemplate(report.id, version, template))}
        />
        {state.report.sections.map((section) => (
          <Fragment key={section.key}>
            <DocumentField
              section={section}
              text={state.texts[section.key] ?? ""}
              readOnly={state.conflicts.some((conflict) => conflict.key === section.key)}
              macros={state.report.template?.macros}
              dictates={me.site.dictation && canDictate()}
              onEdit={(text) => session.edit(section.key, text)}
              onSuggestion={(id, to) => void write((version) => api.suggestion(report.id, id, to, version))}
            />
            <Fields
              questions={(state.report.template?.questions ?? []).filter(
                (one) => one.section === section.key,
              )}
              answers={state.report.answers}
              offers={state.report.offers}
              onAnswer={(key, value) => void write((version) => api.answer(report.id, version, key, value))}
            />
          </Fragment>
        ))}
        <Conclusions conclusions={state.report.conclusions} onConclude={conclude} />
      </article>
      <SignBar
        ref={bar}
        signs={hasRole(me, "resident") ? "preliminary" : onClose ? "cosign" : "final"}
        asksPassword={me.site.sign_asks_password}
        status={state.status}
        problem={state.problem}
        checks={checks}
        signing={signing}
        obstacle={obstacle}
        error={error}
        onSign={(asked) => void sign(asked)}
      />
    </>
  );
}
