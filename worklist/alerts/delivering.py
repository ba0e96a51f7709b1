"""Sending an alert's messages: one at a time, by whoever takes its lease first.

A worker that dies leaves a lease that runs out; the message then goes again with the same key and link.
Alerts are urgent: a channel that does not answer is tried for less than a minute, then the message counts
as failed, and an alert of which nothing arrived goes on at once.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from foundation.transitions import IllegalTransition, LostRace
from foundation.webhooks import NotSent, Refused
from worklist.alerts.channels import health, links, senders
from worklist.alerts.channels.wording import Words
from worklist.alerts.models import OPEN_ALERT_STATES, Alert, Delivery, DeliveryState
from worklist.alerts.states import DELIVERY
from worklist.alerts.telling import log_step
from worklist.live.messages import Topic
from worklist.live.services import announce

log = structlog.get_logger(__name__)

# Longer than the task may live (tasks.py): nobody sends any more when it has run out.
LEASE: Final = timedelta(seconds=60)
PAUSES: Final = (timedelta(seconds=3), timedelta(seconds=9), timedelta(seconds=20))
MAXIMUM_ATTEMPTS: Final = len(PAUSES) + 1
WOKEN_AT_ONCE: Final = 200
ERROR_LENGTH: Final = 300
# One address of the site: whatever it answers wrongly concerns the channel, not one recipient.
WHOLE_SITE: Final = ("webhook", "sms")


def due(now: datetime | None = None) -> QuerySet[Delivery]:
    """Messages that may be sent now, oldest first."""
    now = now or timezone.now()
    free = Q(state=DeliveryState.WAITING, next_attempt_at__lte=now)
    return Delivery.objects.filter(free | Q(state=DeliveryState.SENDING, lease_until__lte=now)).order_by("pk")


def waiting_to_be_woken() -> list[int]:
    """What a sweep wakes."""
    return list(due().values_list("pk", flat=True)[:WOKEN_AT_ONCE])


def send(*, delivery_id: int) -> None:
    """Send one message if it may be sent now and nobody else does."""
    delivery = _take(delivery_id)
    if delivery is None:
        return
    if delivery.alert.state not in OPEN_ALERT_STATES:
        _end(delivery, "withdraw")
        return
    words = Words(
        key=f"alert-{delivery.alert_id}-{delivery.pk}",
        alert=delivery.alert_id,
        round=delivery.round,
        raised_at=delivery.alert.raised_at,
        deadline_at=delivery.alert.deadline_at,
        link=links.link_for(delivery),
    )
    try:
        said = senders.hand_over(delivery, words)
    except NotSent as error:
        _failed(delivery, error)
        return
    health.works(delivery.channel)
    _end(delivery, "succeed", outcome=f"sent: {said}", error="", sent_at=timezone.now())


def _take(delivery_id: int) -> Delivery | None:
    now = timezone.now()
    delivery = due(now).filter(pk=delivery_id).first()
    if delivery is None:
        return None
    free = Q(state=DeliveryState.WAITING, next_attempt_at__lte=now) | Q(lease_until__lte=now)
    try:
        DELIVERY.apply(
            delivery,
            "take",
            expected={"attempts": delivery.attempts},
            guard=free,
            lease_until=now + LEASE,
            attempts=F("attempts") + 1,
        )
    except LostRace:
        return None
    return Delivery.objects.select_related("alert", "user").get(pk=delivery_id)


def _failed(delivery: Delivery, error: NotSent) -> None:
    said = str(error)[:ERROR_LENGTH]
    of_the_channel = not isinstance(error, Refused) or isinstance(error, senders.NotSetUp)
    if of_the_channel or delivery.channel in WHOLE_SITE:
        health.fails(delivery.channel, said)
    gives_up = isinstance(error, Refused) or delivery.attempts >= MAXIMUM_ATTEMPTS
    if gives_up:
        _end(delivery, "give_up", outcome=f"given up: {said}", error=said)
    else:
        pause = PAUSES[min(delivery.attempts, len(PAUSES)) - 1]
        _end(delivery, "fail", error=said, next_attempt_at=timezone.now() + pause)
    log.warning(
        "alert_message_not_sent",
        delivery=delivery.pk,
        channel=delivery.channel,
        given_up=gives_up,
        error=type(error).__name__,
    )


def _end(delivery: Delivery, event: str, outcome: str = "", **values: Any) -> None:
    """Write how the attempt ended, unless somebody else took over meanwhile."""
    with transaction.atomic():
        try:
            DELIVERY.apply(
                delivery,
                event,
                expected={"attempts": delivery.attempts},
                lease_until=None,
                **values,
            )
        except (LostRace, IllegalTransition):
            log.warning("alert_message_lease_lost", delivery=delivery.pk)
            return
        if outcome:
            log_step(delivery.alert, who=delivery.label, channel=delivery.channel, outcome=outcome)
        Alert.objects.filter(pk=delivery.alert_id).update(version=F("version") + 1)
        version = Alert.objects.values_list("version", flat=True).get(pk=delivery.alert_id)
        announce(Topic.ALERTS, delivery.alert_id, version)
