"""Who reads what: claims with a lease, so that two readers never read one study and none is stuck."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from foundation.accounts.models import User
from foundation.transitions import IllegalTransition, LostRace
from worklist.queue.models import ItemState, WorklistItem
from worklist.queue.ranking import tell
from worklist.queue.states import ITEM

NOBODY: dict[str, None] = {"claimed_by": None, "claimed_at": None, "claim_expires_at": None}
NEXT_CANDIDATES = 20
NEXT_ATTEMPTS = 10


class NotYours(Exception):
    """Somebody else holds the study, or nobody does any more; `item` says who and until when."""

    def __init__(self, message: str, item: WorklistItem) -> None:
        super().__init__(message)
        self.item = item


def claim(*, item_id: int, user: User) -> WorklistItem:
    """Hold the study for `user` for the lease; the holder may claim again.

    Exactly one of any number of callers wins a free or expired item.

    Raises:
        NotYours: somebody else holds it.
        IllegalTransition: it is signed.
    """
    now = timezone.now()
    item = WorklistItem.objects.get(pk=item_id)
    if item.state == ItemState.CLAIMED and item.claimed_by_id == user.pk and not _expired(item):
        return heartbeat(item_id=item_id, user=user)
    free = Q(state=ItemState.OPEN) | Q(claim_expires_at__lte=now) | Q(claimed_by=user)
    try:
        with transaction.atomic():
            ITEM.apply(
                item, "claim", guard=free, claimed_by=user, claimed_at=now, claim_expires_at=now + _lease()
            )
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
    if item.state != ItemState.OPEN and not _free(item, "release", Q(claimed_by=user)):
        raise _refusal(item_id)
    return item


def heartbeat(*, item_id: int, user: User) -> WorklistItem:
    """The holder is still there: the lease starts anew. Open pages need not hear of it.

    Raises:
        NotYours: the claim ended or somebody else holds the study.
    """
    kept = WorklistItem.objects.filter(pk=item_id, state=ItemState.CLAIMED, claimed_by=user).update(
        claim_expires_at=timezone.now() + _lease()
    )
    if not kept:
        raise _refusal(item_id)
    return WorklistItem.objects.get(pk=item_id)


def claim_next(*, user: User) -> WorklistItem | None:
    """Claim the study that stands first among the free ones; None when nothing is free.

    Whoever loses a race for one goes on to the next.
    """
    for _ in range(NEXT_ATTEMPTS):
        free = Q(state=ItemState.OPEN) | Q(state=ItemState.CLAIMED, claim_expires_at__lte=timezone.now())
        candidates = WorklistItem.objects.filter(free).order_by("due_at", "arrived_at", "pk")
        ids = list(candidates.values_list("pk", flat=True)[:NEXT_CANDIDATES])
        if not ids:
            return None
        for item_id in ids:
            try:
                return claim(item_id=item_id, user=user)
            except (NotYours, IllegalTransition):
                continue
    return None


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
    return sum(_free(item, "release", Q(claimed_by=user)) for item in items)


def release_expired() -> int:
    """Free what nobody renewed; returns how many."""
    expired = Q(claim_expires_at__lte=timezone.now())
    return sum(
        _free(item, "expire", expired)
        for item in WorklistItem.objects.filter(expired, state=ItemState.CLAIMED)
    )


def mark_signed(*, study_id: int, signed_at: datetime) -> None:
    """The study's report is signed: its item leaves the list. Twice is harmless."""
    while True:
        item = WorklistItem.objects.get(study_id=study_id)
        if item.state == ItemState.SIGNED:
            return
        try:
            with transaction.atomic():
                ITEM.apply(item, "sign", signed_at=signed_at, **NOBODY)
                tell(item)
            return
        except LostRace:
            continue  # claimed or released meanwhile; it is signed all the same


def _free(item: WorklistItem, event: str, guard: Q) -> bool:
    try:
        with transaction.atomic():
            ITEM.apply(item, event, guard=guard, **NOBODY)
            tell(item)
    except LostRace:
        return False
    return True


def _lease() -> timedelta:
    return timedelta(seconds=settings.CLAIM_LEASE_SECONDS)


def _expired(item: WorklistItem) -> bool:
    return item.claim_expires_at is not None and item.claim_expires_at <= timezone.now()


def _refusal(item_id: int) -> NotYours | IllegalTransition:
    item = WorklistItem.objects.select_related("claimed_by").get(pk=item_id)
    if item.state == ItemState.SIGNED:
        return IllegalTransition("This study is signed.")
    if item.state == ItemState.CLAIMED and item.claimed_by is not None:
        return NotYours(f"{item.claimed_by} is reading this study.", item)
    return NotYours("Your claim on this study ended. Claim it again to go on.", item)
