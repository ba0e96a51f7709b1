"""A study that waits for something before it can be read. A hold never outlives the deadline."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from foundation.accounts.models import User
from worklist.queue.acts import NOBODY, Done, Refused, lock, lock_unread, require_not_read_by_another, write
from worklist.queue.models import UNREAD_STATES, HoldReason, ItemEvent, ItemState, WorklistItem

NOT_HELD: dict[str, Any] = {
    "held_reason": "",
    "held_note": "",
    "held_by_id": None,
    "held_at": None,
    "held_until": None,
}


def held_now(now: datetime) -> Q:
    """Items that wait at `now`: the hold is not over and the study not due."""
    return ~Q(held_reason="") & Q(held_until__gt=now, due_at__gt=now)


def is_held(item: WorklistItem, now: datetime) -> bool:
    """As `held_now`, of a loaded item."""
    until = item.held_until
    return bool(item.held_reason) and until is not None and until > now and item.due_at > now


def hold(
    *, item_id: int, reason: HoldReason, by: User, note: str = "", until: datetime | None = None
) -> Done:
    """Put the study aside until `until`, at the latest until it is due. The holder's claim ends with it.

    Raises:
        Refused: it is signed, overdue, read or held by somebody else; or `until` is past.
    """
    now = timezone.now()
    with transaction.atomic():
        item = lock_unread(item_id)
        require_not_read_by_another(item, by)
        if is_held(item, now) and item.held_by_id != by.pk:
            text = f"{item.held_by} holds this study already: {words_of(item.held_reason)}."
            raise Refused(text, item, by=item.held_by, at=item.held_at)
        if item.due_at <= now:
            raise Refused("This study is overdue: it cannot be held any longer.", item, at=item.due_at)
        if until is not None and until <= now:
            raise Refused("A hold ends in the future. Choose a later time.", item)
        ends = min(until or item.due_at, item.due_at)
        if is_held(item, now) and (item.held_reason, item.held_note, item.held_until) == (reason, note, ends):
            return Done(item)
        mine = item.state == ItemState.CLAIMED
        event = write(
            item,
            ItemEvent.Kind.HELD,
            by=by,
            reason=note,
            words=f"put it on hold: {words_of(reason)}",
            values={
                "held_reason": reason,
                "held_note": note,
                "held_by_id": by.pk,
                "held_at": now,
                "held_until": ends,
                **(NOBODY if mine else {}),
            },
            move="release" if mine else "",
        )
        return Done(item, event)


def unhold(*, item_id: int, by: User) -> Done:
    """What it waited for is there; nothing to do when it is not held.

    Raises:
        Refused: it is signed.
    """
    with transaction.atomic():
        item = lock_unread(item_id)
        if not item.held_reason:
            return Done(item)
        event = write(item, ItemEvent.Kind.UNHELD, by=by, words="ended the hold", values=NOT_HELD)
        return Done(item, event)


def end_over() -> int:
    """End holds whose time is over; returns how many. Twice is harmless."""
    now = timezone.now()
    over = Q(held_until__lte=now) | Q(due_at__lte=now)
    ids = list(
        WorklistItem.objects.filter(over, state__in=UNREAD_STATES, held_until__isnull=False).values_list(
            "pk", flat=True
        )
    )
    return sum(_end(item_id, now) for item_id in ids)


def _end(item_id: int, now: datetime) -> bool:
    with transaction.atomic():
        item = lock(item_id)
        if item.state not in UNREAD_STATES or not item.held_reason or is_held(item, now):
            return False
        write(item, ItemEvent.Kind.UNHELD, by=None, words="the hold's time was over", values=NOT_HELD)
    return True


def words_of(reason: str) -> str:
    """What a hold waits for, inside a sentence."""
    label = str(HoldReason(reason).label)
    return label[:1].lower() + label[1:]
