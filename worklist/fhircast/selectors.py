"""What stands on a desk."""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils import timezone

from pacs.models import Study
from pacs.selectors import studies_visible_to
from worklist.fhircast.models import Desk, Subscription


def applications(desk: Desk) -> QuerySet[Subscription]:
    """Subscriptions that hold, the oldest first."""
    now = timezone.now()
    return desk.subscriptions.filter(ended_at__isnull=True, lease_until__gt=now).order_by("pk")


def open_study(desk: Desk) -> Study | None:
    """The study that is open, if its reader may still see it."""
    if desk.study_id is None:
        return None
    found: Study | None = (
        studies_visible_to(desk.user).select_related("patient").filter(pk=desk.study_id).first()
    )
    return found
