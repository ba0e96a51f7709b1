"""Writing reports: draft, edit, decide, sign, add. Every write is audited and tells open pages.

A write names the version it was made against. It holds when no person changed the report since; AI
suggestions that came meanwhile are no conflict, because they touch no text. Writers of one report wait
for each other on its row, and the guarded UPDATE names the version again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Q
from django.http import HttpRequest
from django.utils import timezone

from foundation import events
from foundation.accounts.models import User
from foundation.audit import services as audit
from foundation.transitions import LostRace
from pacs.models import Study
from triage.models import ModelState, RunState, TriageRun
from worklist.live.messages import Topic
from worklist.live.services import announce
from worklist.reports import conclusions as conclusion_rules
from worklist.reports import drafting, editing
from worklist.reports.checks import Check, Facts, Override, open_checks, unsettled, used_overrides
from worklist.reports.conclusions import Conclusion
from worklist.reports.drafting import Section
from worklist.reports.editing import Verdict
from worklist.reports.facts import AiFacts, ai_facts, prior_facts, study_fact
from worklist.reports.models import (
    SIGNED_REPORT_STATES,
    FindingDecision,
    Report,
    ReportEntry,
    ReportState,
    ReportVersion,
)
from worklist.reports.selectors import draft_of, verdicts_of
from worklist.reports.states import REPORT
from worklist.reports.wording import FindingFact

LONGEST_TEXT = 20_000
# A run that finished but is not committed yet is older than it looks: results are read again that far back.
OVERLAP = timedelta(seconds=30)
SWEEP_BATCH = 100

Action = ReportEntry.Action


class ChecksOpen(Exception):
    """The report cannot be signed yet; `checks` says why, settled or not."""

    def __init__(self, checks: Sequence[Check]) -> None:
        super().__init__("Some checks are open.")
        self.checks = list(checks)


def open_draft(*, study: Study, by: User, request: HttpRequest | None = None) -> Report:
    """The study's report; a new draft from order, study and findings when there is none.

    Any number of callers at once get the same report.
    """
    known = Report.objects.filter(study=study).first()
    if known is not None:
        return known
    with transaction.atomic():
        now = timezone.now()
        ai = ai_facts(study.pk)
        report, created = Report.objects.get_or_create(
            study=study,
            defaults={
                "sections": drafting.draft(study_fact(study), prior_facts(study), ai.findings),
                "conclusions": conclusion_rules.with_targets([], ai.targets),
                "results_seen_at": now - OVERLAP,
                "updated_by": by,
            },
        )
        if created:
            _enter(report, Action.DRAFTED, by=by)
            _tell(report, "report drafted", action="C", by=by, request=request)
            events.publish(events.ReportDrafted(report_id=report.pk))
    return report


def save(
    *,
    report_id: int,
    version: int,
    by: User,
    texts: Mapping[str, str] | None = None,
    conclusions: Mapping[str, str] | None = None,
    request: HttpRequest | None = None,
) -> Report:
    """Keep the reader's text (by section key) and conclusions (by finding code) of a draft.

    Raises:
        LostRace: a person changed the report since `version`.
        IllegalTransition: it is signed.
        ValidationError: an unknown section, or a text that is too long.
        UnknownConclusion: a finding that the report does not ask for.
    """

    def change(report: Report) -> dict[str, Any]:
        cleaned = _checked_texts(report.sections, texts or {})
        return {
            "sections": editing.with_texts(report.sections, cleaned),
            "conclusions": conclusion_rules.with_values(report.conclusions, conclusions or {}),
        }

    return _edit(report_id, version, change, "report edited", by=by, request=request)


def decide(
    *,
    report_id: int,
    finding_id: int,
    decision: Verdict | None,
    version: int,
    by: User,
    request: HttpRequest | None = None,
) -> Report:
    """Keep what the reader says of a possible finding; its sentences and the conclusion follow.

    Args:
        decision: None takes the decision back.

    Raises:
        LostRace, IllegalTransition: as for save.
        ValidationError: the study has no such possible finding by a live model.
    """

    def change(report: Report) -> dict[str, Any]:
        ai = ai_facts(report.study_id)
        finding = _possible(ai, finding_id)
        _keep_decision(report, finding, decision, by)
        sections = editing.decide(drafting.with_suggestions(report.sections, ai.findings), finding, decision)
        return {"sections": sections, "conclusions": _concluded(report, ai, finding)}

    return _edit(
        report_id, version, change, "finding decided", by=by, request=request,
        finding_id=finding_id, decision=decision.value if decision else None,
    )  # fmt: skip


def set_suggestion(
    *,
    report_id: int,
    suggestion_id: str,
    state: str,
    version: int,
    by: User,
    request: HttpRequest | None = None,
) -> Report:
    """Take (`accepted`) or leave (`rejected`) one suggested sentence.

    Taking a sentence of a finding that is undecided or rejected accepts the finding: text and decision
    never disagree. Leaving one says nothing of the finding.

    Raises:
        LostRace, IllegalTransition: as for save.
        ValidationError: an unknown suggestion or state.
    """
    if state not in ("accepted", "rejected"):
        raise ValidationError("A suggestion is accepted or rejected.")

    def change(report: Report) -> dict[str, Any]:
        ai = ai_facts(report.study_id)
        finding = _possible(ai, _finding_of(report.sections, suggestion_id))
        verdict = verdicts_of(report.pk).get(finding.id)
        conclusions: list[Conclusion] = report.conclusions
        if state == "accepted" and verdict in (None, Verdict.REJECTED):
            verdict = Verdict.ACCEPTED
            _keep_decision(report, finding, verdict, by)
            conclusions = _concluded(report, ai, finding)
        sections = editing.set_suggestion(
            report.sections, suggestion_id, state, finding, verdict or Verdict.ACCEPTED
        )
        return {"sections": sections, "conclusions": conclusions}

    return _edit(
        report_id, version, change, "suggestion " + state, by=by, request=request, suggestion=suggestion_id
    )


def sign(
    *,
    report_id: int,
    version: int,
    overrides: Sequence[Override],
    facts: Facts,
    by: User,
    request: HttpRequest | None = None,
) -> Report:
    """Sign the draft as it stood at `version`; the text is kept as signed for ever.

    The caller has made sure that `by` is a radiologist who holds the study.

    Raises:
        ChecksOpen: a blocking check is neither settled nor overridden with a reason.
        LostRace: a person changed the report since `version`.
        IllegalTransition: it is signed already.
    """
    with transaction.atomic():
        report = _locked(report_id, version)
        REPORT.target(report.state, "sign")
        checks = open_checks(draft_of(report, ai_facts(report.study_id)), facts)
        if unsettled(checks, overrides):
            raise ChecksOpen(checks)
        now = timezone.now()
        kept = [{"code": o.code, "reason": o.reason.strip()} for o in used_overrides(checks, overrides)]
        REPORT.apply(
            report,
            "sign",
            expected={"version": report.version},
            edited_version=report.version + 1,
            signed_by=by,
            signed_at=now,
            updated_by=by,
            updated_at=now,
        )
        _keep_version(report, Action.SIGNED, sections=_bare(report.sections), overrides=kept, by=by)
        codes = [override["code"] for override in kept]
        _tell(report, "report signed", by=by, request=request, overrides=codes)
        events.publish(events.ReportSigned(report_id=report.pk))
    return report


def add_addendum(
    *,
    report_id: int,
    text: str,
    by: User,
    conclusions: Mapping[str, str] | None = None,
    request: HttpRequest | None = None,
) -> Report:
    """Sign an addition to a signed report; what was signed stays word for word.

    A changed conclusion makes it a correction.

    Raises:
        ValidationError: no text.
        IllegalTransition: the report is not signed.
        UnknownConclusion: a finding that the report does not ask for.
    """
    text = _clean(text).strip()
    if not text:
        raise ValidationError("Write what the addendum says.")
    with transaction.atomic():
        report = _locked(report_id, None)
        concluded = conclusion_rules.with_values(report.conclusions, conclusions or {})
        corrects = concluded != report.conclusions
        event = "correct" if corrects else "append"
        REPORT.target(report.state, event)
        now = timezone.now()
        number = 1 + sum(s["key"].startswith("addendum-") for s in report.sections)
        added: Section = {
            "key": f"addendum-{number}",
            "title": f"Addendum {number}, {by}, {now.day} {now:%b %Y %H:%M} UTC",
            "text": text,
            "suggestions": [],
        }
        REPORT.apply(
            report,
            event,
            expected={"version": report.version},
            sections=[*report.sections, added],
            conclusions=concluded,
            edited_version=report.version + 1,
            updated_by=by,
            updated_at=now,
        )
        action = Action.CORRECTED if corrects else Action.ADDENDUM
        _keep_version(report, action, sections=_bare(report.sections), overrides=[], by=by)
        _tell(report, f"report {action.value}", by=by, request=request)
        events.publish(events.ReportSigned(report_id=report.pk))
    return report


def refresh_suggestions(*, study_id: int) -> Report | None:
    """Bring a new AI result to the study's report; None when it has none.

    A draft gets suggestions and questions, and no text changes. A signed report is left alone and its
    history tells of the result. Twice is harmless.
    """
    with transaction.atomic():
        report = Report.objects.select_for_update(of=("self",)).filter(study_id=study_id).first()
        if report is None:
            return None
        seen = timezone.now() - OVERLAP
        if report.state == ReportState.DRAFT:
            _suggest_anew(report)
        else:
            _tell_late_results(report)
        Report.objects.filter(pk=report.pk).update(results_seen_at=seen)
    return report


def refresh_behind(limit: int = SWEEP_BATCH) -> int:
    """Refresh reports whose study has AI results that no event brought; returns how many."""
    news = Q(study__triage_runs__finished_at__gt=F("results_seen_at")) | Q(results_seen_at__isnull=True)
    live = Q(study__triage_runs__model__state=ModelState.LIVE)
    behind = Report.objects.filter(news & live).values_list("study_id", flat=True).distinct()[:limit]
    return sum(refresh_suggestions(study_id=study_id) is not None for study_id in list(behind))


def _edit(
    report_id: int,
    version: int,
    change: Callable[[Report], dict[str, Any]],
    what: str,
    *,
    by: User,
    request: HttpRequest | None,
    **detail: Any,
) -> Report:
    with transaction.atomic():
        report = _locked(report_id, version)
        REPORT.target(report.state, "edit")
        REPORT.apply(
            report,
            "edit",
            expected={"version": report.version},
            **change(report),
            edited_version=report.version + 1,
            updated_by=by,
            updated_at=timezone.now(),
        )
        _tell(report, what, by=by, request=request, **detail)
        events.publish(events.ReportDrafted(report_id=report.pk))
    return report


def _locked(report_id: int, version: int | None) -> Report:
    """The report's row, held to the end of the transaction, if nobody changed it since `version`."""
    report = Report.objects.select_for_update(of=("self",)).select_related("study__patient").get(pk=report_id)
    if version is not None and not report.edited_version <= version <= report.version:
        raise LostRace("Somebody changed this report since you loaded it. Look at their text, then go on.")
    return report


