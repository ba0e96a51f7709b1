"""Reading destinations and deliveries."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from foundation.accounts.models import Role, User
from worklist.reports.outgoing.models import SETTLED, DeliveryState, Destination, ReportDelivery
from worklist.reports.selectors import reports_visible_to


def deliveries_visible_to(user: User) -> QuerySet[ReportDelivery]:
    """Administrators see that something goes somewhere, readers see it of the reports they may read.

    Each row says in `blocked` whether it waits for an earlier version.
    """
    earlier = ReportDelivery.objects.filter(
        destination=OuterRef("destination"),
        version__report=OuterRef("version__report"),
        version__version__lt=OuterRef("version__version"),
    ).exclude(state__in=SETTLED)
    rows = ReportDelivery.objects.select_related(
        "destination__node", "version__by", "version__report__study__patient", "decided_by"
    ).annotate(blocked=Exists(earlier))
    if user.has_role(Role.PACS_ADMINISTRATOR):
        return rows
    return rows.filter(version__report__in=reports_visible_to(user))


def may_read(delivery: ReportDelivery, user: User) -> bool:
    """Whether somebody may see what is sent, not only that it is."""
    return reports_visible_to(user).filter(pk=delivery.version.report_id).exists()


def destinations() -> QuerySet[Destination]:
    """All, by name, each with how many deliveries wait and were given up."""
    on_the_way = Q(deliveries__state__in=[DeliveryState.WAITING, DeliveryState.FAILED, DeliveryState.SENDING])
    return (
        Destination.objects.select_related("node")
        .annotate(
            waiting=Count("deliveries", filter=on_the_way),
            dead=Count("deliveries", filter=Q(deliveries__state=DeliveryState.DEAD)),
        )
        .order_by("name")
    )


def troubles() -> list[dict[str, Any]]:
    """Destinations that do not answer or have given up on something, for health and banner; no patient data."""
    found = destinations().filter(Q(failing_since__isnull=False, active=True) | Q(dead__gt=0))
    return [
        {
            "name": one.name,
            "failing_since": one.failing_since if one.active else None,
            "error": one.error,
            "waiting": one.waiting,  # type: ignore[attr-defined]
            "dead": one.dead,  # type: ignore[attr-defined]
        }
        for one in found
    ]
