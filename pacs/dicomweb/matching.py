"""Attribute matching (PS3.4 C.2.2.2): one rule, applied by the database or to a value in hand.

Pure: values in, conditions out. What the two forms answer is the same, and tested to be.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from django.db.models import Q

NUMBER_VRS: Final = frozenset({"IS", "DS", "US", "SS", "UL", "SL", "UV", "SV", "FL", "FD"})
WILDCARD_VRS: Final = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT", "UN"})
# A pattern of many stars takes exponential time on a hostile value.
MAXIMUM_STARS: Final = 4


class Unmatchable(Exception):
    """The value is none that an attribute of this kind could be compared with; the message says why."""


@dataclass(frozen=True)
class OneOf:
    """Equals one of some texts: UID lists and single values."""

    values: frozenset[str]

    def q(self, column: str) -> Q:
        """As a condition on a text column."""
        return Q(**{f"{column}__in": sorted(self.values)})

    def matches(self, value: str) -> bool:
        """Applied to one value."""
        return value in self.values


@dataclass(frozen=True)
class Pattern:
    """Fits a regular expression, whatever the case of letters: wildcards and person names."""

    expression: str

    def q(self, column: str) -> Q:
        """As a condition on a text column."""
        return Q(**{f"{column}__iregex": self.expression})

    def matches(self, value: str) -> bool:
        """Applied to one value."""
        return re.search(self.expression, value, re.IGNORECASE) is not None


@dataclass(frozen=True)
class Range:
    """Lies between two dates or times, ends included; an empty value lies nowhere."""

    low: str
    high: str

    def q(self, column: str) -> Q:
        """As a condition on a text column."""
        condition = Q(**{f"{column}__gt": ""})
        if self.low:
            condition &= Q(**{f"{column}__gte": self.low})
        if self.high:
            condition &= Q(**{f"{column}__lte": self.high})
        return condition

    def matches(self, value: str) -> bool:
        """Applied to one value."""
        return value > "" and value >= self.low and (not self.high or value <= self.high)


@dataclass(frozen=True)
class Equal:
    """Equals one of some numbers."""

    values: frozenset[float]

    def q(self, column: str) -> Q:
        """As a condition on a numeric column."""
        whole = sorted(int(value) for value in self.values if value.is_integer() and abs(value) < 2**31)
        return Q(**{f"{column}__in": whole})

    def matches(self, value: str) -> bool:
        """Applied to one value."""
        try:
            return float(value) in self.values
        except ValueError:
            return False


Matcher = OneOf | Pattern | Range | Equal


def matcher(vr: str, values: tuple[str, ...]) -> Matcher:
    """The rule for an attribute of value representation `vr` (PS3.5 6.2).

    Args:
        vr: as in the data dictionary; the first where it names several.
        values: what was asked for, none empty; several mean any of them.

    Raises:
        Unmatchable: a malformed date, time or number, or too many wildcards.
    """
    kind = vr[:2]
    if kind in NUMBER_VRS:
        return Equal(frozenset(_number(value) for value in values))
    if kind in {"DA", "TM", "DT"}:
        if len(values) > 1:
            raise Unmatchable("give one date or time, or a range")
        return _range(kind, values[0])
    if kind == "PN":
        return Pattern("|".join(_name(value) for value in values))
    if kind in WILDCARD_VRS and any("*" in value or "?" in value for value in values):
        return Pattern("|".join(f"^{_glob(value)}$" for value in values))
    return OneOf(frozenset(values))


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise Unmatchable("it is no number") from None


def _range(kind: str, value: str) -> Range:
    low, dash, high = value.partition("-")
    if kind == "DT" and re.fullmatch(r"\d{4,14}(\.\d{1,6})?[+-]\d{4}", value):
        low, dash, high = value, "", ""  # a zone offset, not a range
    ends = (_moment(kind, low), _moment(kind, high) if dash else _moment(kind, low))
    if not any(ends):
        raise Unmatchable("the range has no end")
    if kind == "DA":
        return Range(*ends)
    # A time given to the minute means all of that minute: "0912" ends at 091259.999999.
    return Range(ends[0], ends[1] + "~" if ends[1] else "")


def _moment(kind: str, text: str) -> str:
    plain = text.strip()
    if kind == "DA":
        plain = plain.replace(".", "")
        if plain and not re.fullmatch(r"\d{8}", plain):
            raise Unmatchable("dates are written YYYYMMDD")
        return plain
    plain = plain.replace(":", "")
    if plain and not re.fullmatch(r"\d{2,14}(\.\d{1,6})?([+-]\d{4})?", plain):
        raise Unmatchable("times are written HHMMSS.FFFFFF, any part from the right left out")
    return plain


def _name(value: str) -> str:
    """A person name in any component group; empty components at the end do not count (PS3.5 6.2.1)."""
    return f"(^|=){_glob(value.rstrip('^'))}\\^*(=|$)"


def _glob(value: str) -> str:
    shorter = re.sub(r"\*+", "*", value)
    if shorter.count("*") > MAXIMUM_STARS:
        raise Unmatchable(f"more than {MAXIMUM_STARS} wildcards * in one value")
    return "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in shorter)
