"""One act of one person on one item: under its lock, kept as an event, told to open pages.

Every act of the list goes the same way: lock the row, look whether the act still makes sense, write.
Of two at once the second therefore sees what the first did, and is told so in words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F
from django.utils.dateparse import parse_datetime

from foundation.accounts.models import User
from worklist.queue.models import ItemEvent, ItemState, WorklistItem
from worklist.queue.ranking import tell
from worklist.queue.states import ITEM

PEOPLE = ("claimed_by", "assigned_to", "assigned_by", "held_by", "raised_by")
NOBODY: dict[str, None] = {"claimed_by_id": None, "claimed_at": None, "claim_expires_at": None}


class Refused(Exception):
    """The act makes no sense any more, or never did: `by` did something else at `at`, where known."""

    def __init__(
        self, message: str, item: WorklistItem, *, by: User | None = None, at: datetime | None = None
    ) -> None:
        super().__init__(message)
        self.item, self.by, self.at = item, by, at


@dataclass(frozen=True)
class Done:
    """The item after the act, and the event to undo; None when there was nothing to do."""

    item: WorklistItem
    event: ItemEvent | None = None


def lock(item_id: int) -> WorklistItem:
    """The item as it is now; nobody changes it until the transaction ends."""
    items = WorklistItem.objects.select_for_update(of=("self",)).select_related(*PEOPLE)
    return items.get(pk=item_id)


def lock_unread(item_id: int) -> WorklistItem:
    """As `lock`; a signed study is refused."""
    item = lock(item_id)
    if item.state == ItemState.SIGNED:
        raise Refused("This study is signed. Nothing on the list waits for it.", item, at=item.signed_at)
    return item


def require_not_read_by_another(item: WorklistItem, by: User) -> None:
    """Refuse while somebody else holds the claim."""
    if item.state == ItemState.CLAIMED and item.claimed_by_id != by.pk:
        text = f"{item.claimed_by} is reading this study."
        raise Refused(text, item, by=item.claimed_by, at=item.claimed_at)


def write(
    item: WorklistItem,
    kind: ItemEvent.Kind,
    *,
    by: User | None,
    words: str,
    reason: str = "",
    values: Mapping[str, Any],
    move: str = "",
    told: bool = True,
) -> ItemEvent:
    """Write `values` into the locked item, with the event that can put them back.

    Args:
        item: locked; updated in place.
        kind: of the event.
        by: who; None for the clock.
        words: what happened, for people: "assigned to Dr. B".
        reason: as the person typed it.
        values: columns (foreign keys by their id) and what they become.
        move: an event of the state machine that happens together with it.
        told: False where the caller ranks the item anew and tells then.
    """
    before = plain_values(item, values)
    if move:
        ITEM.apply(item, move, **values)
    else:
        version = {"version": F("version") + 1} if told else {}
        WorklistItem.objects.filter(pk=item.pk).update(**values, **version)
        item.refresh_from_db()
    event = record(
        item, kind, by=by, words=words, reason=reason, before=before, after=plain_values(item, values)
    )
    if told:
        tell(item)
    return event


def record(
    item: WorklistItem,
    kind: ItemEvent.Kind,
    *,
    by: User | None,
    words: str,
    reason: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> ItemEvent:
    """Keep what happened, in the caller's transaction."""
    return ItemEvent.objects.create(
        item=item,
        kind=kind,
        by=by,
        reason=reason[:200],
        before=dict(before or {}),
        after={**(after or {}), "words": words},
    )


def plain_values(item: WorklistItem, names: Mapping[str, Any]) -> dict[str, Any]:
    """These columns of the item as JSON takes them; times keep their microseconds."""
    values = {name: getattr(item, name) for name in names}
    return {n: v.isoformat() if isinstance(v, datetime) else v for n, v in values.items()}


def from_plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """What `plain_values` made, as columns again."""
    return {
        name: parse_datetime(value) if value and name.endswith(("_at", "_until")) else value
        for name, value in values.items()
        if name != "words"
    }
