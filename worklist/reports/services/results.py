"""AI results that come while a report is written, or after it was signed."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from foundation import events
from triage.models import ModelState, RunState, TriageRun
from worklist.live.messages import Topic
from worklist.live.services import announce
from worklist.reports import conclusions as conclusion_rules
from worklist.reports import drafting
from worklist.reports.facts import ai_facts
from worklist.reports.models import (
    SIGNED_REPORT_STATES,
    WRITABLE_REPORT_STATES,
    Report,
    ReportEntry,
)
from worklist.reports.services.rows import OVERLAP, Action
from worklist.reports.states import REPORT

SWEEP_BATCH = 100


def refresh_suggestions(*, study_id: int) -> Report | None:
    """Bring a new AI result to the study's report; None when it has none.

    A draft gets suggestions and questions, and no text changes. A signed report is left alone and its
    history tells of the result; one that waits for the co-signature gets both. Twice is harmless.
    """
    with transaction.atomic():
        report = Report.objects.select_for_update(of=("self",)).filter(study_id=study_id).first()
        if report is None:
            return None
        seen = timezone.now() - OVERLAP
        if report.state in WRITABLE_REPORT_STATES:
            _suggest_anew(report)
        if report.state in SIGNED_REPORT_STATES:
            _tell_late_results(report)
        Report.objects.filter(pk=report.pk).update(results_seen_at=seen)
    return report


def refresh_behind(limit: int = SWEEP_BATCH) -> int:
    """Refresh reports whose study has AI results that no event brought; returns how many."""
    news = Q(study__triage_runs__finished_at__gt=F("results_seen_at")) | Q(results_seen_at__isnull=True)
    live = Q(study__triage_runs__model_state=ModelState.LIVE)
    behind = Report.objects.filter(news & live).values_list("study_id", flat=True).distinct()[:limit]
    return sum(refresh_suggestions(study_id=study_id) is not None for study_id in list(behind))


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
        model_state=ModelState.LIVE,
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
