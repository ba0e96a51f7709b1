"""Ways to order a reading list: for a study, its place as a value to sort by; ties go by arrival."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from worklist.queue.priority import PRIORITIES, AiFinding, rank
from worklist.simulation.department import Department, StudyClass
from worklist.simulation.limits import Limit

_START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Ordering:
    """One way to order.

    Attributes:
        name: stable, for programs.
        words: for people.
        place: (department, class, minute of arrival, minute at which a flag became known or None) -> the
            place; smaller is read first.
        limit: what a flag may cost others; places are those of `_limited` then.
    """

    name: str
    words: str
    place: Callable[[Department, StudyClass, float, float | None], Any]
    limit: Limit | None = None


def _fifo(department: Department, kind: StudyClass, arrived: float, known: float | None) -> float:
    return arrived


def _order(
    department: Department, kind: StudyClass, arrived: float, known: float | None
) -> tuple[int, float]:
    return PRIORITIES.index(kind.priority), arrived


def _strict(
    department: Department, kind: StudyClass, arrived: float, known: float | None
) -> tuple[bool, int, float]:
    return known is None, PRIORITIES.index(kind.priority), arrived


def _firstread(
    department: Department, kind: StudyClass, arrived: float, known: float | None
) -> tuple[datetime, float]:
    findings: tuple[AiFinding, ...] = ()
    if known is not None:
        at = _START + timedelta(minutes=known)
        findings = (AiFinding("Finding", department.criticality, probability=0.9, known_at=at),)
    answer = rank(
        arrived_at=_START + timedelta(minutes=arrived),
        order=kind.order,
        findings=findings,
        policy=department.policy,
    )
    return answer.due, arrived


def head_start(minutes: float) -> Ordering:
    """First in, first out, where a flag counts as if the study had come `minutes` earlier."""

    def place(department: Department, kind: StudyClass, arrived: float, known: float | None) -> float:
        return arrived if known is None else arrived - minutes

    return Ordering(f"head-start-{minutes:g}", f"Flag brings forward by {minutes:g} min", place)


def _limited(
    department: Department, kind: StudyClass, arrived: float, known: float | None
) -> tuple[bool, float, float]:
    return (True, arrived, arrived) if known is None else (False, known, arrived)


def limited(limit: Limit) -> Ordering:
    """First in, first out, where a flag goes first as far as `limit` lets it."""
    return Ordering("limited", "Flagged first, within a limit for everybody else", _limited, limit)


FIFO = Ordering("fifo", "First in, first out", _fifo)
ORDER = Ordering("order", "Order priority only", _order)
STRICT = Ordering("strict", "Flagged always first", _strict)
FIRSTREAD = Ordering("firstread", "Firstread's deadlines", _firstread)
ORDERINGS = (FIFO, ORDER, STRICT, FIRSTREAD)
