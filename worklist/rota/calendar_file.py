"""Reads an iCalendar file (RFC 5545) into what is planned when; knows no database.

A file is a stranger's: its size, its number of events and what its rules may repeat are bounded before
anything is computed, and an event that cannot be read is told and does not stop the others.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, Final

import recurring_ical_events
from icalendar import Calendar, Component

from worklist.rota.zones import zone_named

LARGEST_FILE: Final = 1_000_000
MOST_EVENTS: Final = 2_000
MOST_OCCURRENCES: Final = 2_000
AROUND: Final = timedelta(days=366)
OLDEST_RULE: Final = timedelta(days=20 * 366)
RULE_PARTS: Final = frozenset(
    {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTH", "BYMONTHDAY"}
)
FREQUENCIES: Final = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
LONGEST_MONTHS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class FileRefused(ValueError):
    """The file as a whole cannot be taken; the message says why and what to do."""


class _EventRefused(ValueError):
    """One event cannot be taken."""


@dataclass(frozen=True)
class Occurrence:
    """One time of one event.

    Attributes:
        key: UID, and for a repeated event the moment of this repetition; the same in every version.
        uid: of the event.
        starts_at, ends_at: in UTC.
        cancelled: STATUS:CANCELLED.
        summary: for people.
        username, group, duty, department, position: as this program's own export says; "" when it does not.
        addresses: of the attendees, without mailto:, lower case.
        names: of the attendees.
        categories: as sent.
    """

    key: str
    uid: str
    starts_at: datetime
    ends_at: datetime
    cancelled: bool
    summary: str
    username: str = ""
    group: str = ""
    duty: str = ""
    department: str = ""
    position: str = ""
    addresses: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


@dataclass
class CalendarFile:
    """What a file says: occurrences in order, uids of all readable events, and what could not be read."""

    occurrences: list[Occurrence] = field(default_factory=list)
    uids: set[str] = field(default_factory=set)
    unread: list[tuple[str, str]] = field(default_factory=list)


def read(content: bytes, *, zone: tzinfo, now: datetime) -> CalendarFile:
    """What `content` plans from a year before `now` to a year after.

    Args:
        content: the file.
        zone: of times without one, and of whole days, unless the file names its own (X-WR-TIMEZONE).
        now: the middle of what is looked at.

    Raises:
        FileRefused: it is no calendar, or too large.
    """
    calendars = _parsed(content)
    said = CalendarFile()
    for calendar in calendars:
        home = zone_named(str(calendar.get("X-WR-TIMEZONE", ""))) or zone
        series: dict[str, list[Component]] = defaultdict(list)
        for event in calendar.walk("VEVENT"):
            series[str(event.get("UID", "")).strip()].append(event)
        for uid, events in series.items():
            try:
                found = _occurrences(uid, events, home, now)
            except _EventRefused as refusal:
                said.unread.append((str(events[0].get("SUMMARY", "")) or uid or "An event", str(refusal)))
                continue
            said.uids.add(uid)
            said.occurrences += found
            if len(said.occurrences) > MOST_OCCURRENCES:
                raise FileRefused(
                    f"The file plans more than {MOST_OCCURRENCES} shifts within a year. Export fewer at a time."
                )
    said.occurrences.sort(key=lambda one: (one.starts_at, one.key))
    return said


def _parsed(content: bytes) -> list[Calendar]:
    if len(content) > LARGEST_FILE:
        raise FileRefused("The file is larger than 1 MB. Export a shorter span of the calendar.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileRefused("The file is no text in UTF-8, as an iCalendar file (.ics) must be.") from None
    if text.upper().count("BEGIN:") > 3 * MOST_EVENTS:
        raise FileRefused(f"The file has more than {MOST_EVENTS} events. Export a shorter span.")
    try:
        calendars = [one for one in Calendar.from_ical(text, multiple=True) if isinstance(one, Calendar)]
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise FileRefused(f"The file is no iCalendar file (.ics): {str(error)[:200]}") from None
    if not calendars:
        raise FileRefused("There is no calendar in the file. Export it as iCalendar (.ics).")
    return calendars


def _occurrences(uid: str, events: list[Component], zone: tzinfo, now: datetime) -> list[Occurrence]:
    if not uid:
        raise _EventRefused("it has no UID, so that it could not be told apart from the others")
    for event in events:
        _check(event, now)
    mine = Calendar()
    for event in events:
        mine.add_component(event)
    repeated = any(event.get("RRULE") or event.get("RDATE") or event.get("RECURRENCE-ID") for event in events)
    try:
        query = recurring_ical_events.of(mine)
        found = []
        for number, event in enumerate(query.between(now - AROUND, now + AROUND)):
            if number >= MOST_OCCURRENCES:
                raise _EventRefused(f"it repeats more than {MOST_OCCURRENCES} times within a year")
            found.append(_occurrence(uid, event, repeated, zone))
    except _EventRefused:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, ArithmeticError) as error:
        raise _EventRefused(f"it cannot be read: {str(error)[:120]}") from None
    return found


def _check(event: Component, now: datetime) -> None:
    broken = sorted({name for name, _ in event.errors if name})
    if broken:
        raise _EventRefused(f"{', '.join(broken)} cannot be read")
    start = event.get("DTSTART")
    if start is None or not isinstance(getattr(start, "dt", None), date):
        raise _EventRefused("it has no start")
    for name in ("DTSTART", "DTEND", "RECURRENCE-ID"):
        value = event.get(name)
        zone = value.params.get("TZID", "") if value is not None else ""
        if zone and getattr(value.dt, "tzinfo", None) is None:
            raise _EventRefused(f"its time zone {str(zone)[:60]} is not known and not described in the file")
    if event.get("EXRULE"):
        raise _EventRefused("EXRULE is not understood; RFC 5545 has it no more")
    rules = event.get("RRULE")
    for rule in rules if isinstance(rules, list) else [rules] if rules else []:
        _check_rule(rule, start.dt, now)


def _check_rule(rule: Any, start: date, now: datetime) -> None:
    """Only rules that a rota needs, and none that could be computed for hours without a result."""
    frequency = [str(one).upper() for one in rule.get("FREQ", [])]
    if len(frequency) != 1 or frequency[0] not in FREQUENCIES:
        raise _EventRefused("it repeats more often than daily")
    strange = {str(name).upper() for name in rule} - RULE_PARTS
    if strange:
        raise _EventRefused(f"its rule uses {', '.join(sorted(strange))}, which is not understood here")
    days = [abs(int(one)) for one in rule.get("BYMONTHDAY", [])]
    months = [int(one) for one in rule.get("BYMONTH", [])] or list(range(1, 13))
    if any(not 1 <= month <= 12 for month in months):
        raise _EventRefused("its rule names a month that does not exist")
    if days and not any(1 <= day <= LONGEST_MONTHS[month - 1] for day in days for month in months):
        raise _EventRefused("its rule names a day that does not exist")
    if (now.date() - date(start.year, start.month, start.day)) > OLDEST_RULE:
        raise _EventRefused("it repeats since more than 20 years; begin the series anew")


def _occurrence(uid: str, event: Component, repeated: bool, zone: tzinfo) -> Occurrence:
    first: Any = event["DTSTART"]
    last: Any = event["DTEND"]
    starts_at, ends_at = _moment(first.dt, zone), _moment(last.dt, zone)
    key = uid
    if repeated:
        original = event.get("RECURRENCE-ID")
        moment = _moment(original.dt, zone) if original is not None else starts_at
        key = f"{uid}#{moment:%Y%m%dT%H%M%SZ}"
    if len(key) > 255:
        key = f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"
    attendees = event.get("ATTENDEE") or []
    attendees = attendees if isinstance(attendees, list) else [attendees]
    coming = [one for one in attendees if str(one.params.get("PARTSTAT", "")).upper() != "DECLINED"]
    own = {
        name: str(event.get(f"X-FIRSTREAD-{name.upper()}", "")).strip()
        for name in ("username", "group", "duty", "department", "position")
    }
    return Occurrence(
        key=key,
        uid=uid,
        starts_at=starts_at,
        ends_at=ends_at,
        cancelled=str(event.get("STATUS", "")).upper() == "CANCELLED",
        summary=str(event.get("SUMMARY", "")).strip()[:200],
        addresses=tuple(str(one).lower().removeprefix("mailto:") for one in coming),
        names=tuple(str(one.params["CN"]).strip() for one in coming if one.params.get("CN")),
        categories=_categories(event.get("CATEGORIES")),
        **own,
    )


def _categories(value: Any) -> tuple[str, ...]:
    lists = value if isinstance(value, list) else [value] if value is not None else []
    return tuple(str(one).strip() for said in lists for one in getattr(said, "cats", [said]))


def _moment(value: date, zone: tzinfo) -> datetime:
    """In UTC. A whole day begins at midnight of `zone`; a time that comes twice is the first (3.3.5)."""
    if not isinstance(value, datetime):
        value = datetime.combine(value, time())
    return (value if value.tzinfo is not None else value.replace(tzinfo=zone)).astimezone(UTC)
