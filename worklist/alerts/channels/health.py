"""Whether each channel works, written by whoever sends, for the ER page and /healthz."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from worklist.alerts.models import ChannelHealth


def works(channel: str) -> None:
    """A message was taken."""
    now = timezone.now()
    ChannelHealth.objects.update_or_create(
        channel=channel,
        defaults={"failing_since": None, "error": "", "last_ok_at": now, "checked_at": now},
    )


def fails(channel: str, error: str) -> None:
    """A message was not taken, and that is the channel's fault."""
    now = timezone.now()
    row, _ = ChannelHealth.objects.get_or_create(
        channel=channel, defaults={"checked_at": now, "failing_since": now}
    )
    ChannelHealth.objects.filter(pk=row.pk, failing_since__isnull=True).update(failing_since=now)
    ChannelHealth.objects.filter(pk=row.pk).update(error=error[:300], checked_at=now)


def states() -> list[dict[str, Any]]:
    """Every channel that was ever used, by name."""
    return [
        {
            "channel": row.channel,
            "ok": row.failing_since is None,
            "failing_since": row.failing_since,
            "error": row.error,
            "last_ok_at": row.last_ok_at,
        }
        for row in ChannelHealth.objects.order_by("channel")
    ]
