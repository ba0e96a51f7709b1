"""A reader gives a study a more urgent class than its order did. Only upwards."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from foundation.accounts.models import User
from worklist.queue import ranking
from worklist.queue.acts import Done, Refused, lock_unread, write
from worklist.queue.models import ItemEvent
from worklist.queue.priority import PRIORITIES, PRIORITY_WORDS


def raise_priority(*, item_id: int, to: str, reason: str, by: User) -> Done:
    """Rank the study as `to` from now on: the deadline counts from this moment, and only comes nearer.

    Raises:
        Refused: it is signed, or as urgent already.
    """
    with transaction.atomic():
        item = lock_unread(item_id)
        if PRIORITIES.index(to) >= PRIORITIES.index(item.priority_class):
            who = f"{item.raised_by} raised it" if item.raised_to else "Its order made it"
            text = f"This study is {PRIORITY_WORDS[item.priority_class]} already. {who} so."
            raise Refused(text, item, by=item.raised_by, at=item.raised_at)
        event = write(
            item,
            ItemEvent.Kind.RAISED,
            by=by,
            reason=reason,
            words=f"raised it to {PRIORITY_WORDS[to]}",
            values={
                "raised_to": to,
                "raised_by_id": by.pk,
                "raised_at": timezone.now(),
                "raised_reason": reason,
            },
            told=False,
        )
        item = ranking.place(study_id=item.study_id, cause=f"raised by {by}"[:64], tell_anyway=True)
        return Done(item, event)
