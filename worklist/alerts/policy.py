"""When an alert rings and when it goes on, as pure rules; whom it tells stands in ladders.py."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

ER_STAFF = "er_staff"
RADIOLOGIST = "radiologist"


@dataclass(frozen=True)
class Audience:
    """A group that a rung tells.

    Attributes:
        roles: role slugs.
        department: only staff of this department and staff of the whole ER; "" means all.
    """

    roles: tuple[str, ...]
    department: str

    def in_words(self) -> str:
        """For the delivery log and the page."""
        if self.roles == (RADIOLOGIST,):
            return "all radiologists"
        return f"ER staff of {self.department}" if self.department else "all ER staff"

    def includes(self, roles: frozenset[str], department: str) -> bool:
        """True when a person with these roles and this department is told."""
        if roles.isdisjoint(self.roles):
            return False
        return not self.department or department in {"", self.department}


CLOCKS_DIFFER_BY = timedelta(seconds=60)


def deadline(now: datetime, rung_seconds: int) -> datetime:
    """When an unanswered alert that was told at `now` goes on."""
    return now + timedelta(seconds=rung_seconds)


def set_by_another_clock(deadline_at: datetime, now: datetime, rung_seconds: int) -> bool:
    """True when no clock that agrees with `now` can have set this deadline: the clock was put back since.

    Machines whose clocks differ by up to a minute agree.
    """
    return deadline_at > deadline(now, rung_seconds) + CLOCKS_DIFFER_BY


def answered_at(raised_at: datetime, now: datetime) -> datetime:
    """When an alert counts as answered: not before it was raised, though the clock was put back since."""
    return max(raised_at, now)


def rings(*, comparison: str, answered_before: bool, grown_since: bool, known_rings_again: bool) -> bool:
    """False only for what is known, was answered by a named person, and has not grown since that answer.

    Args:
        comparison: of the finding with the prior; anything but "known" rings.
        answered_before: the alert about the earlier finding was acknowledged.
        grown_since: against the finding that was acknowledged, so that slow growth over many scans, each
            little more than the last, rings again.
        known_rings_again: the department wants every alert.
    """
    return known_rings_again or comparison != "known" or not answered_before or grown_since


def alerts(
    *, presence: str, probability: float, alert_threshold: float, criticality: str, live: bool
) -> bool:
    """True when a finding rings: critical, present, above the threshold, from a live model."""
    return live and criticality == "critical" and presence == "present" and probability >= alert_threshold
