"""Links that answer one alert once. The link is signed, says nothing of a patient, and is not stored."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.utils import timezone

from foundation.accounts.services import digest_of
from worklist.alerts.models import AnswerLink, Delivery

VALID_FOR: Final = timedelta(hours=24)


def link_for(delivery: Delivery) -> str:
    """The link of this message, the same at every attempt."""
    token = _token(delivery)
    AnswerLink.objects.get_or_create(
        digest=digest_of(token),
        defaults={
            "alert_id": delivery.alert_id,
            "user": delivery.user,
            "label": delivery.label,
            "expires_at": timezone.now() + VALID_FOR,
        },
    )
    return f"{settings.PUBLIC_URL}/a/{token}"


def find(token: str) -> AnswerLink | None:
    """The link with this token; None when there is none."""
    return AnswerLink.objects.filter(digest=digest_of(token)).select_related("alert", "user").first()


def _token(delivery: Delivery) -> str:
    """HMAC of the delivery with the site's key: nobody without the key can make one."""
    said = f"answer link\0{delivery.pk}\0{delivery.alert_id}\0{delivery.created_at.isoformat()}"
    made = hmac.new(settings.SECRET_KEY.encode(), said.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()
