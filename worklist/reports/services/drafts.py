"""Drafting: open, edit, decide, take suggestions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from foundation import events
from foundation.accounts.models import User
from pacs.models import Study
from worklist.reports import conclusions as conclusion_rules
from worklist.reports import drafting, editing
from worklist.reports.conclusions import Conclusion
from worklist.reports.drafting import Section
from worklist.reports.editing import Verdict
from worklist.reports.facts import AiFacts, ai_facts, prior_facts, study_fact
from worklist.reports.models import FindingDecision, Report
from worklist.reports.selectors import verdicts_of
from worklist.reports.services.rows import OVERLAP, Action, checked_texts, enter, locked, tell
from worklist.reports.services.written import Written
from worklist.reports.states import REPORT
from worklist.reports.templates import fields as field_rules
from worklist.reports.templates.content import parse
from worklist.reports.templates.models import ReportTemplate, TemplateState
from worklist.reports.templates.selectors import content_of, template_for
from worklist.reports.wording import FindingFact


def open_draft(*, study: Study, by: User, request: HttpRequest | None = None) -> Report:
    """The study's report; a new draft from order, study and findings when there is none.

    Any number of callers at once get the same report.
    """
    known = Report.objects.filter(study=study).first()
    if known is not None:
        return known
    with transaction.atomic():
        now = timezone.now()
        ai, fact = ai_facts(study.pk), study_fact(study)
        template = template_for(fact)
        content = content_of(template)
        report, created = Report.objects.get_or_create(
            study=study,
            defaults={
                "sections": drafting.draft(fact, prior_facts(study), ai.findings, content),
                "template": template,
                "conclusions": conclusion_rules.with_targets([], ai.targets),
                "results_seen_at": now - OVERLAP,
                "updated_by": by,
            },
        )
        if created:
            enter(report, Action.DRAFTED, by=by)
            tell(report, "report drafted", action="C", by=by, request=request)
            events.publish(events.ReportDrafted(report_id=report.pk))
    return report


def save(
    *,
    report_id: int,
    version: int,
    by: User,
    texts: Mapping[str, str] | None = None,
    conclusions: Mapping[str, str] | None = None,
    fields: Mapping[str, object] | None = None,
    request: HttpRequest | None = None,
) -> Report:
    """Keep the reader's text (by section key), conclusions (by finding code) and fields (by key) of a draft.

    A field's sentence follows its value. The field that answers whether a finding is there, and the
    conclusion on that finding, are one answer.

    Raises:
        LostRace: a person changed the report since `version`.
        IllegalTransition: it is signed.
        ValidationError: an unknown section, or a text that is too long.
        UnknownConclusion: a finding that the report does not ask for.
        WrongValue: an unknown field, or a value that it does not take.
    """

    def change(report: Report) -> dict[str, Any]:
        cleaned = checked_texts(report.sections, texts or {})
        written = Written.of(report, sections=editing.with_texts(report.sections, cleaned))
        for code, value in (conclusions or {}).items():
            written = written.concluded(code, value)
        for key, answer in (fields or {}).items():
            written = written.answered(key, answer)
        return written.columns()

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
        return _followed(report, ai, finding, sections).columns()

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
        decided = state == "accepted" and verdict in (None, Verdict.REJECTED)
        if decided:
            verdict = Verdict.ACCEPTED
            _keep_decision(report, finding, verdict, by)
        sections = editing.set_suggestion(
            report.sections, suggestion_id, state, finding, verdict or Verdict.ACCEPTED
        )
        if decided:
            return _followed(report, ai, finding, sections).columns()
        return {"sections": sections}

    return _edit(
        report_id, version, change, "suggestion " + state, by=by, request=request, suggestion=suggestion_id
    )


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
        report = locked(report_id, version)
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
        tell(report, what, by=by, request=request, **detail)
        events.publish(events.ReportDrafted(report_id=report.pk))
    return report


def _keep_decision(report: Report, finding: FindingFact, decision: Verdict | None, by: User) -> None:
    if decision is None:
        FindingDecision.objects.filter(report=report, finding_id=finding.id).delete()
        return
    FindingDecision.objects.update_or_create(
        report=report, finding_id=finding.id, defaults={"decision": decision.value, "by": by}
    )


def _followed(report: Report, ai: AiFacts, finding: FindingFact, sections: list[Section]) -> Written:
    """Conclusion and fields follow what was decided on a finding; its own sentence says it already."""
    concluded = _concluded(report, ai, finding)
    written = Written.of(report, sections=sections, conclusions=concluded)
    return written.follows(finding, verdicts_of(report.pk).get(finding.id), ai.findings)


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


def use_template(
    *, report_id: int, template_id: int, version: int, by: User, request: HttpRequest | None = None
) -> Report:
    """Go on with another active template. No word is lost: text of a section that it lacks goes to the findings.

    Raises:
        LostRace, IllegalTransition: as for save.
        ValidationError: no such active template.
    """
    template = ReportTemplate.objects.filter(pk=template_id, state=TemplateState.ACTIVE).first()
    if template is None:
        raise ValidationError("This template is not active. Choose another.")

    def change(report: Report) -> dict[str, Any]:
        content = parse(template.content)
        sections = drafting.with_template(report.sections, content)
        sections = drafting.with_suggestions(sections, ai_facts(report.study_id).findings)
        known = {one.key for _, one in content.fields()}
        kept = [one for one in report.fields if one["key"] in known]
        return {"template": template, "sections": sections, "fields": field_rules.valid(content, kept)}

    return _edit(report_id, version, change, "report template chosen", by=by, request=request)
