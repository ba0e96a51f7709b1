"""What a reader leaves to the next at the end of a shift: free to all at once, somebody's once it is taken."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from foundation.accounts.models import Role, User
from foundation.audit import services as audit
from worklist.live.messages import Topic
from worklist.live.services import announce
from worklist.queue import claims
from worklist.queue.acts import NOBODY, lock, write
from worklist.queue.assigning import NOT_ASSIGNED
from worklist.queue.holding import held_now
from worklist.queue.models import UNREAD_STATES, Handover, ItemEvent, ItemState, WorklistItem
from worklist.rota.models import ReadingGroup

LONGEST_NOTE = 1000
MOST_STUDIES = 200


class HandoverRefused(Exception):
    """Somebody was faster, or the studies are not the caller's to hand over; the message says what to do."""


@dataclass
class Taken:
    """A hand-over after it was taken.

    Attributes:
        handover: the row.
        assigned: studies that are the taker's now.
        left: studies that stayed as they are, and why.
    """

    handover: Handover
    assigned: list[WorklistItem] = field(default_factory=list)
    left: list[tuple[WorklistItem, str]] = field(default_factory=list)


def in_the_hands_of(user: User) -> Q:
    """Unread items that `user` claimed or is assigned."""
    return Q(state__in=UNREAD_STATES) & (Q(claimed_by=user) | Q(assigned_to=user))


def put_on_hold_by(user: User) -> Q:
    """Unread items that wait because `user` said so."""
    return Q(state__in=UNREAD_STATES, held_by=user) & held_now(timezone.now())


def left_by(user: User) -> Exists:
    """Items that `user` handed over and did not take back."""
    through = Handover.items.through.objects.filter(worklistitem=OuterRef("pk"), handover__by=user)
    return Exists(through.exclude(handover__taken_by=user))


def hand_over(
    *,
    by: User,
    among: QuerySet[WorklistItem],
    item_ids: Iterable[int],
    note: str,
    to: User | None = None,
    group: ReadingGroup | None = None,
    request: HttpRequest | None = None,
) -> tuple[Handover, bool]:
    """Leave studies and a note to `to`, or to whoever takes them; returns the row and whether it is new.

    The claims and assignments of `by` end at once, so that nobody's study waits for a person who may not
    come; drafts stay in the report and holds stay on the study. The same again, while it waits, gives the
    same row.

    Args:
        by: who goes.
        among: what `by` may hand over; asked under the lock.
        item_ids: the studies.
        note: what the next reader should know.
        to: for whom it is meant; anybody who reads may take it.
        group: whose work it is.

    Raises:
        ValidationError: nothing to hand over, or `to` cannot take it.
        HandoverRefused: a study is not theirs to hand over, or not any more.
    """
    note, wanted = note.strip(), sorted(set(item_ids))
    if not note and not wanted:
        raise ValidationError("Choose studies or write a note: there is nothing to hand over yet.")
    if len(note) > LONGEST_NOTE:
        raise ValidationError(f"The note has more than {LONGEST_NOTE} characters. Shorten it.")
    if len(wanted) > MOST_STUDIES:
        raise ValidationError(f"A hand-over holds {MOST_STUDIES} studies at most. Make two.")
    if to is not None and (to.pk == by.pk or not to.has_role(Role.RADIOLOGIST)):
        raise ValidationError(
            f"Choose another radiologist than {to}, or nobody: then whoever comes takes it."
        )
    with transaction.atomic():
        # The second of two clicks waits here and finds what the first one made.
        User.objects.select_for_update(no_key=True).get(pk=by.pk)
        before = _same(by, to, group, note, wanted)
        if before is not None:
            return before, False
        theirs = set(among.filter(pk__in=wanted).values_list("pk", flat=True))
        if len(theirs) < len(wanted):
            missing = len(wanted) - len(theirs)
            text = "One of the studies is" if missing == 1 else f"{missing} of the studies are"
            raise HandoverRefused(f"{text} not yours to hand over any more. Load the page again and choose.")
        handover = Handover.objects.create(by=by, to=to, group=group, note=note)
        handover.items.set(wanted)
        for item_id in wanted:
            _let_go(item_id, by, to)
        _record("C", "handed over", handover, by, request, studies=len(wanted))
        announce(Topic.ROTA, f"handover:{handover.pk}", 1)
    return handover, True


