"""Shifts and spans in words, for refusals, the command line and the audit trail."""

from __future__ import annotations

from datetime import datetime, tzinfo

from worklist.rota.models import Duty, Shift
from worklist.rota.selectors import Gap

_DUTY_WORDS = {Duty.READING.value: "reads", Duty.ON_CALL.value: "is on call"}


def span_in_words(start: datetime, end: datetime, zone: tzinfo) -> str:
    """`Sat 28 Nov 18:00 to Sun 29 Nov 08:00`; the second day is left out when it is the first one."""
    first, last = start.astimezone(zone), end.astimezone(zone)
    until = f"{last:%H:%M}" if first.date() == last.date() else moment_in_words(end, zone)
    return f"{moment_in_words(start, zone)} to {until}"


def moment_in_words(moment: datetime, zone: tzinfo) -> str:
    """`Sat 28 Nov 18:00`."""
    local = moment.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b %H:%M}"


def shift_in_words(shift: Shift, zone: tzinfo) -> str:
    """`Dr. Anna reads for Neuro from Sat 28 Nov 18:00 to 20:00`."""
    whom = shift.group.name if shift.group is not None else shift.department
    place = f" for {whom}" if whom else ""
    return f"{shift.user} {_DUTY_WORDS[shift.duty]}{place} from " + span_in_words(
        shift.starts_at, shift.ends_at, zone
    )


def gap_in_words(gap: Gap, zone: tzinfo) -> str:
    """`Neuro has nobody from Sat 28 Nov 18:00 to Sun 29 Nov 08:00`."""
    if not gap.members:
        return f"{gap.group} has no members: its studies are shown to everybody before they are due"
    on_call = f"On call for {gap.department}" if gap.department else "On call"
    whom = on_call if gap.group is None else gap.group.name
    return f"{whom} has nobody from {span_in_words(gap.starts_at, gap.ends_at, zone)}"
