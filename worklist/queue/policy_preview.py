"""What a policy would do to the open list: who would move, before anybody decides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pacs.demographics import age_years
from pacs.models import Order, Study
from worklist.queue.ai import findings_by_study
from worklist.queue.models import UNREAD_STATES, WorklistItem
from worklist.queue.priority import OrderUrgency, Policy, rank
from worklist.queue.ranking import raised_of

MOST_LOOKED_AT = 1000
EXAMPLES = 10


@dataclass(frozen=True)
class Move:
    """One study's place and deadline, now and then; places count from 1."""

    item: WorklistItem
    place_now: int
    place_then: int
    due_now: datetime
    due_then: datetime


@dataclass(frozen=True)
class Preview:
    """Attributes:
    open: unread studies.
    looked_at: of these, the most urgent that were looked at.
    up, down: those whose place would change, by direction.
    sooner, later: those whose deadline would change.
    examples: the longest moves.
    """

    open: int
    looked_at: int
    up: int
    down: int
    sooner: int
    later: int
    examples: tuple[Move, ...]


def preview(policy: Policy, limit: int = MOST_LOOKED_AT) -> Preview:
    """Rank the open list by `policy` without writing anything; a constant number of queries."""
    unread = WorklistItem.objects.filter(state__in=UNREAD_STATES)
    items = list(
        unread.select_related("study__patient", "raised_by")
        .defer("study__attributes")
        .order_by("due_at", "arrived_at", "pk")[:limit]
    )
    study_ids = [item.study_id for item in items]
    orders = {order.study_id: order for order in Order.objects.filter(study_id__in=study_ids)}
    findings = findings_by_study(study_ids)
    then: dict[int, datetime] = {}
    for item in items:
        order, study = orders.get(item.study_id), item.study
        then[item.pk] = rank(
            arrived_at=item.arrived_at,
            order=OrderUrgency(order.priority, order.location_class) if order else None,
            findings=findings.get(item.study_id, ()),
            age_years=_age(study),
            policy=policy,
            raised=raised_of(item),
        ).due
    order_then = sorted(items, key=lambda item: (then[item.pk], item.arrived_at, item.pk))
    place_then = {item.pk: place for place, item in enumerate(order_then, 1)}
    moves = [
        Move(item, place, place_then[item.pk], item.due_at, then[item.pk])
        for place, item in enumerate(items, 1)
    ]
    far = sorted(moves, key=lambda move: -abs(move.place_now - move.place_then))
    return Preview(
        open=unread.count(),
        looked_at=len(items),
        up=sum(move.place_then < move.place_now for move in moves),
        down=sum(move.place_then > move.place_now for move in moves),
        sooner=sum(move.due_then < move.due_now for move in moves),
        later=sum(move.due_then > move.due_now for move in moves),
        examples=tuple(move for move in far[:EXAMPLES] if move.place_now != move.place_then),
    )


def _age(study: Study) -> float | None:
    return age_years(study.patient_age, study.patient.patient_birth_date, study.study_date)
