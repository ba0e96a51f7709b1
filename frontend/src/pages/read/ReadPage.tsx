import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { useLocation } from "wouter";
import { useHistoryState } from "wouter/use-browser-location";

import { explain, Problem } from "../../api/client";
import { api, planQuery, priorsQuery, queryClient, runsQuery } from "../../api/queries";
import type { Decision, Finding, Prior, WorklistItem } from "../../api/types";
import { hasRole, useMe } from "../../app/session";
import { dispatchKey, useKeys, type Handlers } from "../../keyboard/useKeys";
import { isReadingWindow } from "../../live/windows";
import { formatDay, formatMoment } from "../../time/dates";
import { Empty, Failed, LoadingRows } from "../../ui/states";
import { LOCATIONS, PRIORITIES } from "../worklist/words";
import { useBridge, type WindowPreset } from "./bridge";
import { Communications } from "./Communications";
import { FindingsPanel } from "./FindingsPanel";
import { FirstLook, FirstLookSaid } from "./FirstLook";
import { MarksPanel, useMarks } from "./Marks";
import { matchOf, PatientBanner } from "./PatientBanner";
import { ReportEditor, type EditorHandle } from "./report/ReportEditor";
import { SignedReport } from "./report/SignedReport";
import { usePrefetchNext } from "./prefetch";
import { SeriesPanel } from "./SeriesPanel";
import { useReading, useReport, type Reading } from "./useReading";
import { Viewer } from "./Viewer";
import styles from "./Read.module.css";

const OVERLAY_OPACITY = 0.35;
const OPACITY_STEP = 0.1;

export default function ReadPage({ uid }: { uid: string }) {
  const reading = useReading(uid);
  // Nothing about the patient is shown before all of it is known.
  if (reading.item) return <Reader item={reading.item} reading={reading} />;
  if (reading.error instanceof Problem && reading.error.status === 404) {
    return (
      <Empty title="This study is not on the worklist">
        It may have been removed, or the address is wrong. <a href="/">Back to the list</a>
      </Empty>
    );
  }
  if (reading.error) return <Failed error={reading.error} onRetry={reading.retry} />;
  return <LoadingRows rows={8} />;
}

function Order({ item, why }: { item: WorklistItem; why: string | undefined }) {
  return (
    <section className={styles.block}>
      <h2>Order</h2>
      <p>
        <b>{PRIORITIES[item.priority_class]}</b> · {item.location || LOCATIONS[item.location_class]}
      </p>
      <p className={styles.reason}>{item.reason_for_exam || "No reason for exam was sent"}</p>
      {why && <p className={styles.quiet}>Why this one: {why}</p>}
      <p className={styles.quiet}>
        {item.number_of_instances} images in {item.number_of_series} series · arrived{" "}
        {formatMoment(item.arrived_at)}
        {item.study_state === "receiving" && " · still receiving"}
      </p>
    </section>
  );
}

interface PriorsProps {
  priors: readonly Prior[];
  compared: string | null;
  onCompare: (uid: string | null) => void;
}

function Priors({ priors, compared, onCompare }: PriorsProps) {
  return (
    <section className={styles.block}>
      <h2>Priors</h2>
      {priors.length === 0 && <p className={styles.quiet}>None in this archive</p>}
      {priors.map((prior) => {
        const on = compared === prior.study_instance_uid;
        return (
          <div key={prior.study_instance_uid} className={styles.prior}>
            <span>
              {formatDay(prior.study_date)} · {prior.modality} {prior.study_description}
              <span className={styles.quiet}>{prior.impression}</span>
            </span>
            <button
              type="button"
              aria-pressed={on}
              onClick={() => onCompare(on ? null : prior.study_instance_uid)}
            >
              {on ? "Close" : "Compare"}
            </button>
          </div>
        );
      })}
    </section>
  );
}

const NO_PRIORS: readonly Prior[] = [];