def _suggest_anew(report: Report) -> None:
    ai = ai_facts(report.study_id)
    sections = drafting.with_suggestions(report.sections, ai.findings)
    concluded = conclusion_rules.with_targets(report.conclusions, ai.targets)
    if sections != report.sections or concluded != report.conclusions:
        REPORT.apply(
            report, "edit", expected={"version": report.version}, sections=sections, conclusions=concluded
        )
        announce(Topic.REPORTS, report.pk, report.version)
        events.publish(events.ReportDrafted(report_id=report.pk))


def _tell_late_results(report: Report) -> None:
    late = TriageRun.objects.filter(
        study_id=report.study_id,
        model__state=ModelState.LIVE,
        state=RunState.DONE,
        finished_at__gt=report.signed_at,
    )
    for run in late:
        _, created = ReportEntry.objects.get_or_create(
            report=report,
            run=run,
            defaults={
                "version": report.version,
                "action": Action.LATE_RESULT,
                "at": run.finished_at or timezone.now(),
            },
        )
        if created:
            announce(Topic.REPORTS, report.pk, report.version)


def _keep_decision(report: Report, finding: FindingFact, decision: Verdict | None, by: User) -> None:
    if decision is None:
        FindingDecision.objects.filter(report=report, finding_id=finding.id).delete()
        return
    FindingDecision.objects.update_or_create(
        report=report, finding_id=finding.id, defaults={"decision": decision.value, "by": by}
    )


