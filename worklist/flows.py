"""What crosses the rooms of the worklist, read top to bottom along the way of a study.

One function a crossing. Each may run twice or not at all: `repair` finds in the database what no event
told, because a process died between its commit and its news.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from foundation import events
from foundation.accounts.models import User
from foundation.queueing import enqueue
from triage.models import FINAL_RUN_STATES, TriageRun
from worklist.alerts import delivering as alert_messages
from worklist.alerts import quieting
from worklist.alerts import services as alerts
from worklist.alerts import tasks as alert_tasks
from worklist.alerts.models import OPEN_ALERT_STATES, Alert, AlertState, Communication
from worklist.quality import services as quality
from worklist.quality.models import Review
from worklist.queue import claims, grouping, handovers, ledger, ranking
from worklist.queue import tasks as queue_tasks
from worklist.queue.models import UNREAD_STATES, Handover, ItemState, WorklistItem
from worklist.reading.selectors import blindness
from worklist.reports import documents, tasks
from worklist.reports import services as reports
from worklist.reports.checks import Facts, Override, ShownPatient
from worklist.reports.models import SIGNED_REPORT_STATES, Report, ReportState, ReportVersion
from worklist.reports.outgoing import encapsulated, planning, sending
from worklist.rota import groups
from worklist.rota.models import ReadingGroup

# Reviews that no event made are looked for that far back.
COMPARED_AGAIN = timedelta(days=7)


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
    """A critical finding alerts the ER; before the rank, because a person waits for it.

    One that is known, answered and not grown stands in the log as not rung; its promotion stays.
    """
    alerts.raise_for_run(run_id=event.run_id)


def alert_goes_out(event: events.AlertRaised | events.AlertEscalated) -> None:
    """Workers send what the telling made, by every channel beside the page."""
    wake_alert_messages()


def wake_alert_messages() -> None:
    """Waking twice is harmless: one of them takes the lease."""
    for delivery_id in alert_messages.waiting_to_be_woken():
        enqueue(alert_tasks.send, delivery_id)


def result_moves_the_study(event: events.TriageRunFinished) -> None:
    """A result, whatever it is, shows on the list and may raise the study."""
    ranking.place(study_id=_study_of(event.run_id), cause="AI result", tell_anyway=True)


def documents_are_there(event: events.TriageDocumentsFiled) -> None:
    """What was drawn can be shown from now on: pages that show the study ask for it."""
    ranking.place(study_id=_study_of(event.run_id), cause="AI documents", tell_anyway=True)


def plan_reaches_the_report(event: events.TriagePlanned) -> None:
    """A draft asks the reader what the models look for."""
    reports.refresh_suggestions(study_id=event.study_id)


def result_reaches_the_report(event: events.TriageRunFinished) -> None:
    """A draft gets suggestions; a signed report stays and its history tells of the result."""
    reports.refresh_suggestions(study_id=_study_of(event.run_id))


def late_result_is_compared(event: events.TriageRunFinished) -> None:
    """A result that comes after the signature is compared like the others."""
    compare_with_signature(study_id=_study_of(event.run_id))


def sign_report(
    *,
    report_id: int,
    version: int,
    overrides: Sequence[Override],
    by: User,
    preliminary: bool = False,
    shown_patient: ShownPatient | None = None,
    request: HttpRequest | None = None,
) -> Report:
    """Sign as the reader who holds the study; nobody can take it away meanwhile.

    A preliminary report has left the reading list: whoever co-signs it needs no claim, the version tells
    two of them apart.

    Args:
        shown_patient: as the signer's page shows them; None asks nothing.

    Raises:
        claims.NotYours: `by` does not hold the study.
        And what worklist.reports.services.sign raises.
    """
    with transaction.atomic():
        report = Report.objects.get(pk=report_id)
        if report.state == ReportState.DRAFT:
            _require_claim(report.study_id, by)
        facts = signing_facts([report.study_id], by=by)[report.study_id]
        return reports.sign(
            report_id=report_id,
            version=version,
            overrides=overrides,
            facts=replace(facts, shown_patient=shown_patient),
            by=by,
            preliminary=preliminary,
            request=request,
        )


def signing_facts(study_ids: Sequence[int], *, by: User | None = None) -> dict[int, Facts]:
    """What queue and alerts know that the checks before signing ask, by study.

    Args:
        by: who would sign; None asks for everything, whoever it is hidden from.
    """
    blind = blindness(by, study_ids) if by is not None else None
    opened = set(
        WorklistItem.objects.filter(study_id__in=study_ids, first_opened_at__isnull=False).values_list(
            "study_id", flat=True
        )
    )
    told: dict[int, set[str]] = {}
    # What was not rung is known from a prior whose alert a named person answered; a quiet tells nobody.
    answered = Alert.objects.filter(
        study_id__in=study_ids, state__in=[AlertState.ACKNOWLEDGED, AlertState.NOT_RUNG]
    ).exclude(state=AlertState.NOT_RUNG, rule__startswith=quieting.MARK)
    for study_id, code in answered.values_list("study_id", "finding_code"):
        told.setdefault(study_id, set()).add(code)
    called = Communication.objects.filter(study_id__in=study_ids, read_back=True).exclude(finding_code="")
    for study_id, code in called.values_list("study_id", "finding_code"):
        told.setdefault(study_id, set()).add(code)
    return {
        study_id: Facts(
            images_opened=study_id in opened,
            communicated=frozenset(told.get(study_id, frozenset())),
            ai_hidden=blind.of(study_id) if blind is not None else "",
        )
        for study_id in study_ids
    }


def report_is_signed(event: events.ReportSigned) -> None:
    """A signed study leaves the list; one signed preliminarily waits on the list of co-signatures."""
    report = Report.objects.get(pk=event.report_id)
    if report.signed_at is not None:
        claims.mark_signed(study_id=report.study_id, signed_at=report.signed_at)


def follow_policy() -> None:
    """Another policy is in force: workers rank the open list anew, the sweep does it otherwise."""
    enqueue(queue_tasks.follow_policy)


def report_becomes_a_document(event: events.ReportSigned) -> None:
    """A worker puts the DICOM SR into the archive; signing does not wait for it."""
    enqueue(tasks.store_documents, event.report_id)


def report_goes_out(event: events.ReportSigned) -> None:
    """Where this version goes is decided; workers send it."""
    planning.plan(report_id=event.report_id)
    wake_deliveries()


def wake_deliveries() -> None:
    """Workers send what may be sent now. Waking twice is harmless: one of them takes the lease."""
    for delivery_id in sending.waiting_to_be_woken():
        enqueue(tasks.send, delivery_id)


def report_is_compared(event: events.ReportSigned) -> None:
    """Every AI result of the study stands against the signature."""
    compare_with_signature(study_id=Report.objects.values_list("study_id", flat=True).get(pk=event.report_id))


def compare_with_signature(*, study_id: int) -> None:
    """Make the reviews of a signed study; nothing while it is unsigned."""
    version = (
        ReportVersion.objects.filter(report__study_id=study_id)
        .select_related("by")
        .order_by("-version")
        .first()
    )
    if version is None:
        return
    said = [s for s in version.sections if s["key"] == "impression" or s["key"].startswith("addendum-")]
    quality.compare(
        study_id=study_id,
        signed=quality.Signed(
            report_id=version.report_id,
            version=version.version,
            impression="\n".join(
                s["text"] if s["key"] == "impression" else f"{s['title']}: {s['text']}" for s in said
            ),
            signed_by_id=version.by_id,
            signed_by_name=version.by.display_name or version.by.username,
            signed_at=version.at,
            conclusions={c["code"]: c["value"] for c in version.conclusions},
            decisions={int(finding): decision for finding, decision in version.decisions.items()},
        ),
    )


def compare_missing() -> None:
    """Compare results of signed studies that no event compared."""
    compared = Review.objects.filter(
        run=OuterRef("pk"), report_version=OuterRef("study__report__signed_version")
    )
    missing = TriageRun.objects.filter(
        ~Exists(compared),
        state__in=FINAL_RUN_STATES,
        model_state__in=quality.MEASURED,
        study__report__state__in=SIGNED_REPORT_STATES,
        study__report__updated_at__gte=timezone.now() - COMPARED_AGAIN,
    )
    for study_id in list(missing.order_by("study_id").values_list("study_id", flat=True).distinct()):
        compare_with_signature(study_id=study_id)


def add_group(
    *, values: Mapping[str, Any], by: User | None, request: HttpRequest | None = None, channel: str = ""
) -> ReadingGroup:
    """A new group of readers; unread studies that match its rule belong to it at once."""
    with transaction.atomic():
        group = groups.add_group(values=values, by=by, request=request, channel=channel)
        grouping.regroup(group)
    return group


def change_group(
    *, group_id: int, values: Mapping[str, Any], by: User | None, request: HttpRequest | None = None
) -> ReadingGroup:
    """A changed rule, or a closed group: unread studies follow in the same transaction."""
    with transaction.atomic():
        group = groups.change_group(group_id=group_id, values=values, by=by, request=request)
        grouping.regroup(group)
    return group


def open_work_of(user: User) -> QuerySet[WorklistItem]:
    """What `user` leaves behind when they go, the first due first.

    Studies that they claimed or are assigned; of those that nobody else reads, what they put on hold or
    began to draft; what they signed while its alert is unanswered. What they handed over counts no more.
    """
    report = Report.objects.filter(study=OuterRef("study_id"))
    of_nobody_else = (Q(claimed_by=None) | Q(claimed_by=user)) & (Q(assigned_to=None) | Q(assigned_to=user))
    began = Q(Exists(report.filter(state=ReportState.DRAFT, updated_by=user)), state__in=UNREAD_STATES)
    rings = Exists(Alert.objects.filter(study=OuterRef("study_id"), state__in=OPEN_ALERT_STATES))
    unanswered = Q(rings, Exists(report.filter(signed_by=user)), state=ItemState.SIGNED)
    rest = (of_nobody_else & (handovers.put_on_hold_by(user) | began)) | unanswered
    theirs = handovers.in_the_hands_of(user) | (rest & ~Q(handovers.left_by(user)))
    return WorklistItem.objects.filter(theirs).order_by("due_at", "arrived_at", "pk")


def hand_over(
    *,
    by: User,
    item_ids: Sequence[int],
    note: str,
    to: User | None = None,
    group: ReadingGroup | None = None,
    request: HttpRequest | None = None,
) -> tuple[Handover, bool]:
    """Leave some of one's open work to the next reader; see worklist.queue.handovers.hand_over."""
    return handovers.hand_over(
        by=by, among=open_work_of(by), item_ids=item_ids, note=note, to=to, group=group, request=request
    )


