"""Which studies belong to a group, and when two shifts meet: pure rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol


class Rule(Protocol):
    """The lists of a group by which studies belong to it; an empty list asks nothing."""

    modalities: Sequence[str]
    body_parts: Sequence[str]
    institutions: Sequence[str]
    location_classes: Sequence[str]


def matches(
    rule: Rule, *, modalities: Iterable[str], body_part: str, institution: str, location_class: str
) -> bool:
    """True when a study has one of each list of `rule` that is not empty.

    Case and blanks around a value make no difference: modalities send "Head" and "HEAD ". A rule of
    empty lists takes every study.

    Args:
        rule: a reading group, or anything with its four lists.
        modalities: of the study (0008,0061); one of them suffices.
        body_part: Body Part Examined (0018,0015), "" when not sent.
        institution: Institution Name (0008,0080), "" when not sent.
        location_class: er, icu, inpatient or outpatient.
    """
    return (
        _asked(rule.modalities, modalities)
        and _asked(rule.body_parts, [body_part])
        and _asked(rule.institutions, [institution])
        and _asked(rule.location_classes, [location_class])
    )


def overlaps(start: datetime, end: datetime, other_start: datetime, other_end: datetime) -> bool:
    """True when two spans share a moment; ends are excluded, so a shift may follow another at once."""
    return start < other_end and other_start < end


def _asked(wanted: Iterable[str], found: Iterable[str]) -> bool:
    names = {_plain(name) for name in wanted}
    return not names or not names.isdisjoint(_plain(name) for name in found)


def _plain(value: str) -> str:
    return value.strip().upper()