def _concluded(report: Report, ai: AiFacts, finding: FindingFact) -> list[Conclusion]:
    """The conclusion follows the decisions as long as they say something."""
    known = conclusion_rules.with_targets(report.conclusions, ai.targets)
    verdicts = verdicts_of(report.pk)
    same = [f for f in ai.findings if f.present and not f.stale and f.code == finding.code]
    said = conclusion_rules.from_verdicts(verdicts.get(f.id) for f in same)
    if finding.code not in {conclusion["code"] for conclusion in known}:
        return known
    return conclusion_rules.with_values(known, {finding.code: said or conclusion_rules.NOT_STATED})


def _possible(ai: AiFacts, finding_id: int) -> FindingFact:
    for finding in ai.findings:
        if finding.id == finding_id and finding.present:
            return finding
    raise ValidationError(
        "This is no possible finding of this study. Where AI found nothing, say so in the conclusion."
    )


def _finding_of(sections: Sequence[Section], suggestion_id: str) -> int:
    for section in sections:
        for suggestion in section["suggestions"]:
            if suggestion["id"] == suggestion_id:
                return int(suggestion["finding_id"])
    raise ValidationError(f"This report has no suggestion {suggestion_id}.")


def _checked_texts(sections: Sequence[Section], texts: Mapping[str, str]) -> dict[str, str]:
    unknown = set(texts) - {section["key"] for section in sections}
    if unknown:
        raise ValidationError(f"This report has no section {', '.join(sorted(unknown))}.")
    return {key: _clean(text) for key, text in texts.items()}