def take(*, handover_id: int, by: User, request: HttpRequest | None = None) -> Taken:
    """Take the hand-over: its unread studies are assigned to `by`. Who made it may take it back so.

    Twice by the same person changes nothing. What somebody else reads or was assigned meanwhile stays theirs.

    Raises:
        Handover.DoesNotExist: there is none.
        HandoverRefused: somebody else took it.
    """
    with transaction.atomic():
        handover = (
            Handover.objects.select_for_update(of=("self",))
            .select_related("by", "to", "taken_by", "group")
            .get(pk=handover_id)
        )
        taken = Taken(handover)
        if handover.taken_at is not None and handover.taken_by_id != by.pk:
            raise HandoverRefused(f"{handover.taken_by or 'Somebody'} took this over already.")
        if handover.taken_at is None:
            handover.taken_by, handover.taken_at = by, timezone.now()
            handover.save(update_fields=["taken_by", "taken_at"])
            for item_id in sorted(handover.items.values_list("pk", flat=True)):
                _take(taken, item_id, by)
            _record("U", "hand-over taken", handover, by, request, studies=len(taken.assigned))
            announce(Topic.ROTA, f"handover:{handover.pk}", 2)
    return taken


def for_list() -> QuerySet[Handover]:
    """Hand-overs with their people, the latest first; the caller adds what it shows of the studies."""
    return Handover.objects.select_related("by", "to", "group", "taken_by").order_by("-at", "-pk")


def _same(
    by: User, to: User | None, group: ReadingGroup | None, note: str, wanted: list[int]
) -> Handover | None:
    waiting = Handover.objects.filter(by=by, to=to, group=group, note=note, taken_at__isnull=True)
    for one in waiting.prefetch_related("items").order_by("-pk"):
        if sorted(item.pk for item in one.items.all()) == wanted:
            return one
    return None


def _let_go(item_id: int, by: User, to: User | None) -> None:
    item = lock(item_id)
    if item.state == ItemState.SIGNED:
        return
    mine = item.state == ItemState.CLAIMED and item.claimed_by_id == by.pk
    assigned = item.assigned_to_id == by.pk
    write(
        item,
        ItemEvent.Kind.HANDED_OVER,
        by=by,
        words=f"handed it over to {to}" if to is not None else "handed it over",
        values={**(NOBODY if mine else {}), **(NOT_ASSIGNED if assigned else {})},
        move="release" if mine else "",
    )


def _take(taken: Taken, item_id: int, by: User) -> None:
    item, giver = lock(item_id), taken.handover.by
    reads = item.state == ItemState.CLAIMED and item.claimed_by_id != by.pk and not claims.expired(item)
    if item.state == ItemState.SIGNED:
        taken.left.append((item, "signed"))
    elif reads:
        taken.left.append((item, f"{item.claimed_by} is reading it"))
    elif item.assigned_to_id not in (None, by.pk):
        taken.left.append((item, f"assigned to {item.assigned_to} meanwhile"))
    else:
        words = "took it back" if giver.pk == by.pk else f"took it over from {giver}"
        values = {"assigned_to_id": by.pk, "assigned_by_id": giver.pk, "assigned_at": timezone.now()}
        write(item, ItemEvent.Kind.HANDED_OVER, by=by, words=words, values=values)
        taken.assigned.append(item)


def _record(
    action: str, what: str, handover: Handover, by: User, request: HttpRequest | None, **detail: object
) -> None:
    audit.record(
        audit.Kind.APPLICATION_ACTIVITY,
        action=action,
        user=by,
        request=request,
        detail={
            "what": what,
            "handover": handover.pk,
            "from": handover.by.username,
            "group": handover.group.name if handover.group is not None else "",
            **detail,
        },
    )
