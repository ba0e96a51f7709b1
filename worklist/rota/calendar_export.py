"""Writes shifts as an iCalendar file (RFC 5545) that calendars show and this program reads back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC

from icalendar import Calendar, Event

from worklist.rota.importing import own_uid
from worklist.rota.models import Duty, Shift

_CATEGORY = {Duty.READING.value: "Reading", Duty.ON_CALL.value: "On call"}


def calendar_of(shifts: Iterable[Shift]) -> bytes:
    """The file; times in UTC, so that it needs no description of time zones. No patient data."""
    calendar = Calendar()
    calendar.add("prodid", "-//Firstread//On-call calendar//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    for shift in shifts:
        calendar.add_component(_event(shift))
    return bytes(calendar.to_ical())


def _event(shift: Shift) -> Event:
    event = Event()
    whom = shift.group.name if shift.group is not None else shift.department
    duty = _CATEGORY[shift.duty]
    event.add("uid", own_uid(shift))
    event.add("dtstamp", shift.created_at.astimezone(UTC))
    event.add("dtstart", shift.starts_at.astimezone(UTC))
    event.add("dtend", shift.ends_at.astimezone(UTC))
    event.add("summary", f"{duty}{f', {whom}' if whom else ''}: {shift.user}")
    event.add("categories", [duty, *([shift.group.name] if shift.group is not None else [])])
    event.add("status", "CONFIRMED")
    said = {
        "username": shift.user.username,
        "duty": shift.duty,
        "group": shift.group.name if shift.group is not None else "",
        "department": shift.department,
        "position": str(shift.position),
    }
    for name, value in said.items():
        if value:
            event.add(f"x-firstread-{name}", value)
    return event
