"""The alert policy as data: rules by finding and place, each a ladder of rungs. Pure; no database.

A rung says who is told, by which channels, and after how many seconds without an answer the next one is
told. An alert leaves its ladder only when a named person acknowledges it. On the last rung it stays and is
repeated each time its deadline passes; that rung always tells the whole ER and everybody who reads, on
their pages, so no policy can end in silence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from worklist.alerts.policy import ER_STAFF, RADIOLOGIST, Audience

SHIPPED: Final = "shipped"
SHORTEST_SECONDS: Final = 15
LONGEST_SECONDS: Final = 3600
# Without an answer everybody is told after an hour, whatever a policy says before.
LONGEST_WAY: Final = 3600
MOST_RUNGS: Final = 12
MOST_RULES: Final = 50
LOCATIONS: Final = ("er", "icu", "inpatient", "outpatient")


class Channel(StrEnum):
    """Ways to reach somebody."""

    PAGE = "page"
    PUSH = "push"
    EMAIL = "email"
    SMS = "sms"
    WEBHOOK = "webhook"


class Group(StrEnum):
    """Whom a rung may tell."""

    DEPARTMENT = "department"
    ER = "er"
    READERS = "readers"
    ON_CALL = "on_call"


class WrongPolicy(ValueError):
    """The document is no policy; `faults` says why, in words."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__(" ".join(faults))
        self.faults = list(faults)


@dataclass(frozen=True)
class Who:
    """A group, or whoever is called at `position` by the calendar at the moment of telling.

    Attributes:
        group: department, er, readers or on_call.
        position: 1 is called first; 0 for groups.
    """

    group: str
    position: int = 0

    def audience(self, department: str) -> Audience | None:
        """The group for a patient of `department` ("" unknown: the whole ER); None for people on call."""
        match self.group:
            case Group.DEPARTMENT:
                return Audience((ER_STAFF,), department)
            case Group.ER:
                return Audience((ER_STAFF,), "")
            case Group.READERS:
                return Audience((RADIOLOGIST,), "")
        return None

    def in_words(self, department: str) -> str:
        """For the log and the page."""
        audience = self.audience(department)
        return audience.in_words() if audience else f"on call, position {self.position}"


@dataclass(frozen=True)
class Rung:
    """One step: who, by which channels, and how many seconds until the next."""

    who: tuple[Who, ...]
    channels: tuple[str, ...]
    seconds: int

    def groups(self, department: str) -> tuple[Audience, ...]:
        """The groups it tells, each once."""
        found = (who.audience(department) for who in self.who)
        return tuple(dict.fromkeys(audience for audience in found if audience is not None))

    def positions(self) -> tuple[int, ...]:
        """The on-call positions it tells."""
        return tuple(dict.fromkeys(who.position for who in self.who if who.group == Group.ON_CALL))

    def in_words(self, department: str) -> str:
        """Whom it tells."""
        return " and ".join(dict.fromkeys(who.in_words(department) for who in self.who))


@dataclass(frozen=True)
class Rule:
    """A ladder and the alerts that climb it; an empty list asks nothing."""

    name: str
    finding_codes: tuple[str, ...]
    departments: tuple[str, ...]
    locations: tuple[str, ...]
    rungs: tuple[Rung, ...]

    @property
    def last(self) -> int:
        """Number of the last rung."""
        return len(self.rungs) - 1

    def takes(self, *, finding_code: str, department: str, location: str) -> bool:
        """True when an alert of this finding and place climbs this ladder."""
        return (
            _asked(self.finding_codes, finding_code)
            and _asked(self.departments, department)
            and _asked(self.locations, location)
        )

    def rung(self, number: int) -> Rung:
        """Rung `number`; the last one for every higher number."""
        return self.rungs[max(0, min(number, self.last))]

    def after(self, number: int, department: str) -> int:
        """The rung after `number`: the first that tells others or otherwise, and the last one for ever.

        A rung of people on call is never left out: somebody else may be on duty by then.
        """
        following = min(number + 1, self.last)
        while following < self.last and not self._tells_more(number, following, department):
            following += 1
        return following

    def _tells_more(self, number: int, following: int, department: str) -> bool:
        now, then = self.rung(number), self.rung(following)
        return bool(
            then.positions()
            or set(then.groups(department)) - set(now.groups(department))
            or set(then.channels) - set(now.channels)
        )


@dataclass(frozen=True)
class Ladders:
    """A whole policy; its last rule takes every alert."""

    rules: tuple[Rule, ...]

    def rule_for(self, *, finding_code: str, department: str, location: str) -> Rule:
        """The first rule that takes the alert."""
        return next(
            rule
            for rule in self.rules
            if rule.takes(finding_code=finding_code, department=department, location=location)
        )

    def named(self, name: str) -> Rule:
        """The rule of this name; the last one, which is for everything, when there is none."""
        return next((rule for rule in self.rules if rule.name == name), self.rules[-1])


def shipped(rung_seconds: int) -> dict[str, Any]:
    """The policy of a site that has made none: department, whole ER, everybody who reads; by their pages."""
    rungs: list[list[dict[str, Any]]] = [
        [{"group": Group.DEPARTMENT.value}],
        [{"group": Group.ER.value}],
        [{"group": Group.ER.value}, {"group": Group.READERS.value}],
    ]
    return {
        "rules": [
            {
                "name": "every alert",
                "finding_codes": [],
                "departments": [],
                "locations": [],
                "rungs": [
                    {"who": who, "channels": [Channel.PAGE.value], "seconds": rung_seconds} for who in rungs
                ],
            }
        ]
    }


