"""Answers by link: one link answers once, and only the alert it was made for."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from worklist.alerts import services
from worklist.alerts.models import Alert, AnswerLink

CHANNEL = "link"


class UsedUp(Exception):
    """The link was used before, or is too old."""


def acknowledge_by_link(
    *, link: AnswerLink, name: str, read_back: str, request: HttpRequest | None = None
) -> Alert:
    """As services.acknowledge, by whom the link was sent to.

    Raises:
        UsedUp: see there.
        ValidationError: no name or nothing read back; the link stays good.
    """
    with transaction.atomic():
        _use(link)
        return services.acknowledge(
            alert_id=link.alert_id,
            user=link.user,
            name=name,
            read_back=read_back,
            request=request,
            channel=CHANNEL,
        )


def decline_by_link(*, link: AnswerLink, reason: str, request: HttpRequest | None = None) -> Alert:
    """As services.decline.

    Raises:
        UsedUp: see there.
        ValidationError: no reason; the link stays good.
        IllegalTransition: the alert is answered.
    """
    with transaction.atomic():
        _use(link)
        return services.decline(
            alert_id=link.alert_id, user=link.user, reason=reason, request=request, channel=CHANNEL
        )


def _use(link: AnswerLink) -> None:
    now = timezone.now()
    fresh = AnswerLink.objects.filter(pk=link.pk, used_at__isnull=True, expires_at__gt=now)
    if not fresh.update(used_at=now):
        raise UsedUp
