"""A person answers an alert, hands it on, or says that the patient is being treated."""

from __future__ import annotations

import contextlib

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone

from foundation.accounts.models import Role, User
from foundation.audit import services as audit
from foundation.events import AlertAcknowledged, publish
from foundation.transitions import IllegalTransition, LostRace
from worklist.alerts import policy
from worklist.alerts.models import Alert, AlertState, DeliveryState
from worklist.alerts.services.escalating import go_on, hand_to
from worklist.alerts.states import ALERT, DELIVERY
from worklist.alerts.telling import PAGE, log_step
from worklist.live.messages import Topic
from worklist.live.services import announce

NOT_MY_PATIENT = "not my patient"
OUTCOME_LENGTH = 200


def acknowledge(
    *,
    alert_id: int,
    user: User | None,
    name: str,
    read_back: str,
    request: HttpRequest | None = None,
    channel: str = PAGE,
) -> Alert:
    """A named person takes responsibility and repeats what they were told.

    Acknowledging twice is harmless: the first acknowledgement stands and is returned.

    Args:
        alert_id: the alert.
        user: who is signed in, or whom the answer link was sent to.
        name: the person who answers; a shared workstation may be signed in as somebody else.
        read_back: the result in their words.
        request: for the audit trail.
        channel: page or link.

    Raises:
        ValidationError: no name or nothing read back.
    """
    name, read_back = name.strip(), read_back.strip()
    if not name or not read_back:
        raise ValidationError("Say who answers, and repeat the result in your own words.")
    while True:
        alert = Alert.objects.select_related("study__patient").get(pk=alert_id)
        if alert.state == AlertState.ACKNOWLEDGED:
            return alert
        try:
            with transaction.atomic():
                ALERT.apply(
                    alert,
                    "acknowledge",
                    acknowledged_by=user,
                    acknowledged_name=name,
                    acknowledged_at=policy.answered_at(alert.raised_at, timezone.now()),
                    read_back=read_back,
                )
                log_step(alert, who=name, channel=channel, outcome="acknowledged, result read back")
                _withdraw(alert)
                _audit(alert, user, request, "critical result acknowledged")
                announce(Topic.ALERTS, alert.pk, alert.version)
                publish(AlertAcknowledged(alert_id=alert.pk))
            return alert
        except LostRace:
            continue  # escalated or acknowledged meanwhile: look again


def decline(
    *,
    alert_id: int,
    user: User | None,
    reason: str,
    to: User | None = None,
    request: HttpRequest | None = None,
    channel: str = PAGE,
) -> Alert:
    """`user` says that this is not their patient: the next rung is told at once, or whom they name.

    A named person is told by every channel, and the next rung at its deadline as always; somebody who
    cannot be reached now is no answer, then the next rung is told at once too. Saying it twice is
    harmless: one person takes an alert one rung further.

    Args:
        to: whose patient it is.

    Raises:
        ValidationError: no reason, or `to` may not answer alerts.
        IllegalTransition: the alert is answered.
    """
    reason = reason.strip()
    if not reason:
        raise ValidationError("Say why this is not your patient, so that the next one knows.")
    if to is not None and ((user and to.pk == user.pk) or not to.has_role(Role.ER_STAFF, Role.RADIOLOGIST)):
        raise ValidationError("Name somebody else of the ER or a radiologist; others cannot answer alerts.")
    while True:
        alert = Alert.objects.select_related("study__patient").get(pk=alert_id)
        if alert.state == AlertState.ACKNOWLEDGED:
            raise IllegalTransition(f"{alert.acknowledged_name} has answered this alert.")
        said = f"{NOT_MY_PATIENT}: {reason}"[:OUTCOME_LENGTH]
        if user and alert.steps.filter(user=user, outcome__startswith=NOT_MY_PATIENT).exists():
            return alert
        try:
            with transaction.atomic():
                log_step(alert, who=str(user or "by link"), channel=channel, outcome=said, user=user)
                if to is None or not hand_to(alert, to, by=str(user or "a link")):
                    go_on(alert)
                _audit(alert, user, request, NOT_MY_PATIENT)
            return alert
        except LostRace:
            continue


def being_treated(*, alert_id: int, user: User, name: str, request: HttpRequest | None = None) -> Alert:
    """Somebody says that the patient of an answered alert is being treated; the first word stands.

    Raises:
        ValidationError: no name.
        IllegalTransition: nobody has answered yet. Treating is no answer: it names no result.
    """
    name = name.strip()
    if not name:
        raise ValidationError("Say who treats the patient.")
    with transaction.atomic():
        alert = (
            Alert.objects.select_for_update(of=("self",)).select_related("study__patient").get(pk=alert_id)
        )
        if alert.state != AlertState.ACKNOWLEDGED:
            raise IllegalTransition("Answer the alert first: say who you are and repeat the result.")
        if alert.being_treated_at is None:
            Alert.objects.filter(pk=alert.pk).update(
                being_treated_at=policy.answered_at(alert.raised_at, timezone.now()),
                being_treated_by=name,
                version=F("version") + 1,
            )
            alert.refresh_from_db()
            log_step(alert, who=name, channel=PAGE, outcome="says that the patient is being treated")
            _audit(alert, user, request, "patient is being treated")
            announce(Topic.ALERTS, alert.pk, alert.version)
    return alert


def _withdraw(alert: Alert) -> None:
    """What waits to be sent for an answered alert is needed by nobody any more."""
    for delivery in alert.deliveries.filter(state=DeliveryState.WAITING):
        with contextlib.suppress(LostRace):  # a worker took it this moment, and looks itself
            DELIVERY.apply(delivery, "withdraw")


def _audit(alert: Alert, user: User | None, request: HttpRequest | None, what: str) -> None:
    audit.record(
        audit.Kind.PATIENT_RECORD,
        action="U",
        user=user,
        request=request,
        study_instance_uid=alert.study.study_instance_uid,
        patient_id=alert.study.patient.patient_id,
        detail={"what": what, "alert": alert.pk, "rung": alert.rung},
    )
