"""Which study a reader is offered next, and why in words.

In this order, each part by deadline:

1. what is overdue or due within half an hour, whoever it is assigned to once it is overdue;
2. what is assigned to the reader;
3. the rest.

Skipped are studies on hold, those the reader declined lately, and those assigned to somebody else that
are not overdue. Nothing is skipped for good: a hold ends by the deadline, an assignment counts until it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from foundation.accounts.models import User
from foundation.transitions import IllegalTransition
from worklist.queue.claims import NotYours, claim
from worklist.queue.declining import declined_items
from worklist.queue.holding import held_now
from worklist.queue.models import ItemState, WorklistItem
from worklist.queue.priority import PRIORITY_WORDS, in_words

SOON = timedelta(minutes=30)
CANDIDATES = 20
ATTEMPTS = 10


@dataclass(frozen=True)
class Offer:
    """A study that is the reader's now, and why this one; or None and why there is none."""

    item: WorklistItem | None
    why: str


def claim_next(*, user: User) -> Offer:
    """Claim what `user` should read next. Whoever loses a race for one goes on to the next."""
    for _ in range(ATTEMPTS):
        now = timezone.now()
        ids = list(_candidates(user, now))
        if not ids:
            return Offer(None, _nothing(user, now))
        for item_id in ids:
            seen = WorklistItem.objects.select_related("assigned_to", "assigned_by").get(pk=item_id)
            try:
                with transaction.atomic():
                    item = claim(item_id=item_id, user=user)
            except (NotYours, IllegalTransition):
                continue
            return Offer(item, _why(seen, user, now))
    return Offer(None, "Others were faster each time. Try again.")


def _candidates(user: User, now: datetime) -> Iterator[int]:
    """The first of each part; a study that stands in two parts comes twice, which does no harm."""
    offered = _free(now).exclude(held_now(now)).exclude(pk__in=list(declined_items(user, now)))
    own = Q(assigned_to__isnull=True) | Q(assigned_to=user)
    parts = (
        offered.filter(Q(due_at__lte=now) | Q(due_at__lte=now + SOON) & own),
        offered.filter(assigned_to=user),
        offered.filter(assigned_to__isnull=True),
    )
    for part in parts:
        yield from part.order_by("due_at", "arrived_at", "pk").values_list("pk", flat=True)[:CANDIDATES]


def _free(now: datetime) -> QuerySet[WorklistItem]:
    return WorklistItem.objects.filter(
        Q(state=ItemState.OPEN) | Q(state=ItemState.CLAIMED, claim_expires_at__lte=now)
    )


def _why(item: WorklistItem, user: User, now: datetime) -> str:
    minutes = (item.due_at - now).total_seconds() / 60
    due = f"due in {in_words(minutes)}" if minutes >= 1 else f"overdue by {in_words(max(1, -minutes))}"
    text = f"{PRIORITY_WORDS[item.priority_class]}, {due}"
    if item.assigned_to_id == user.pk:
        own = item.assigned_by_id == user.pk
        text += ", taken on by you" if own else f", assigned to you by {item.assigned_by or 'somebody'}"
    elif item.assigned_to is not None:
        text += f", assigned to {item.assigned_to} who has not begun"
    else:
        text += ", the first that is free"
    skipped = _skipped(user, now, before=item)
    return f"{text}. Skipped before it: {skipped}." if skipped else f"{text}."


def _nothing(user: User, now: datetime) -> str:
    skipped = _skipped(user, now)
    if skipped:
        return f"No study is free for you. Waiting, but not offered: {skipped}."
    return "No study is free. New ones show by themselves."


def _skipped(user: User, now: datetime, *, before: WorklistItem | None = None) -> str:
    """How many free studies were passed over, and for what: "2 on hold, 1 that you declined"."""
    free = _free(now) if before is None else _free(now).filter(due_at__lt=before.due_at)
    declined = Q(pk__in=list(declined_items(user, now)))
    others = Q(assigned_to__isnull=False, due_at__gt=now) & ~Q(assigned_to=user)
    counts = free.aggregate(
        held=Count("pk", filter=held_now(now)),
        declined=Count("pk", filter=declined & ~held_now(now)),
        others=Count("pk", filter=others & ~declined & ~held_now(now)),
    )
    parts = [
        f"{counts['held']} on hold" if counts["held"] else "",
        f"{counts['declined']} that you declined" if counts["declined"] else "",
        f"{counts['others']} assigned to others" if counts["others"] else "",
    ]
    return ", ".join(part for part in parts if part)
