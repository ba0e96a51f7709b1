"""Who reads what: claims with a lease, so that two readers never read one study and none is stuck."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from foundation.accounts.models import User
from foundation.transitions import IllegalTransition, LostRace
from worklist.queue import ledger
from worklist.queue.acts import NOBODY, lock, record, write
from worklist.queue.holding import NOT_HELD
from worklist.queue.models import ItemEvent, ItemState, WorklistItem
from worklist.queue.ranking import tell
from worklist.queue.states import ITEM

Kind = ItemEvent.Kind


class NotYours(Exception):
    """Somebody else holds the study, or nobody does any more; `item` says who and until when."""

    def __init__(self, message: str, item: WorklistItem) -> None:
        super().__init__(message)
        self.item = item


def claim(*, item_id: int, user: User) -> WorklistItem:
    """Hold the study for `user` for the lease; the holder may claim again.

    Exactly one of any number of callers wins a free or expired item. A hold ends with it: whoever reads
    a study does not wait any more.

    Raises:
        NotYours: somebody else holds it.
        IllegalTransition: it is signed.
    """
    now = timezone.now()
    item = WorklistItem.objects.get(pk=item_id)
    if item.state == ItemState.CLAIMED and item.claimed_by_id == user.pk and not expired(item):
        return heartbeat(item_id=item_id, user=user)
    free = Q(state=ItemState.OPEN) | Q(claim_expires_at__lte=now) | Q(claimed_by=user)
    try:
        with transaction.atomic():
            item = lock(item_id)
            if item.held_reason:
                write(item, Kind.UNHELD, by=user, words="began to read it", values=NOT_HELD, told=False)
            ITEM.apply(
                item, "claim", guard=free, claimed_by=user, claimed_at=now, claim_expires_at=now + lease()
            )
            record(item, Kind.CLAIMED, by=user, words="claimed it", after={"claimed_by_id": user.pk})
            tell(item)
    except LostRace:
        raise _refusal(item_id) from None
    return item


def release(*, item_id: int, user: User) -> WorklistItem:
    """Give the study back. Giving back what one does not hold any more, and nobody else holds, is harmless.

    Raises:
        NotYours: somebody else holds it.
        IllegalTransition: it is signed.
    """
    item = WorklistItem.objects.get(pk=item_id)
    if item.state != ItemState.OPEN and not _free(item, "release", Q(claimed_by=user), user, "gave it back"):
        raise _refusal(item_id)
    return item


def heartbeat(*, item_id: int, user: User) -> WorklistItem:
    """The holder is still there: the lease starts anew. Open pages need not hear of it.

    Raises:
        NotYours: the claim ended or somebody else holds the study.
    """
    kept = WorklistItem.objects.filter(pk=item_id, state=ItemState.CLAIMED, claimed_by=user).update(
        claim_expires_at=timezone.now() + lease()
    )
    if not kept:
        raise _refusal(item_id)
    return WorklistItem.objects.get(pk=item_id)


def record_opened(*, item_id: int, user: User) -> bool:
    """Remember who opened the study first, and when; True for that first one."""
    with transaction.atomic():
        first = WorklistItem.objects.filter(pk=item_id, first_opened_at__isnull=True).update(
            first_opened_at=timezone.now(), first_opened_by=user
        )
    return bool(first)


def release_all_of(*, user: User) -> int:
    """Give back everything `user` holds: they signed out. Returns how many."""
    items = WorklistItem.objects.filter(state=ItemState.CLAIMED, claimed_by=user)
    return sum(_free(item, "release", Q(claimed_by=user), user, "signed out") for item in items)


def release_expired() -> int:
    """Free what nobody renewed; returns how many."""
    over = Q(claim_expires_at__lte=timezone.now())
    return sum(
        _free(item, "expire", over, None, f"{item.claimed_by} gave no sign of life")
        for item in WorklistItem.objects.filter(over, state=ItemState.CLAIMED).select_related("claimed_by")
    )


def mark_signed(*, study_id: int, signed_at: datetime) -> None:
    """The study's report is signed: its item leaves the list. Twice is harmless."""
    while True:
        item = WorklistItem.objects.get(study_id=study_id)
        if item.state == ItemState.SIGNED:
            return
        read_from = item.claimed_at or item.first_opened_at
        try:
            with transaction.atomic():
                ITEM.apply(item, "sign", signed_at=signed_at, **NOBODY)
                ledger.settle(item=item, read_from=read_from, at=signed_at)
                tell(item)
            return
        except LostRace:
            continue  # claimed or released meanwhile; it is signed all the same


def _free(item: WorklistItem, event: str, guard: Q, by: User | None, words: str) -> bool:
    kind, before = (Kind.EXPIRED if by is None else Kind.RELEASED), {"claimed_by_id": item.claimed_by_id}
    try:
        with transaction.atomic():
            ITEM.apply(item, event, guard=guard, **NOBODY)
            record(item, kind, by=by, words=words, before=before)
            tell(item)
    except LostRace:
        return False
    return True


def lease() -> timedelta:
    """How long a claim stands without a sign of life."""
    return timedelta(seconds=settings.CLAIM_LEASE_SECONDS)


def expired(item: WorklistItem) -> bool:
    """The lease ran out; the claim stands until somebody else takes it or the sweep comes."""
    return item.claim_expires_at is not None and item.claim_expires_at <= timezone.now()


def _refusal(item_id: int) -> NotYours | IllegalTransition:
    item = WorklistItem.objects.select_related("claimed_by").get(pk=item_id)
    if item.state == ItemState.SIGNED:
        return IllegalTransition("This study is signed.")
    if item.state == ItemState.CLAIMED and item.claimed_by is not None:
        return NotYours(f"{item.claimed_by} is reading this study.", item)
    return NotYours("Your claim on this study ended. Claim it again to go on.", item)
