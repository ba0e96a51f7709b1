"""Spans in which nobody is on duty: a pure rule."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

Span = tuple[datetime, datetime]


def uncovered(
    shifts: Iterable[Span], *, start: datetime, end: datetime, kept_within: timedelta
) -> list[Span]:
    """Spans between `start` and `end` that no shift covers although a calendar is kept, in order.

    A calendar is kept at a moment when a shift stands within `kept_within` before or after it, as in
    worklist.rota.selectors.covered: without a calendar nobody is missed.
    """
    standing = _joined(shifts)
    kept = _joined((first - kept_within, last + kept_within) for first, last in standing)
    missing: list[Span] = []
    for first, last in kept:
        begin, stop = max(first, start), min(last, end)
        for shift_start, shift_end in standing:
            if shift_end <= begin or shift_start >= stop:
                continue
            if shift_start > begin:
                missing.append((begin, shift_start))
            begin = max(begin, shift_end)
        if begin < stop:
            missing.append((begin, stop))
    return missing


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Spans in order, those that touch made one."""
    joined: list[Span] = []
    for first, last in sorted(spans):
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined
