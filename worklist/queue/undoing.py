"""Take back one's own act, as long as nothing changed since what it changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from foundation.accounts.models import User
from worklist.queue import ranking
from worklist.queue.acts import NOBODY, Done, Refused, from_plain, lock, plain_values, record, write
from worklist.queue.flagging import touch
from worklist.queue.holding import NOT_HELD
from worklist.queue.models import ItemEvent, ItemFlag, ItemState, WorklistItem

Kind = ItemEvent.Kind
OF_FLAGS = (Kind.FLAGGED, Kind.UNFLAGGED)
UNDOABLE = (Kind.ASSIGNED, Kind.DECLINED, Kind.HELD, Kind.UNHELD, Kind.RAISED, *OF_FLAGS)
# A claim that ended with the act is not given back; and a deadline that came nearer cut the hold short.
_NOT_COMPARED = {*NOBODY, "held_until", "words"}


def undo(*, item_id: int, event_id: int, by: User) -> Done:
    """Put back what stood before the event; nothing to do when it is undone already.

    Raises:
        ItemEvent.DoesNotExist: the item has no such event.
        Refused: it is somebody else's, of a kind that stays, or something changed since.
    """
    with transaction.atomic():
        item = lock(item_id)
        event = ItemEvent.objects.select_related("by").get(pk=event_id, item=item)
        if event.undone_at is not None and event.by_id == by.pk:
            return Done(item)
        refusal = why_not(event, item, by, timezone.now())
        if refusal is not None:
            raise refusal
        ItemEvent.objects.filter(pk=event.pk).update(undone_at=timezone.now())
        words = f"undid: {words_of(event)}"
        if event.kind in OF_FLAGS:
            _undo_flag(item, event)
            made = record(item, Kind.UNDONE, by=by, words=words)
            touch(item)
            return Done(item, made)
        raised = event.kind == Kind.RAISED
        made = write(item, Kind.UNDONE, by=by, words=words, values=_put_back(item, event), told=not raised)
        if raised:
            item = ranking.place(study_id=item.study_id, cause="raise undone", tell_anyway=True)
        return Done(item, made)


def why_not(event: ItemEvent, item: WorklistItem, by: User, now: datetime) -> Refused | None:
    """None when `by` can undo the event now, else the refusal in words."""
    if event.by_id != by.pk:
        return Refused("Only who did it can undo it.", item, by=event.by)
    if event.kind not in UNDOABLE:
        return Refused("This cannot be undone.", item)
    if event.undone_at is not None:
        return Refused("This is undone already.", item, at=event.undone_at)
    if event.kind not in OF_FLAGS and item.state == ItemState.SIGNED:
        return Refused("This study is signed. What led there stays.", item, at=item.signed_at)
    if not _as_left(event, item):
        return _changed_since(event, item)
    if not _stands(event, item, now):
        return Refused("The hold would be over by now.", item)
    return None


def _stands(event: ItemEvent, item: WorklistItem, now: datetime) -> bool:
    """Not undone, nothing changed since, and what it would put back still has a meaning."""
    if event.undone_at is not None or not _as_left(event, item):
        return False
    if event.kind in OF_FLAGS:
        return True
    if event.kind == Kind.UNHELD and (item.state != ItemState.OPEN or _over(event, item, now)):
        return False
    return item.state != ItemState.SIGNED


def _as_left(event: ItemEvent, item: WorklistItem) -> bool:
    """What the event changed is still as it left it."""
    if event.kind in OF_FLAGS:
        return _flag_as_left(item, event)
    left = {name: value for name, value in event.after.items() if name not in _NOT_COMPARED}
    return plain_values(item, left) == left


def can_undo(event: ItemEvent, item: WorklistItem, by: User, now: datetime) -> bool:
    """As `why_not`, cheaply enough for a whole history: without looking for who changed it since."""
    return event.by_id == by.pk and event.kind in UNDOABLE and _stands(event, item, now)


def words_of(event: ItemEvent) -> str:
    """What happened, for people: "assigned it to Dr. B"."""
    return str(event.after.get("words") or event.get_kind_display().lower())


def _put_back(item: WorklistItem, event: ItemEvent) -> dict[str, Any]:
    values = from_plain({name: value for name, value in event.before.items() if name not in NOBODY})
    if not values.get("held_reason"):
        return values
    # An earlier hold comes back only for the time that is left of it.
    if values["held_until"] <= timezone.now():
        return dict(NOT_HELD)
    return values | {"held_until": min(values["held_until"], item.due_at)}


def _over(event: ItemEvent, item: WorklistItem, now: datetime) -> bool:
    until = from_plain(event.before).get("held_until")
    return until is None or until <= now or item.due_at <= now


def _changed_since(event: ItemEvent, item: WorklistItem) -> Refused:
    """Names who changed it, where an event says so."""
    names = set(event.after) | set(event.before)
    later = ItemEvent.objects.filter(item=item, pk__gt=event.pk).select_related("by").order_by("-pk")
    for one in later[:50]:
        if names & (set(one.after) | set(one.before)) - {"words"}:
            text = f"{one.by or 'The clock'} changed this since: {words_of(one)}. That stays."
            return Refused(text, item, by=one.by, at=one.at)
    return Refused("This changed since. It stays as it is now.", item)


def _flag_as_left(item: WorklistItem, event: ItemEvent) -> bool:
    if event.kind == Kind.UNFLAGGED:
        return all(one.kind != event.before["flag"] for one in item.flags.all())
    return any(
        one.kind == event.after["flag"] and one.at == parse_datetime(event.after["at"])
        for one in item.flags.all()
    )


def _undo_flag(item: WorklistItem, event: ItemEvent) -> None:
    if event.kind == Kind.FLAGGED:
        item.flags.filter(kind=event.after["flag"]).delete()
        return
    old = event.before
    made = ItemFlag.objects.create(item=item, kind=old["flag"], note=old["note"], by_id=old["by_id"])
    ItemFlag.objects.filter(pk=made.pk).update(at=parse_datetime(old["at"]))