def repair() -> None:
    """Do what no event did. Cheap when there is nothing to do."""
    ranking.place_lost()
    ranking.follow_policy()
    alerts.raise_missing()
    reports.refresh_behind()
    signed = Report.objects.filter(
        state__in=SIGNED_REPORT_STATES,
        signed_at__isnull=False,
        study__worklist_item__state__in=UNREAD_STATES,
    )
    for study_id, signed_at in signed.values_list("study_id", "signed_at"):
        assert signed_at is not None
        claims.mark_signed(study_id=study_id, signed_at=signed_at)
    ledger.settle_lost()
    compare_missing()
    documents.store_missing_report_documents()
    encapsulated.store_missing()
    planning.plan_missing()
    wake_deliveries()


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
    events.subscribe(events.AlertRaised, alert_goes_out)
    events.subscribe(events.AlertEscalated, alert_goes_out)
    events.subscribe(events.TriageRunFinished, result_moves_the_study)
    events.subscribe(events.TriageDocumentsFiled, documents_are_there)
    events.subscribe(events.TriagePlanned, plan_reaches_the_report)
    events.subscribe(events.TriageRunFinished, result_reaches_the_report)
    events.subscribe(events.TriageRunFinished, late_result_is_compared)
    events.subscribe(events.ReportSigned, report_is_signed)
    events.subscribe(events.ReportSigned, report_becomes_a_document)
    events.subscribe(events.ReportSigned, report_goes_out)
    events.subscribe(events.ReportSigned, report_is_compared)


def _study_of(run_id: int) -> int:
    return TriageRun.objects.values_list("study_id", flat=True).get(pk=run_id)


def _require_claim(study_id: int, user: User) -> None:
    """Lock the item of a study that `user` holds. A lease that ran out counts until somebody takes over."""
    item = (
        WorklistItem.objects.select_for_update(of=("self",))
        .select_related("claimed_by")
        .get(study_id=study_id)
    )
    if item.state == ItemState.CLAIMED and item.claimed_by_id == user.pk:
        return
    if item.state == ItemState.CLAIMED:
        raise claims.NotYours(f"{item.claimed_by} is reading this study. Only its reader signs.", item)
    raise claims.NotYours("You do not hold this study. Claim it, then sign.", item)
