"""How often a model's flags were right at this site, from its signed and reviewed studies."""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt
from typing import Any

from django.db.models import Count, Q

from worklist.quality.models import Review

Z_95 = 1.959964


def local_ppv(model_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """`{value, low, high, flags, true_flags}` by model id, with Wilson's 95 % interval; one query.

    True is what QA adjudicated, otherwise what the reader signed; uncertain cases count for nothing.
    Models without a flag are left out.
    """
    ids = set(model_ids)
    if not ids:
        return {}
    true = Q(verdict="positive") | Q(verdict="", reader_result="positive")
    false = Q(verdict="negative") | Q(verdict="", reader_result="negative")
    rows = (
        Review.objects.filter(run__model_id__in=ids, ai_result="positive")
        .values("run__model_id")
        .annotate(true_flags=Count("pk", filter=true), false_flags=Count("pk", filter=false))
    )
    return {
        row["run__model_id"]: _interval(row["true_flags"], row["true_flags"] + row["false_flags"])
        for row in rows
        if row["true_flags"] + row["false_flags"]
    }


def _interval(successes: int, number: int) -> dict[str, Any]:
    """Wilson 1927."""
    share = successes / number
    centre = (share + Z_95**2 / (2 * number)) / (1 + Z_95**2 / number)
    half = Z_95 * sqrt(share * (1 - share) / number + Z_95**2 / (4 * number**2)) / (1 + Z_95**2 / number)
    return {
        "value": share,
        "low": max(0.0, centre - half),
        "high": min(1.0, centre + half),
        "flags": number,
        "true_flags": successes,
    }
