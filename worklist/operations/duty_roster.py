"""Who reads and who is on call in the demo: groups and shifts of the demo's own people, synthetic names only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone

from foundation.accounts.models import User
from worklist import flows
from worklist.rota import groups, services
from worklist.rota.models import Duty, ReadingGroup, Shift
from worklist.rota.zones import site_zone

DAYS_AHEAD = 8
SATURDAY = 5
# The demo's people carry this before their names; nobody else is put on a calendar by it.
MARK = "Demo "
READERS = ("radiologist", "radiologist2")
NURSE = "er"
GROUPS: tuple[dict[str, Any], ...] = (
    {
        "name": "Demo neuro",
        "description": "Head and brain",
        "modalities": ["CT", "MR"],
        "body_parts": ["HEAD", "BRAIN"],
    },
    {"name": "Demo ER", "description": "Whatever the ER sends", "location_classes": ["er"]},
)


@dataclass(frozen=True)
class Planned:
    """How many groups and shifts were made now."""

    groups: int
    shifts: int


def plan(*, now: datetime | None = None) -> Planned:
    """Give the demo's readers groups, and shifts from today on for a week; twice adds nothing.

    One reads by day, the other by night, and each is on call while they do not read. The night from
    Saturday to Sunday stays free, so that the page has a gap to tell. Without the demo's people, or where
    somebody planned a calendar of their own, nothing happens.
    """
    now = now or timezone.now()
    people = User.objects.filter(username__in=[*READERS, NURSE], display_name__startswith=MARK)
    by_name = {one.username: one for one in people.filter(is_active=True)}
    strangers = Shift.objects.exclude(user__display_name__startswith=MARK)
    if not set(READERS) <= set(by_name) or strangers.exists():
        return Planned(0, 0)
    day, night = (by_name[name] for name in READERS)
    return Planned(_groups([day, night]), _shifts(day, night, by_name.get(NURSE), now))


def _groups(readers: list[User]) -> int:
    made = 0
    for values in GROUPS:
        if ReadingGroup.objects.filter(name__iexact=values["name"]).exists():
            continue
        group = flows.add_group(values=values, by=None, channel="command")
        for reader in readers:
            groups.add_member(group_id=group.pk, user=reader, by=None, channel="command")
        made += 1
    return made


def _shifts(day: User, night: User, nurse: User | None, now: datetime) -> int:
    zone, made = site_zone(), 0
    today = now.astimezone(zone).date()
    # Yesterday's night lasts until this morning.
    for number in range(-1, DAYS_AHEAD):
        date = today + timedelta(days=number)
        morning, evening, next_morning = (
            datetime.combine(date + timedelta(days=days), time(hour), tzinfo=zone)
            for days, hour in ((0, 7), (0, 19), (1, 7))
        )
        wanted: list[dict[str, Any]] = [
            {"duty": Duty.READING, "user": day, "starts_at": morning, "ends_at": evening},
            {"duty": Duty.ON_CALL, "user": night, "starts_at": morning, "ends_at": evening, "position": 2},
            {"duty": Duty.ON_CALL, "user": day, "starts_at": evening, "ends_at": next_morning, "position": 2},
        ]
        if date.weekday() != SATURDAY:
            wanted.append(
                {"duty": Duty.READING, "user": night, "starts_at": evening, "ends_at": next_morning}
            )
        if nurse is not None:
            on_call = {"duty": Duty.ON_CALL, "user": nurse, "department": "ER"}
            wanted.append({**on_call, "starts_at": morning, "ends_at": next_morning})
        made += sum(_shift(one, now) for one in wanted)
    return made


def _shift(values: dict[str, Any], now: datetime) -> bool:
    """One shift of the demo, unless it is over, was planned before (cancelled too), or does not fit."""
    known = Shift.objects.filter(
        duty=values["duty"],
        user=values["user"],
        starts_at__lt=values["ends_at"],
        ends_at__gt=values["starts_at"],
    )
    if values["ends_at"] <= now or known.exists():
        return False
    try:
        services.plan_shift(**values, by=None, channel="command")
    except ValidationError:
        return False
    return True