def _clean(text: str) -> str:
    """Text without control characters, which neither DICOM nor the database takes."""
    if len(text) > LONGEST_TEXT:
        raise ValidationError(f"A section holds at most {LONGEST_TEXT} characters.")
    return "".join(c for c in text.replace("\r\n", "\n") if c >= " " or c in "\n\t")


def _bare(sections: Sequence[Section]) -> list[dict[str, str]]:
    """What is signed: text without suggestions."""
    return [{"key": s["key"], "title": s["title"], "text": s["text"]} for s in sections]


def _keep_version(
    report: Report, action: Action, *, sections: list[Any], overrides: list[Any], by: User
) -> None:
    assert report.state in SIGNED_REPORT_STATES
    decisions = {str(finding): verdict.value for finding, verdict in verdicts_of(report.pk).items()}
    ReportVersion.objects.create(
        report=report,
        version=report.version,
        action=action.value,
        sections=sections,
        overrides=overrides,
        conclusions=report.conclusions,
        decisions=decisions,
        at=report.updated_at,
        by=by,
    )
    _enter(report, action, by=by)


def _enter(report: Report, action: Action, *, by: User) -> None:
    ReportEntry.objects.create(report=report, version=report.version, action=action, at=timezone.now(), by=by)


def _tell(
    report: Report, what: str, *, by: User, request: HttpRequest | None, action: str = "U", **detail: Any
) -> None:
    study = report.study
    audit.record(
        audit.Kind.PATIENT_RECORD,
        action=action,
        user=by,
        request=request,
        study_instance_uid=study.study_instance_uid,
        patient_id=study.patient.patient_id,
        detail={"what": what, "report": report.pk, "version": report.version, **detail},
    )
    announce(Topic.REPORTS, report.pk, report.version)
