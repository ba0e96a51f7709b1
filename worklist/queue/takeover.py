"""Take a study from the reader who holds it, because it cannot wait for them."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from foundation.accounts.models import User
from worklist.queue import claims
from worklist.queue.acts import Done, Refused, lock_unread, write
from worklist.queue.models import ItemEvent, ItemState


def take_over(*, item_id: int, by: User, holder: User, reason: str) -> Done:
    """Claim a study that `holder` is reading. Their draft stays in the report; open pages hear at once.

    Of two who take it from the same holder one wins. What nobody holds any more is simply claimed.

    Args:
        item_id: the item.
        by: who takes over.
        holder: whom the caller saw reading it.
        reason: for the holder and the history.

    Raises:
        Refused: it is signed, or a third person holds it by now.
    """
    now = timezone.now()
    with transaction.atomic():
        item = lock_unread(item_id)
        free = item.state == ItemState.OPEN or claims.expired(item)
        if free or item.claimed_by_id == by.pk:
            return Done(claims.claim(item_id=item_id, user=by))
        if item.claimed_by_id != holder.pk:
            text = f"{item.claimed_by} is reading this study by now, no longer {holder}."
            raise Refused(text, item, by=item.claimed_by, at=item.claimed_at)
        event = write(
            item,
            ItemEvent.Kind.TAKEN_OVER,
            by=by,
            reason=reason,
            words=f"took it over from {holder}",
            values={"claimed_by_id": by.pk, "claimed_at": now, "claim_expires_at": now + claims.lease()},
            move="claim",
        )
        return Done(item, event)
