"""Sending: one delivery at a time, by whoever takes its lease first.

A worker that dies leaves a lease that runs out; the delivery then goes again under the same control id.
So a receiver may get a message twice after a death, and never because two workers were at it. Version 2
waits until version 1 has arrived or somebody discarded it.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from foundation.audit import services as audit
from foundation.transitions import IllegalTransition, LostRace
from worklist.live.messages import Topic
from worklist.live.services import announce
from worklist.reports.outgoing import transports
from worklist.reports.outgoing.models import DUE, SETTLED, DeliveryState, Destination, ReportDelivery
from worklist.reports.outgoing.outcomes import NotSent, Refused, Unreachable
from worklist.reports.outgoing.states import DELIVERY

log = structlog.get_logger(__name__)

# Longer than the task may live (tasks.py): nobody sends any more when it has run out.
LEASE: Final = timedelta(seconds=180)
FIRST_PAUSE: Final = timedelta(seconds=10)
LONGEST_PAUSE: Final = timedelta(hours=1)
# With the pauses above: half a day.
MAXIMUM_ATTEMPTS: Final = 20
PER_DESTINATION: Final = 20
ERROR_LENGTH: Final = 300


def pause_after(attempts: int) -> timedelta:
    """How long to wait after so many attempts in vain: 10 s, 20 s, 40 s … at most an hour."""
    return min(FIRST_PAUSE * 2 ** min(max(attempts, 1) - 1, 12), LONGEST_PAUSE)


def due(now: datetime | None = None) -> QuerySet[ReportDelivery]:
    """Deliveries that may be sent now, oldest version first."""
    now = now or timezone.now()
    earlier = ReportDelivery.objects.filter(
        destination=OuterRef("destination"),
        version__report=OuterRef("version__report"),
        version__version__lt=OuterRef("version__version"),
    ).exclude(state__in=SETTLED)
    return (
        ReportDelivery.objects.filter(
            Q(state__in=DUE, next_attempt_at__lte=now) | Q(state=DeliveryState.SENDING, lease_until__lte=now),
            Q(destination__paused_until__isnull=True) | Q(destination__paused_until__lte=now),
            ~Exists(earlier),
            destination__active=True,
        )
        .select_related("destination")
        .order_by("version__at", "pk")
    )


def waiting_to_be_woken() -> list[int]:
    """What a sweep wakes: a few for each destination, and one only for a destination that fails."""
    chosen: list[int] = []
    counts: dict[int, int] = {}
    for delivery in due().only("pk", "destination__failures")[: 50 * PER_DESTINATION]:
        allowed = 1 if delivery.destination.failures else PER_DESTINATION
        if counts.get(delivery.destination_id, 0) < allowed:
            counts[delivery.destination_id] = counts.get(delivery.destination_id, 0) + 1
            chosen.append(delivery.pk)
    return chosen


def send(*, delivery_id: int) -> int | None:
    """Send one delivery if it may be sent now and nobody else does.

    Returns:
        The id of another delivery that the same destination may get now; None when this one was not
        sent, or nothing else waits.
    """
    delivery = _take(delivery_id)
    if delivery is None:
        return None
    try:
        acknowledgement = transports.deliver(delivery)
    except NotSent as error:
        _failed(delivery, error)
        return None
    _succeeded(delivery, acknowledgement)
    following = due().filter(destination_id=delivery.destination_id).values_list("pk", flat=True).first()
    return following


def _take(delivery_id: int) -> ReportDelivery | None:
    now = timezone.now()
    delivery = due(now).filter(pk=delivery_id).first()
    if delivery is None:
        return None
    free = Q(state__in=DUE, next_attempt_at__lte=now) | Q(lease_until__lte=now)
    try:
        DELIVERY.apply(
            delivery,
            "take",
            expected={"lease": delivery.lease},
            guard=free,
            lease=uuid.uuid4().hex,
            lease_until=now + LEASE,
            attempts=F("attempts") + 1,
        )
    except LostRace:
        return None
    return ReportDelivery.objects.select_related(
        "destination__node", "version__by", "version__report__study__patient", "version__report__study__order"
    ).get(pk=delivery_id)


def _succeeded(delivery: ReportDelivery, acknowledgement: str) -> None:
    now = timezone.now()
    destination = delivery.destination
    with transaction.atomic():
        try:
            DELIVERY.apply(
                delivery,
                "succeed",
                expected={"lease": delivery.lease},
                acknowledgement=acknowledgement[:200],
                error="",
                sent_at=now,
                lease="",
                lease_until=None,
            )
        except (LostRace, IllegalTransition):
            # Our lease ran out while the peer answered; whoever took over writes the end of it.
            log.warning("report_delivery_lease_lost", delivery=delivery.pk)
            return
        Destination.objects.filter(pk=destination.pk).update(
            failures=0, failing_since=None, paused_until=None, error="", last_sent_at=now
        )
        study = delivery.version.report.study
        audit.record(
            audit.Kind.EXPORT,
            action="E",
            peer=transports.address_of(destination),
            study_instance_uid=study.study_instance_uid,
            patient_id=study.patient.patient_id,
            detail={
                "what": "report sent",
                "report": delivery.version.report_id,
                "version": delivery.version.version,
                "destination": destination.name,
                "delivery": delivery.pk,
            },
        )
        _tell(delivery)


def _failed(delivery: ReportDelivery, error: NotSent) -> None:
    """Write down why, and when to try again; what can never succeed, or failed too often, is given up."""
    now = timezone.now()
    said = str(error)[:ERROR_LENGTH]
    gives_up = isinstance(error, Refused) or delivery.attempts >= MAXIMUM_ATTEMPTS
    with transaction.atomic():
        try:
            DELIVERY.apply(
                delivery,
                "give_up" if gives_up else "fail",
                expected={"lease": delivery.lease},
                error=said,
                next_attempt_at=now + pause_after(delivery.attempts),
                lease="",
                lease_until=None,
            )
        except (LostRace, IllegalTransition):
            log.warning("report_delivery_lease_lost", delivery=delivery.pk)
            return
        if isinstance(error, Unreachable):
            destination = Destination.objects.select_for_update().get(pk=delivery.destination_id)
            destination.failures += 1
            destination.failing_since = destination.failing_since or now
            destination.paused_until = now + pause_after(destination.failures)
            destination.error = said
            destination.save(
                update_fields=["failures", "failing_since", "paused_until", "error", "updated_at"]
            )
        _tell(delivery)
    log.warning("report_not_delivered", delivery=delivery.pk, given_up=gives_up, error=type(error).__name__)


def _tell(delivery: ReportDelivery) -> None:
    announce(Topic.REPORTS, delivery.version.report_id, delivery.version.report.version)
