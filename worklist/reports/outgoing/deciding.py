"""What people decide on deliveries that did not arrive: try again, or let it be, with a reason."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from foundation.accounts.models import User
from foundation.audit import services as audit
from foundation.transitions import LostRace
from worklist.live.messages import Topic
from worklist.live.services import announce
from worklist.reports.outgoing.models import DeliveryState, Destination, ReportDelivery
from worklist.reports.outgoing.states import DELIVERY

RETRIED_AT_ONCE = 500


def retry(*, delivery: ReportDelivery, by: User, request: HttpRequest | None = None) -> ReportDelivery:
    """Begin again, with all attempts; its destination is tried at once.

    Raises:
        IllegalTransition: it is on its way or has arrived.
        LostRace: somebody was faster.
    """
    with transaction.atomic():
        DELIVERY.apply(
            delivery,
            "retry",
            attempts=0,
            next_attempt_at=timezone.now(),
            error="",
            decided_by=by,
        )
        Destination.objects.filter(pk=delivery.destination_id).update(paused_until=None)
        _tell(delivery, "report delivery tried again", by, request)
    return delivery


def retry_all(
    *, by: User, destination_id: int | None = None, request: HttpRequest | None = None
) -> list[int]:
    """Begin again with everything that was given up; returns the ids, at most 500 at once."""
    dead = ReportDelivery.objects.filter(state=DeliveryState.DEAD).select_related("version__report__study")
    if destination_id is not None:
        dead = dead.filter(destination_id=destination_id)
    begun = []
    for delivery in dead.order_by("version__at", "pk")[:RETRIED_AT_ONCE]:
        try:
            retry(delivery=delivery, by=by, request=request)
        except LostRace:
            continue
        begun.append(delivery.pk)
    return begun


def discard(
    *, delivery: ReportDelivery, reason: str, by: User, request: HttpRequest | None = None
) -> ReportDelivery:
    """Let it be: this version will not reach this destination; later ones go on.

    Raises:
        ValidationError: no reason.
        IllegalTransition: it is on its way or has arrived.
        LostRace: somebody was faster.
    """
    reason = reason.strip()
    if not reason:
        raise ValidationError("Say why this report need not arrive there.")
    with transaction.atomic():
        DELIVERY.apply(delivery, "discard", reason=reason[:300], decided_by=by)
        _tell(delivery, "report delivery discarded", by, request)
    return delivery


def _tell(delivery: ReportDelivery, what: str, by: User, request: HttpRequest | None) -> None:
    version = delivery.version
    study = version.report.study
    audit.record(
        audit.Kind.PATIENT_RECORD,
        action="U",
        user=by,
        request=request,
        study_instance_uid=study.study_instance_uid,
        patient_id=study.patient.patient_id,
        detail={
            "what": what,
            "report": version.report_id,
            "version": version.version,
            "destination": delivery.destination.name,
            "delivery": delivery.pk,
        },
    )
    announce(Topic.REPORTS, version.report_id, version.report.version)