def parse(document: object, *, check: bool = True) -> Ladders:
    """The policy in a JSON document.

    Args:
        document: `{"rules": [{"name", "finding_codes", "departments", "locations", "rungs": [{"who":
            [{"group", "position"?}], "channels": [...], "seconds"}]}]}`.
        check: False for what the house itself made from the site's settings.

    Raises:
        WrongPolicy: with every fault found.
    """
    faults: list[str] = []
    rules = _list(document, "rules", "The policy", faults)
    if not rules:
        raise WrongPolicy(faults or ["A policy has at least one rule."])
    made = tuple(_rule(one, number, faults) for number, one in enumerate(rules, start=1))
    if not faults and check:
        _check(made, faults)
    if faults:
        raise WrongPolicy(faults)
    return Ladders(made)


def _rule(found: object, number: int, faults: list[str]) -> Rule:
    name = found.get("name") if isinstance(found, Mapping) else None
    if not isinstance(name, str) or not name.strip() or len(name) > 80:
        faults.append(f"Rule {number} has no name of at most 80 characters.")
        name = f"rule {number}"
    where = f"Rule “{name}”"
    rungs = _list(found, "rungs", where, faults)
    return Rule(
        name=name.strip(),
        finding_codes=_words(found, "finding_codes", where, faults),
        departments=_words(found, "departments", where, faults),
        locations=_words(found, "locations", where, faults),
        rungs=tuple(_rung(one, f"{where}, rung {n}", faults) for n, one in enumerate(rungs, start=1)),
    )


def _rung(found: object, where: str, faults: list[str]) -> Rung:
    who = tuple(_who(one, where, faults) for one in _list(found, "who", where, faults))
    channels = _words(found, "channels", where, faults)
    seconds = found.get("seconds") if isinstance(found, Mapping) else None
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        faults.append(f"{where}: say after how many seconds the next rung is told.")
        seconds = 0
    if strange := set(channels) - set(Channel):
        faults.append(f"{where}: there is no channel {', '.join(sorted(strange))}.")
    return Rung(who, tuple(dict.fromkeys(channels)), seconds)


def _who(found: object, where: str, faults: list[str]) -> Who:
    group = found.get("group") if isinstance(found, Mapping) else None
    if not isinstance(group, str) or group not in set(Group):
        faults.append(f"{where}: tell {', '.join(Group)}; nobody else can be told.")
        return Who(Group.ER)
    position = found.get("position", 0) if isinstance(found, Mapping) else 0
    if group != Group.ON_CALL:
        return Who(group)
    if not isinstance(position, int) or isinstance(position, bool) or not 1 <= position <= 9:
        faults.append(f"{where}: on call has a position from 1 to 9.")
        return Who(group, 1)
    return Who(group, position)


def _check(rules: tuple[Rule, ...], faults: list[str]) -> None:
    names = [rule.name for rule in rules]
    faults += [f"Two rules are named “{name}”." for name in sorted({n for n in names if names.count(n) > 1})]
    if len(rules) > MOST_RULES:
        faults.append(f"A policy has at most {MOST_RULES} rules.")
    last = rules[-1]
    if last.finding_codes or last.departments or last.locations:
        faults.append(
            f"The last rule, “{last.name}”, must take every alert: empty its codes, departments, locations."
        )
    for rule in rules:
        _check_rule(rule, faults)


def _check_rule(rule: Rule, faults: list[str]) -> None:
    where = f"Rule “{rule.name}”"
    if strange := set(rule.locations) - set(LOCATIONS):
        faults.append(f"{where}: there is no location {', '.join(sorted(strange))}.")
    if not 1 <= len(rule.rungs) <= MOST_RUNGS:
        faults.append(f"{where} has 1 to {MOST_RUNGS} rungs.")
        return
    for number, rung in enumerate(rule.rungs, start=1):
        if not rung.who or not rung.channels:
            faults.append(f"{where}, rung {number}: say whom to tell and by which channel.")
        if not SHORTEST_SECONDS <= rung.seconds <= LONGEST_SECONDS:
            faults.append(f"{where}, rung {number}: {SHORTEST_SECONDS} to {LONGEST_SECONDS} seconds.")
    if sum(rung.seconds for rung in rule.rungs[:-1]) > LONGEST_WAY:
        faults.append(f"{where}: everybody must be told after an hour at the latest.")
    final = rule.rungs[-1]
    if Channel.PAGE not in final.channels or not {Group.ER, Group.READERS} <= {w.group for w in final.who}:
        faults.append(
            f"{where}: the last rung tells the whole ER and all radiologists on their pages, "
            "so that no alert ends in silence."
        )


def _list(found: object, key: str, where: str, faults: list[str]) -> list[Any]:
    value = found.get(key) if isinstance(found, Mapping) else None
    if isinstance(value, list):
        return value
    faults.append(f"{where} has no list “{key}”.")
    return []


def _words(found: object, key: str, where: str, faults: list[str]) -> tuple[str, ...]:
    value = found.get(key, []) if isinstance(found, Mapping) else []
    if isinstance(value, list) and all(isinstance(one, str) and 0 < len(one) <= 120 for one in value):
        return tuple(value)
    faults.append(f"{where}: “{key}” is a list of words.")
    return ()


def _asked(wanted: tuple[str, ...], found: str) -> bool:
    return not wanted or found.strip().casefold() in {one.strip().casefold() for one in wanted}
