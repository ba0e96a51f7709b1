"""Which study a reader is offered next, and why in words.

In this order, each part by deadline:

1. what is overdue or due within half an hour, whoever it is assigned to once it is overdue;
2. what is assigned to the reader;
3. the rest.

Skipped are studies on hold, those the reader declined lately, those assigned to somebody else that are not
overdue, those of groups that the reader does not read for, unless they were shared or assigned to the
reader, and those that the reader asked for or whose patient the reader may be. All of them stay on the
whole list, where anybody who may read can claim them; a hold ends by the deadline, an assignment counts
until it, a group's studies are shared when nobody of it is on duty. Who holds as many studies as one
reader may is offered none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from foundation.accounts.models import User
from foundation.transitions import IllegalTransition
from worklist.queue.claims import NotYours, claim
from worklist.queue.conflicts import involved
from worklist.queue.credentials import of_other_groups
from worklist.queue.declining import declined_items
from worklist.queue.holding import held_now
from worklist.queue.models import ItemState, WorklistItem
from worklist.queue.priority import PRIORITY_WORDS, in_words

SOON = timedelta(minutes=30)
CANDIDATES = 20
ATTEMPTS = 10
# So many rows are looked through for conflicts of interest, which the database cannot judge.
LOOKED_THROUGH = 200
_NAMES = (
    "study__referring_physician_name",
    "study__order__requesting_physician",
    "study__patient__patient_name",
)


@dataclass(frozen=True)
class Offer:
    """A study that is the reader's now, and why this one; or None and why there is none."""

    item: WorklistItem | None
    why: str


def claim_next(*, user: User) -> Offer:
    """Claim what `user` should read next. Whoever loses a race for one goes on to the next."""
    for _ in range(ATTEMPTS):
        now = timezone.now()
        held = WorklistItem.objects.filter(
            state=ItemState.CLAIMED, claimed_by=user, claim_expires_at__gt=now
        ).count()
        if held >= settings.READER_CLAIM_LIMIT:
            return Offer(
                None, f"You hold {held} studies, as many as one reader may. Sign or release one first."
            )
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
    theirs = of_other_groups(user) & ~Q(assigned_to=user)
    parts = (
        offered.filter(Q(due_at__lte=now) | Q(due_at__lte=now + SOON) & own).exclude(theirs),
        offered.filter(assigned_to=user),
        offered.filter(assigned_to__isnull=True).exclude(theirs),
    )
    for part in parts:
        yield from islice((pk for pk, in_conflict in _judged(part, user) if not in_conflict), CANDIDATES)


def _judged(items: QuerySet[WorklistItem], user: User) -> Iterator[tuple[int, bool]]:
    """The most urgent items, each with whether the reader has a part in it beside reading it."""
    rows: Any = items.order_by("due_at", "arrived_at", "pk").values_list("pk", *_NAMES)[:LOOKED_THROUGH]
    reader = str(user)
    for pk, *names in rows:
        yield pk, involved(filter(None, names), reader)


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
        text += f", the first that is free{_group_words(item, user)}"
    skipped = _skipped(user, now, before=item)
    return f"{text}. Skipped before it: {skipped}." if skipped else f"{text}."


def _group_words(item: WorklistItem, user: User) -> str:
    """Whose study it is, where it belongs to a group."""
    groups = item.groups.filter(active=True).order_by("name")
    mine = list(groups.filter(memberships__user=user).values_list("name", flat=True))
    if mine:
        return f" of your group {' and '.join(mine)}"
    if item.shared_at is None:
        return ""
    return f", shared by {' and '.join(groups.values_list('name', flat=True)) or 'its group'}"


def _nothing(user: User, now: datetime) -> str:
    skipped = _skipped(user, now)
    if skipped:
        return f"No study is free for you. Waiting, but not offered: {skipped}."
    return "No study is free. New ones show by themselves."


def _skipped(user: User, now: datetime, *, before: WorklistItem | None = None) -> str:
    """How many free studies were passed over, and for what: "2 on hold, 1 that you declined"."""
    free = _free(now) if before is None else _free(now).filter(due_at__lt=before.due_at)
    reasons = (
        ("on hold", held_now(now)),
        ("that you declined", Q(pk__in=list(declined_items(user, now)))),
        ("assigned to others", Q(assigned_to__isnull=False, due_at__gt=now) & ~Q(assigned_to=user)),
        ("of groups that you do not read for", of_other_groups(user) & ~Q(assigned_to=user)),
    )
    counted, told = Q(pk__in=[]), {}
    for words, reason in reasons:
        told[words] = Count("pk", filter=reason & ~counted)
        counted |= reason
    counts = free.aggregate(**{f"n{n}": count for n, count in enumerate(told.values())})
    parts = [(counts[f"n{n}"], words) for n, words in enumerate(told)]
    conflicts = sum(in_conflict for _, in_conflict in _judged(free.exclude(counted), user))
    parts.append((conflicts, "that you asked for or that may be your own"))
    return ", ".join(f"{number} {words}" for number, words in parts if number)