function Reader({ item, reading }: { item: WorklistItem; reading: Reading }) {
  const uid = item.study_instance_uid;
  const me = useMe();
  const [, navigate] = useLocation();
  const bridge = useBridge();
  const priors = useQuery(priorsQuery(uid)).data ?? NO_PRIORS;
  const runs = useQuery(runsQuery(uid)).data ?? [];
  const plan = useQuery(planQuery(uid)).data ?? undefined;
  const { report, show, error: reportError, isPending } = useReport(uid, reading.mayEdit);
  const [selected, setSelected] = useState<string | null>(null);
  const [overlay, setOverlay] = useState(false);
  const [opacity, setOpacity] = useState(OVERLAY_OPACITY);
  const [compared, setCompared] = useState<string | null>(null);
  const why = useHistoryState<{ why?: string } | null>()?.why;
  const [notice, setNotice] = useState("");
  const editor = useRef<EditorHandle>(null);
  const linked = useRef(true);
  const firstLook = useRef<HTMLTextAreaElement>(null);

  const flags = item.findings.filter((finding) => finding.presence === "present");
  const current = flags.find((finding) => finding.id === selected) ?? flags[0];
  const match = matchOf(uid, bridge.shown, priors);
  const signed = report !== undefined && report.signed_at !== null;
  const [revising, setRevising] = useState(false);
  // A draft belongs to who holds the study; a preliminary report is off the list and open to who signs it.
  const writes = signed ? revising && report.state === "preliminary" : reading.mayEdit;
  const mayDecide = writes && report !== undefined;

  useEffect(() => {
    document.title = "Reading · Firstread";
    return () => {
      document.title = "Firstread";
    };
  }, []);

  const marks = useMarks({
    uid,
    drawings: bridge.drawings,
    shown: bridge.shown,
    insert: reading.mayEdit && !signed ? (sentence) => editor.current?.insert("findings", sentence) : null,
  });

  usePrefetchNext(uid, bridge.shown !== null);

  const jump = (finding: Finding) => {
    if (!finding.key_sop_instance_uid) return;
    bridge.send({
      type: "jump",
      sopInstanceUID: finding.key_sop_instance_uid,
      seriesInstanceUID: finding.key_series_instance_uid,
    });
  };

  const drawOverlay = (on: boolean, strength: number) => {
    const finding = current?.seg_series_instance_uid ? current : flags.find((f) => f.seg_series_instance_uid);
    if (!finding) return;
    setOverlay(on);
    setOpacity(strength);
    const segSeriesInstanceUID = finding.seg_series_instance_uid;
    bridge.send({ type: "overlay", on, segSeriesInstanceUID, opacity: strength });
  };
  const toggleOverlay = () => drawOverlay(!overlay, opacity);
  const stepOpacity = (by: number) => {
    if (overlay) drawOverlay(true, Math.min(1, Math.max(0.05, opacity + by)));
  };

  const decide = async (finding: Finding, decision: Decision) => {
    if (!mayDecide) return;
    // The same answer again takes it back.
    await editor.current?.decide(finding.id, finding.decision === decision ? null : decision);
    void queryClient.invalidateQueries({ queryKey: ["worklist", "item", uid] });
  };

  // The list stands in the other window.
  const back = () => navigate(isReadingWindow() ? "/reading" : "/");

  const next = async () => {
    setNotice("");
    try {
      const taken = await api.next();
      navigate(`/read/${taken.study_instance_uid}`, { state: { why: taken.why } });
    } catch (error) {
      const none = error instanceof Problem && error.status === 404;
      setNotice(none ? `${explain(error)} Back to the list with B.` : explain(error));
    }
  };

  const handlers: Handlers<"read"> = {
    accept: () => current && void decide(current, "accepted"),
    reject: () => current && void decide(current, "rejected"),
    uncertain: () => current && void decide(current, "uncertain"),
    jump: () => current && jump(current),
    overlay: toggleOverlay,
    overlayMore: () => stepOpacity(OPACITY_STEP),
    overlayLess: () => stepOpacity(-OPACITY_STEP),
    keepMeasurement: () => void marks.keep(marks.open.at(-1)),
    keyImage: () => void marks.mark(),
    firstLook: () => {
      window.focus();
      firstLook.current?.focus();
    },
    nextFinding: () => {
      const following = flags[(flags.findIndex((one) => one.id === current?.id) + 1) % flags.length];
      if (!following) return;
      setSelected(following.id);
      jump(following);
    },
    edit: () => {
      window.focus();
      editor.current?.focus();
    },
    images: () => bridge.frame.current?.contentWindow?.focus(),
    present: () => editor.current?.conclude("present"),
    absent: () => editor.current?.conclude("absent"),
    indeterminate: () => editor.current?.conclude("indeterminate"),
    sign: () => editor.current?.sign(),
    next: () => signed && void next(),
    back,
  };
  useKeys("read", handlers);

  const preset = (name: WindowPreset) => () => bridge.send({ type: "window", preset: name });
  /** Keys that mean this only while the keyboard is in the images. */
  const imageHandlers: Handlers<"images"> = {
    brain: preset("brain"),
    subdural: preset("subdural"),
    bone: preset("bone"),
    stroke: preset("stroke"),
    soft: preset("soft"),
    lung: preset("lung"),
    own: preset("own"),
    link: () => {
      linked.current = !linked.current;
      bridge.send({ type: "link", on: linked.current });
      setNotice(linked.current ? "The prior scrolls along." : "The prior scrolls alone.");
    },
  };

  const obstacle =
    match === "mismatch" ? "The images on screen belong to another study: nothing can be signed now." : "";

  return (
    <div className={styles.page}>
      <PatientBanner
        item={item}
        match={match}
        shownPrior={priors.find((prior) => prior.study_instance_uid === bridge.shown?.studyInstanceUID)}
        readOnlyReason={reading.readOnlyReason}
        takenOver={reading.takenOver}
        mayEdit={reading.mayEdit}
        onClaim={hasRole(me, "radiologist") ? () => void reading.claim() : null}
        onRelease={() => void reading.release().then(back)}
        onBack={back}
      />
      <div className={styles.body}>
        <Viewer
          key={compared ?? ""}
          bridge={bridge}
          uids={compared ? [uid, compared] : [uid]}
          // "i" brings the keyboard to the images; inside them it stays the viewer's own.
          onKey={(event, typing) =>
            dispatchKey("images", imageHandlers, event, typing) ||
            dispatchKey("read", { ...handlers, images: undefined }, event, typing)
          }
        />
        <aside className={styles.panel} aria-label="Order, findings and report">
          <Order item={item} why={why} />
          <Priors
            priors={priors}
            compared={compared}
            onCompare={(prior) => {
              setCompared(prior);
              setOverlay(false);
            }}
          />
          {item.ai_hidden ? (
            <FirstLook ref={firstLook} item={item} />
          ) : (
            <FindingsPanel
              item={item}
              runs={runs}
              plan={plan}
              selected={current?.id ?? null}
              overlay={overlay}
              opacity={opacity}
              mayDecide={mayDecide}
              onSelect={(finding) => setSelected(finding.id)}
              onDecide={(finding, decision) => void decide(finding, decision)}
              onJump={jump}
              onOverlay={toggleOverlay}
              onOpacity={(strength) => drawOverlay(true, strength)}
            />
          )}
          {me.reading_mode === "after_first_look" && <FirstLookSaid uid={uid} />}
          <MarksPanel
            marks={marks}
            mayMark={hasRole(me, "radiologist")}
            onJump={(place) =>
              bridge.send({
                type: "jump",
                sopInstanceUID: place.sop_instance_uid,
                seriesInstanceUID: place.series_instance_uid,
              })
            }
          />
          <SeriesPanel plan={plan} runs={runs} />
          <Communications item={item} />
          {reportError ? <Failed error={reportError} /> : null}
          {notice && (
            <p className={styles.notice} role="alert">
              {notice}
            </p>
          )}
          {report && writes ? (
            <ReportEditor
              key={report.id}
              ref={editor}
              report={report}
              patient={item.patient}
              obstacle={obstacle}
              onChange={show}
              onSigned={(fresh) => {
                setRevising(false);
                show(fresh);
                reading.retry();
              }}
              onClose={signed ? () => setRevising(false) : null}
            />
          ) : report ? (
            <SignedReport
              report={report}
              mayAddend={hasRole(me, "radiologist")}
              onChange={show}
              onRevise={hasRole(me, "radiologist") ? () => setRevising(true) : null}
              onNext={hasRole(me, "radiologist") ? () => void next() : null}
            />
          ) : (
            !isPending && !reading.mayEdit && <p className={styles.noReport}>No report yet</p>
          )}
        </aside>
      </div>
    </div>
  );
}
