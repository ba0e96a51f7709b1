"""The pushed-back ledger: which promotion put which study behind another, and what that cost in minutes.

A promotion is what puts a study before the place that its order alone gives it: an AI finding, a patient's
age, a reader who raised it. The arrival of an order is none, and neither is a change of the policy, which
moves all studies at once. A promotion passes the studies that nobody was reading and that stood between
the old place and the new one.

What it cost a passed study is the time for which the promoted one was then read while the passed one went
on waiting:

    minutes = overlap of [claim of the promoted, its signature] with [promotion, claim of the passed]

It is known when the promoted study is signed, or the passed one before it. Several readers read at once, so
the minutes are the most that the promotion can have cost, not the least.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from pacs.models import Order
from worklist.queue.models import UNREAD_STATES, ItemState, Overtaking, WorklistItem
from worklist.queue.priority import OrderUrgency, Policy, rank

log = structlog.get_logger(__name__)

MOST_PASSED = 2000
"""Studies that one promotion is written against: those right behind its new place."""
BATCH = 500


def record(*, item: WorklistItem, stood_at: datetime | None, cause: str, policy: Policy) -> int:
    """Write whom `item` passed when it moved from `stood_at` to its present deadline; returns how many rows.

    Idempotent: one row for each pair, the first one stays. Part of the caller's transaction.

    Args:
        item: as it stands now, locked by the caller.
        stood_at: the deadline it had before; None when it only now came onto the list.
        cause: as in the history of the rank.
        policy: the one that made the present deadline.
    """
    now = timezone.now()
    before = item.due_without_ai_at if stood_at is None else stood_at
    if item.due_at >= before or item.state == ItemState.SIGNED or _being_read(item, now):
        return 0
    before = min(before, _own_place(item, policy))
    if item.due_at >= before:
        return 0
    passed = list(
        _between(item, before)
        .filter(_free(now))
        .order_by("due_at", "arrived_at", "pk")
        .values_list("pk", "priority_class")[: MOST_PASSED + 1]
    )
    if len(passed) > MOST_PASSED:
        log.warning("ledger_cut_short", item_id=item.pk, written=MOST_PASSED)
    rows = [
        Overtaking(passed_id=pk, promoted_id=item.pk, at=now, cause=cause[:64], passed_class=priority_class)
        for pk, priority_class in passed[:MOST_PASSED]
    ]
    Overtaking.objects.bulk_create(rows, batch_size=BATCH, ignore_conflicts=True)
    return len(rows)


def settle(*, item: WorklistItem, read_from: datetime | None, at: datetime) -> int:
    """`item` is signed: what it cost those it passed, and what those before it cost it, is known now.

    Args:
        item: signed.
        read_from: since when its reader read it; None when nobody knows.
        at: when it was signed.

    Returns how many rows. Twice is harmless. Part of the caller's transaction.
    """
    open_rows = Overtaking.objects.filter(settled_at__isnull=True)
    known: dict[float, list[int]] = defaultdict(list)
    for row in open_rows.filter(promoted_id=item.pk).select_related("passed"):
        waited_until = _read_from(row.passed, at)
        known[overlap_minutes(row.at, waited_until, read_from or at, at)].append(row.pk)
    for row in open_rows.filter(passed_id=item.pk).select_related("promoted"):
        begun = _read_from(row.promoted, at)
        ended = row.promoted.signed_at or at
        known[overlap_minutes(row.at, read_from or at, begun or at, min(ended, at))].append(row.pk)
    now = timezone.now()
    return sum(
        open_rows.filter(pk__in=pks[start : start + BATCH]).update(minutes=minutes, settled_at=now)
        for minutes, pks in known.items()
        for start in range(0, len(pks), BATCH)
    )


def settle_lost(limit: int = 200) -> int:
    """Settle what no signature settled: rows written while one of the two was being signed."""
    lost = Overtaking.objects.filter(settled_at__isnull=True)
    signed = list(
        WorklistItem.objects.filter(
            Q(pk__in=lost.values("promoted_id")) | Q(pk__in=lost.values("passed_id")),
            state=ItemState.SIGNED,
            signed_at__isnull=False,
        ).order_by("signed_at")[:limit]
    )
    for item in signed:
        assert item.signed_at is not None
        with transaction.atomic():
            settle(item=item, read_from=item.first_opened_at, at=item.signed_at)
    return len(signed)


def overlap_minutes(
    waits_from: datetime, waits_until: datetime | None, read_from: datetime, read_until: datetime
) -> float:
    """Minutes for which one study waited while another was read; `waits_until` None: it still waits."""
    end = read_until if waits_until is None else min(waits_until, read_until)
    return max(0.0, round((end - max(waits_from, read_from)).total_seconds() / 60, 2))


def places_before(item: WorklistItem, due_at: datetime) -> Q:
    """Items that stand before the place (`due_at`, arrival, number) of `item` in the order of the list."""
    tie = Q(due_at=due_at) & (
        Q(arrived_at__lt=item.arrived_at) | Q(arrived_at=item.arrived_at, pk__lt=item.pk)
    )
    return Q(due_at__lt=due_at) | tie


def _between(item: WorklistItem, before: datetime) -> QuerySet[WorklistItem]:
    # The outer bounds say nothing new; they let the index find the stretch of the list.
    stretch = WorklistItem.objects.filter(
        state__in=UNREAD_STATES, due_at__gte=item.due_at, due_at__lte=before
    )
    old_place, new_place = places_before(item, before), places_before(item, item.due_at)
    return stretch.filter(old_place).exclude(new_place).exclude(pk=item.pk)


def _own_place(item: WorklistItem, policy: Policy) -> datetime:
    """The deadline by the order alone, whatever AI or a reader said."""
    order = Order.objects.filter(study_id=item.study_id).first()
    urgency = OrderUrgency(order.priority, order.location_class) if order else None
    return rank(arrived_at=item.arrived_at, order=urgency, policy=policy).due_without_ai


def _free(now: datetime) -> Q:
    return Q(state=ItemState.OPEN) | Q(claim_expires_at__lte=now)


def _being_read(item: WorklistItem, at: datetime) -> bool:
    lease = item.claim_expires_at
    return item.state == ItemState.CLAIMED and lease is not None and lease > at


def _read_from(item: WorklistItem, at: datetime) -> datetime | None:
    """Since when `item` was read, as far as rows tell; None while it waits."""
    if item.state == ItemState.SIGNED:
        return item.first_opened_at or item.signed_at
    return item.claimed_at if _being_read(item, at) else None
