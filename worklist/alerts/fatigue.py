"""How alerts weigh on people: per model and site, how many, how many true, how long until an answer. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Fact:
    """One alert.

    Attributes:
        model, version, site: whose, and the institution of the study.
        raised_at, answered_at: None while nobody has answered.
        rung: False when it stands in the log as not rung.
        truth: positive or negative by QA or the signature; "" unknown yet or undecided.
    """

    model: str
    version: str
    site: str
    raised_at: datetime
    answered_at: datetime | None
    rung: bool
    truth: str


@dataclass(frozen=True)
class Row:
    """One model at one site. Every alert counts once in answered + unanswered, and once in true + false + open."""

    model: str
    version: str
    site: str
    alerts: int
    answered: int
    unanswered: int
    not_rung: int
    true: int
    false: int
    undecided: int
    median_minutes: float | None


def rows(facts: Iterable[Fact]) -> list[Row]:
    """Rows by model, version and site, those with the most alerts first."""
    groups: dict[tuple[str, str, str], list[Fact]] = defaultdict(list)
    for fact in facts:
        groups[fact.model, fact.version, fact.site].append(fact)
    made = [_row(key, group) for key, group in groups.items()]
    return sorted(made, key=lambda row: (-row.alerts, row.model, row.version, row.site))


def by_hour(facts: Iterable[Fact], zone: str) -> list[int]:
    """How many rang in each hour of the day, by the clock of `zone`."""
    hours = [0] * 24
    for fact in facts:
        if fact.rung:
            hours[fact.raised_at.astimezone(ZoneInfo(zone)).hour] += 1
    return hours


def _row(key: tuple[str, str, str], group: list[Fact]) -> Row:
    rang = [fact for fact in group if fact.rung]
    minutes = [
        (fact.answered_at - fact.raised_at).total_seconds() / 60
        for fact in rang
        if fact.answered_at is not None
    ]
    true = sum(fact.truth == "positive" for fact in rang)
    false = sum(fact.truth == "negative" for fact in rang)
    return Row(
        *key,
        alerts=len(rang),
        answered=len(minutes),
        unanswered=len(rang) - len(minutes),
        not_rung=len(group) - len(rang),
        true=true,
        false=false,
        undecided=len(rang) - true - false,
        median_minutes=round(median(minutes), 1) if minutes else None,
    )
