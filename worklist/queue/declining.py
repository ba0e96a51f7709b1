"""A reader says no to a study: `next` does not offer it to them again for a while."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from foundation.accounts.models import User
from worklist.queue.acts import NOBODY, Done, lock_unread, require_not_read_by_another, write
from worklist.queue.assigning import NOT_ASSIGNED
from worklist.queue.models import ItemEvent, ItemState

NOT_OFFERED_FOR = timedelta(hours=2)


def declined_items(user: User, now: datetime) -> QuerySet[ItemEvent, int]:
    """Ids of the items that `user` declined so lately that they are not offered again yet."""
    events = ItemEvent.objects.filter(
        by=user, kind=ItemEvent.Kind.DECLINED, undone_at__isnull=True, at__gt=now - NOT_OFFERED_FOR
    )
    return events.values_list("item_id", flat=True)


def decline(*, item_id: int, by: User, reason: str) -> Done:
    """Say no, with a reason that all see. One's own claim and assignment end with it.

    Raises:
        Refused: it is signed, or somebody else is reading it.
    """
    with transaction.atomic():
        item = lock_unread(item_id)
        require_not_read_by_another(item, by)
        mine, assigned = item.state == ItemState.CLAIMED, item.assigned_to_id == by.pk
        if not (mine or assigned) and item.pk in set(declined_items(by, timezone.now())):
            return Done(item)
        event = write(
            item,
            ItemEvent.Kind.DECLINED,
            by=by,
            reason=reason,
            words="declined it",
            values={**(NOT_ASSIGNED if assigned else {}), **(NOBODY if mine else {})},
            move="release" if mine else "",
        )
        return Done(item, event)
