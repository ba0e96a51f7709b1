"""Marks for teaching and peer review. They move no deadline and stay after signing."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import F

from foundation.accounts.models import User
from worklist.queue.acts import Done, lock, record
from worklist.queue.models import ItemEvent, ItemFlag, WorklistItem
from worklist.queue.ranking import tell


def flag(*, item_id: int, kind: ItemFlag.Kind, by: User, note: str = "") -> Done:
    """Mark the study; nothing to do when somebody did already."""
    with transaction.atomic():
        item = lock(item_id)
        if item.flags.filter(kind=kind).exists():
            return Done(item)
        made = ItemFlag.objects.create(item=item, kind=kind, by=by, note=note)
        words = f"marked it: {label_of(kind)}"
        event = record(item, ItemEvent.Kind.FLAGGED, by=by, words=words, reason=note, after=flag_values(made))
        touch(item)
        return Done(item, event)


def unflag(*, item_id: int, kind: ItemFlag.Kind, by: User) -> Done:
    """Take the mark away; nothing to do when there is none."""
    with transaction.atomic():
        item = lock(item_id)
        found = item.flags.filter(kind=kind).first()
        if found is None:
            return Done(item)
        before = flag_values(found)
        found.delete()
        words = f"took the mark away: {label_of(kind)}"
        event = record(item, ItemEvent.Kind.UNFLAGGED, by=by, words=words, before=before)
        touch(item)
        return Done(item, event)


def flag_values(one: ItemFlag) -> dict[str, Any]:
    """What an undo puts back."""
    return {"flag": one.kind, "note": one.note, "by_id": one.by_id, "at": one.at.isoformat()}


def touch(item: WorklistItem) -> None:
    """The row shows something else now."""
    WorklistItem.objects.filter(pk=item.pk).update(version=F("version") + 1)
    item.refresh_from_db()
    tell(item)


def label_of(kind: str) -> str:
    """The mark in words, inside a sentence."""
    return str(ItemFlag.Kind(kind).label).lower()
