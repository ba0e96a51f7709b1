"""What changed since, and who is connected."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Max, Min, Q
from django.utils import timezone

from worklist.live.messages import Changed, Topic
from worklist.live.models import Change, Presence

# A change gets its number when its transaction writes it and shows when that commits, so a lower number
# may show after a higher one. Answers therefore reach back by more than any transaction lasts.
OVERLAP = timedelta(seconds=30)
LONGEST_ANSWER = 500
PRESENCE_SILENCE = timedelta(seconds=150)


def latest_seq() -> int:
    """Number of the latest change, 0 before the first."""
    return Change.objects.aggregate(latest=Max("pk"))["latest"] or 0


def changes_since(seq: int) -> list[Changed] | None:
    """All changes a client may have missed whose last one was `seq`, the latest per row, in order.

    Returns None when that cannot be told any more: the client must read everything anew. A few
    changes may be told twice; the version makes that harmless.
    """
    bounds = Change.objects.aggregate(first=Min("pk"), latest=Max("pk"))
    first, latest = bounds["first"] or 0, bounds["latest"] or 0
    if seq > latest or seq < first - 1:
        return None
    missed = Q(pk__gt=seq)
    seen = Change.objects.filter(pk__lte=seq).order_by("-pk").first()
    if seen is not None:
        missed |= Q(at__gte=seen.at - OVERLAP)
    rows = list(Change.objects.filter(missed).exclude(pk=seq).order_by("pk")[: LONGEST_ANSWER + 1])
    if len(rows) > LONGEST_ANSWER:
        return None
    newest = {(row.topic, row.key): row for row in rows}
    return [
        Changed(topic=Topic(row.topic), key=row.key, version=row.version, seq=row.pk)
        for row in sorted(newest.values(), key=lambda row: row.pk)
    ]


def connected_user_ids() -> set[int]:
    """Users with an open page that showed itself lately."""
    since = timezone.now() - PRESENCE_SILENCE
    return set(Presence.objects.filter(seen_at__gte=since).values_list("user_id", flat=True))
