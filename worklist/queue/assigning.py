"""Whose study it is to read: a wish that `next` follows, never a lock on the study."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from foundation.accounts.models import User
from worklist.queue.acts import Done, Refused, lock_unread, write
from worklist.queue.models import ItemEvent, ItemState, WorklistItem

NOT_ASSIGNED: dict[str, Any] = {"assigned_to_id": None, "assigned_by_id": None, "assigned_at": None}


def assign(*, item_id: int, to: User, by: User, reason: str = "", instead_of: User | None = None) -> Done:
    """Give the study to `to`; nothing to do when it is theirs already.

    Args:
        item_id: the item.
        to: an active radiologist.
        by: who assigns.
        reason: for the history.
        instead_of: whom the caller saw it assigned to; somebody else by now means that they were faster.

    Raises:
        Refused: it is signed, read by a third person, or assigned to somebody else than `instead_of`.
    """
    with transaction.atomic():
        item = lock_unread(item_id)
        if item.assigned_to_id == to.pk:
            return Done(item)
        if item.state == ItemState.CLAIMED and item.claimed_by_id not in (by.pk, to.pk):
            text = f"{item.claimed_by} is reading this study. Take it over if it cannot wait."
            raise Refused(text, item, by=item.claimed_by, at=item.claimed_at)
        _require_as_seen(item, instead_of)
        values = {"assigned_to_id": to.pk, "assigned_by_id": by.pk, "assigned_at": timezone.now()}
        words = "took it on" if to.pk == by.pk else f"assigned it to {to}"
        return _done(item, ItemEvent.Kind.ASSIGNED, by=by, reason=reason, words=words, values=values)


def unassign(*, item_id: int, by: User, instead_of: User | None = None) -> Done:
    """Give the study to nobody; nothing to do when it is nobody's.

    Raises:
        Refused: it is signed, or assigned to somebody else than `instead_of`, where that is given.
    """
    with transaction.atomic():
        item = lock_unread(item_id)
        if item.assigned_to_id is None:
            return Done(item)
        if instead_of is not None:
            _require_as_seen(item, instead_of)
        words = f"ended the assignment to {item.assigned_to}"
        return _done(item, ItemEvent.Kind.ASSIGNED, by=by, words=words, values=NOT_ASSIGNED)


def _require_as_seen(item: WorklistItem, seen: User | None) -> None:
    if item.assigned_to_id == (seen.pk if seen else None):
        return
    if item.assigned_to is None:
        raise Refused(f"This study is not assigned to {seen} any more.", item)
    text = f"{item.assigned_by or 'Somebody'} assigned this study to {item.assigned_to} meanwhile."
    raise Refused(text, item, by=item.assigned_by, at=item.assigned_at)


def _done(item: WorklistItem, kind: ItemEvent.Kind, **act: Any) -> Done:
    event = write(item, kind, **act)
    return Done(item, event)
