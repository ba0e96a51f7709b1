"""What crosses the rooms of the worklist, read top to bottom along the way of a study.

One function a crossing. Each may run twice or not at all: `repair` finds in the database what no event
told, because a process died between its commit and its news.
"""

from __future__ import annotations

from foundation import events
from triage.models import TriageRun
from worklist.alerts import services as alerts
from worklist.queue import claims, ranking
from worklist.queue.models import UNREAD_STATES, ItemState, WorklistItem
from worklist.reports.models import SIGNED_REPORT_STATES, Report


def study_arrives(event: events.StudyReceived) -> None:
    """The first image: the study stands on every open list."""
    ranking.place(study_id=event.study_id, cause="arrived")


def images_arrive(event: events.InstancesStored) -> None:
    """More images: only a signed study must be told of them, the others wait for completion."""
    if WorklistItem.objects.filter(study_id=event.study_id, state=ItemState.SIGNED).exists():
        ranking.place(study_id=event.study_id, cause="images after signing")


def order_arrives(event: events.OrderReceived) -> None:
    """Priority and location are known, before or after the images."""
    if event.study_id is not None:
        ranking.place(study_id=event.study_id, cause="order received", tell_anyway=True)


def order_names_the_department(event: events.OrderReceived) -> None:
    """An alert that rang before its order came learns whose patient it is."""
    alerts.name_department(order_id=event.order_id)


def study_is_complete(event: events.StudyCompleted) -> None:
    """The list shows that all images are here."""
    ranking.place(study_id=event.study_id, cause="images complete", tell_anyway=True)


def triage_is_planned(event: events.TriagePlanned) -> None:
    """The list shows that AI waits, or why it will not look."""
    ranking.place(study_id=event.study_id, cause="AI planned")


def triage_starts(event: events.TriageStarted) -> None:
    """The list shows that AI is looking."""
    ranking.place(study_id=_study_of(event.run_id), cause="AI started")


def critical_finding_rings(event: events.TriageRunFinished) -> None:
    """A critical finding alerts the ER; before the rank, because a person waits for it."""
    alerts.raise_for_run(run_id=event.run_id)


def result_moves_the_study(event: events.TriageRunFinished) -> None:
    """A result, whatever it is, shows on the list and may raise the study."""
    ranking.place(study_id=_study_of(event.run_id), cause="AI result", tell_anyway=True)


def report_is_signed(event: events.ReportSigned) -> None:
    """A signed study leaves the list."""
    report = Report.objects.get(pk=event.report_id)
    if report.signed_at is not None:
        claims.mark_signed(study_id=report.study_id, signed_at=report.signed_at)


def repair() -> None:
    """Do what no event did. Cheap when there is nothing to do."""
    ranking.place_lost()
    alerts.raise_missing()
    signed = Report.objects.filter(
        state__in=SIGNED_REPORT_STATES,
        signed_at__isnull=False,
        study__worklist_item__state__in=UNREAD_STATES,
    )
    for study_id, signed_at in signed.values_list("study_id", "signed_at"):
        assert signed_at is not None
        claims.mark_signed(study_id=study_id, signed_at=signed_at)


def connect() -> None:
    """Called once when the app is ready."""
    events.subscribe(events.StudyReceived, study_arrives)
    events.subscribe(events.InstancesStored, images_arrive)
    events.subscribe(events.OrderReceived, order_arrives)
    events.subscribe(events.OrderReceived, order_names_the_department)
    events.subscribe(events.StudyCompleted, study_is_complete)
    events.subscribe(events.TriagePlanned, triage_is_planned)
    events.subscribe(events.TriageStarted, triage_starts)
    events.subscribe(events.TriageRunFinished, critical_finding_rings)
    events.subscribe(events.TriageRunFinished, result_moves_the_study)
    events.subscribe(events.ReportSigned, report_is_signed)


def _study_of(run_id: int) -> int:
    return TriageRun.objects.values_list("study_id", flat=True).get(pk=run_id)
