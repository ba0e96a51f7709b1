"""Whose studies are whose, and when those of a group become everybody's."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from foundation.accounts.models import User
from worklist.queue.acts import lock, write
from worklist.queue.credentials import of_other_groups
from worklist.queue.models import UNREAD_STATES, ItemEvent, ItemState, WorklistItem
from worklist.rota.models import ReadingGroup
from worklist.rota.selectors import covered

SHARE_BATCH = 500


def for_reader(user: User, *, now: datetime | None = None) -> Q:
    """Items of the personal list of `user`; the whole list holds every item all the same.

    These are: studies of the groups that `user` reads for, those of no group that anybody reads for,
    those shared because their groups are not on duty, those assigned to `user` or held by `user`, and
    whatever is past its deadline. What is assigned to somebody else is left out until then.
    """
    free = Q(assigned_to__isnull=True) | Q(assigned_to=user)
    held = Q(state=ItemState.CLAIMED, claimed_by=user)
    return held | Q(assigned_to=user) | Q(due_at__lte=now or timezone.now()) | (free & ~of_other_groups(user))


def share_uncovered(*, now: datetime | None = None) -> int:
    """Open to everybody what is due soon while none of its groups is on duty; returns how many.

    Each group says how long before the deadline. A study of several groups waits until none of them is
    covered. What is shared stays shared. Twice, or by two at once, is harmless: one of them shares it.
    """
    now = now or timezone.now()
    groups = list(ReadingGroup.objects.filter(active=True))
    on_duty = covered((one.pk for one in groups), now)
    shared = 0
    for group in groups:
        if group.pk in on_duty:
            continue
        soon = now + timedelta(minutes=group.share_before_minutes)
        waiting = WorklistItem.objects.filter(
            groups=group, state__in=UNREAD_STATES, shared_at__isnull=True, due_at__lte=soon
        )
        if on_duty:
            waiting = waiting.exclude(groups__in=on_duty)
        for pk in list(waiting.order_by("due_at").values_list("pk", flat=True)[:SHARE_BATCH]):
            shared += _share(pk, group, now)
    return shared


def _share(item_id: int, group: ReadingGroup, now: datetime) -> bool:
    with transaction.atomic():
        item = lock(item_id)
        if item.shared_at is not None or item.state not in UNREAD_STATES:
            return False
        words = f"opened to all readers: nobody of {group} is on duty"
        write(item, ItemEvent.Kind.SHARED, by=None, words=words, values={"shared_at": now})
    return True
