"""Takes a calendar file into the rota: once, however often it is sent; what cannot be matched is told."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from foundation.accounts.models import User
from foundation.audit import services as audit
from foundation.databases import exclusive
from worklist.rota import services
from worklist.rota.calendar_file import CalendarFile, FileRefused, Occurrence, read
from worklist.rota.models import Duty, ReadingGroup, Shift
from worklist.rota.selectors import people_for_duty
from worklist.rota.wording import shift_in_words, span_in_words

IMPORT_LOCK: Final = 0x46525249
_DUTY_NAMES: Final = {
    "reading": Duty.READING.value,
    "oncall": Duty.ON_CALL.value,
}


@dataclass(frozen=True)
class Defaults:
    """What holds for events that do not say it themselves.

    Attributes:
        complete: the file is the whole plan of this duty and group: what an earlier file planned and
            this one does not name any more is cancelled.
    """

    duty: str = Duty.READING.value
    group: ReadingGroup | None = None
    department: str = ""
    complete: bool = False


@dataclass
class Imported:
    """What an import did, or in a dry run would do, each in words."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    unmatched: list[tuple[str, str]] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    unchanged: int = 0
    over: int = 0


def import_calendar(
    *,
    content: bytes,
    defaults: Defaults,
    zone: tzinfo,
    dry_run: bool,
    by: User | None,
    request: HttpRequest | None = None,
    channel: str = "",
) -> Imported:
    """Add, change and cancel shifts so that they are what the file plans from now on.

    An event is known by its UID, a repetition by its RECURRENCE-ID too: the same file again changes
    nothing. What was cancelled or given away here stays so; what is over stays as it was. One import at
    a time. A dry run does everything and takes it back, so that what it says is what would happen.

    Args:
        content: an iCalendar file.
        defaults: for what events do not say.
        zone: of times without one, and of the words of the answer.

    Raises:
        ValidationError: the file as a whole is refused; see worklist.rota.calendar_file.
    """
    now = timezone.now()
    try:
        file = read(content, zone=zone, now=now)
    except FileRefused as refusal:
        raise ValidationError(str(refusal)) from None
    done = Imported(unmatched=list(file.unread))
    with exclusive(IMPORT_LOCK):
        _Import(done, defaults, zone, now, {"by": by, "request": request, "channel": channel}).take(file)
        if dry_run:
            transaction.set_rollback(True)
        else:
            audit.record(
                audit.Kind.APPLICATION_ACTIVITY,
                action="E",
                user=by,
                request=request,
                channel=channel,
                detail={
                    "what": "calendar imported",
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "added": len(done.added),
                    "changed": len(done.changed),
                    "cancelled": len(done.cancelled),
                    "unmatched": len(done.unmatched),
                },
            )
    return done


def own_uid(shift: Shift) -> str:
    """The UID under which this house exports the shift; no other house makes the same."""
    return f"shift-{shift.pk}-{_house()}@firstread"


def _house() -> str:
    return hashlib.sha256(b"firstread rota " + settings.SECRET_KEY.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class _Wanted:
    """What an occurrence asks for, matched with people and groups of this house."""

    duty: str
    user: User
    group: ReadingGroup | None
    department: str
    position: int
    starts_at: datetime
    ends_at: datetime

    def values(self) -> dict[str, Any]:
        return dict(self.__dict__)


class _Import:
    def __init__(
        self, done: Imported, defaults: Defaults, zone: tzinfo, now: datetime, who: dict[str, Any]
    ) -> None:
        self.done, self.defaults, self.zone, self.now, self.who = done, defaults, zone, now, who
        self.groups = {one.name.casefold(): one for one in ReadingGroup.objects.filter(active=True)}
        self.people = {duty: list(people_for_duty(roles)) for duty, roles in services.ROLES_OF_DUTY.items()}

    def take(self, file: CalendarFile) -> None:
        known = self._known(file.occurrences)
        coming: list[tuple[Occurrence, _Wanted, Shift | None]] = []
        for one in file.occurrences:
            shift = known.get(one.key)
            if one.ends_at <= self.now or (shift is not None and shift.ends_at <= self.now):
                self.done.over += 1
            elif shift is not None and shift.cancelled_at is not None:
                if not one.cancelled:
                    self.done.kept.append(f"{shift_in_words(shift, self.zone)}: cancelled or given away here")
            elif one.cancelled:
                if shift is not None:
                    self._cancel(shift, "cancelled in the calendar file")
            else:
                try:
                    coming.append((one, self._wanted(one), shift))
                except ValidationError as refusal:
                    self._unmatched(one, refusal)
        self._cancel_missing(file)
        # What moves makes room first, so that two people who swap do not stand in each other's way.
        moving = []
        for one, wanted, shift in coming:
            if shift is not None and self._same(shift, wanted):
                self.done.unchanged += 1
            else:
                moving.append((one, wanted, shift))
        self._move(moving)

    def _move(self, moving: list[tuple[Occurrence, _Wanted, Shift | None]]) -> None:
        for _, _, shift in moving:
            if shift is not None:
                self._make_room(shift)
        for one, wanted, shift in moving:
            values = wanted.values()
            if shift is not None and shift.starts_at < self.now:
                values["starts_at"] = max(wanted.starts_at, self.now)
            try:
                made = services.plan_shift(**values, note=one.summary, ical_uid=one.key, **self.who)
            except ValidationError as refusal:
                self._unmatched(one, refusal)
                if shift is not None:
                    self.done.cancelled.append(
                        f"{shift_in_words(shift, self.zone)}: moved in the file to where it cannot be"
                    )
                continue
            said = shift_in_words(made, self.zone)
            if shift is None:
                self.done.added.append(said)
            else:
                self.done.changed.append(f"{said}; before: {shift_in_words(shift, self.zone)}")

    def _make_room(self, shift: Shift) -> None:
        """Take the old version of a changed event off the calendar; its row stays, without the event."""
        Shift.objects.filter(pk=shift.pk).update(ical_uid="")
        if shift.starts_at < self.now:
            Shift.objects.filter(pk=shift.pk).update(ends_at=self.now)
        else:
            services.cancel_shift(shift_id=shift.pk, reason="changed in the calendar file", **self.who)

    def _cancel(self, shift: Shift, reason: str) -> None:
        # Without the event's name: should the calendar bring it back, it is planned anew.
        Shift.objects.filter(pk=shift.pk).update(ical_uid="")
        services.cancel_shift(shift_id=shift.pk, reason=reason, **self.who)
        self.done.cancelled.append(shift_in_words(shift, self.zone))

    def _cancel_missing(self, file: CalendarFile) -> None:
        """Repetitions that a series of the file has no more; of a complete file, events too."""
        named = {one.key for one in file.occurrences}
        standing = Shift.objects.filter(cancelled_at__isnull=True, ends_at__gt=self.now).exclude(ical_uid="")
        for shift in standing.select_related("user", "group").order_by("starts_at"):
            uid = shift.ical_uid.rsplit("#", 1)[0]
            scope = shift.duty == self.defaults.duty and shift.group == self.defaults.group
            if shift.ical_uid not in named and (uid in file.uids or (self.defaults.complete and scope)):
                self._cancel(shift, "not in the calendar file any more")

    def _known(self, occurrences: Iterable[Occurrence]) -> dict[str, Shift]:
        """Shifts of these keys: the one that stands, else the one that was taken away here."""
        keys = [one.key for one in occurrences]
        own = re.compile(rf"shift-([0-9]{{1,18}})-{_house()}@firstread")
        numbers = {int(m.group(1)): key for key in keys if (m := own.fullmatch(key))}
        found: dict[str, Shift] = {}
        for n in range(0, len(keys), 300):
            part = keys[n : n + 300]
            named = Q(ical_uid__in=part) | Q(pk__in=[pk for pk, key in numbers.items() if key in set(part)])
            rows = Shift.objects.filter(named).select_related("user", "group")
            for shift in sorted(rows, key=lambda one: (one.cancelled_at is None, bool(one.ical_uid), one.pk)):
                found[shift.ical_uid if shift.ical_uid in part else numbers[shift.pk]] = shift
        return found

    def _same(self, shift: Shift, wanted: _Wanted) -> bool:
        begun = shift.starts_at < self.now and wanted.starts_at < self.now
        return (begun or shift.starts_at == wanted.starts_at) and all(
            getattr(shift, name) == getattr(wanted, name)
            for name in ("duty", "user", "group", "department", "position", "ends_at")
        )

    def _wanted(self, one: Occurrence) -> _Wanted:
        duty = self._duty(one)
        on_call = duty == Duty.ON_CALL
        if one.position and not one.position.isdigit():
            raise ValidationError(f"position {one.position[:20]} is no number")
        return _Wanted(
            duty=duty,
            user=self._person(one, duty),
            group=self._group(one),
            department=(one.department or self.defaults.department)[:120] if on_call else "",
            position=int(one.position[:3]) if one.position else 1,
            starts_at=one.starts_at,
            ends_at=one.ends_at,
        )

    def _duty(self, one: Occurrence) -> str:
        said = [one.duty] if one.duty else list(one.categories)
        for name in said:
            plain = re.sub(r"[^a-z]", "", name.lower())
            if plain in _DUTY_NAMES:
                return _DUTY_NAMES[plain]
        return self.defaults.duty

    def _group(self, one: Occurrence) -> ReadingGroup | None:
        if one.group:
            if one.group.casefold() not in self.groups:
                raise ValidationError(f"there is no group {one.group[:80]}")
            return self.groups[one.group.casefold()]
        named = [self.groups[c.casefold()] for c in one.categories if c.casefold() in self.groups]
        return named[0] if named else self.defaults.group

    def _person(self, one: Occurrence, duty: str) -> User:
        people = self.people[duty]
        names = {name.casefold() for name in one.names}
        summary = one.summary.casefold()
        tries = (
            [p for p in people if one.username and p.username == one.username],
            [p for p in people if p.email and p.email.lower() in one.addresses],
            [p for p in people if {p.username.casefold(), p.display_name.casefold()} & names],
            [p for p in people if summary in (p.username.casefold(), p.display_name.casefold())],
            [p for p in people if p.display_name and _names(summary, p.display_name.casefold())],
        )
        found = next((some for some in tries if some), [])
        if len(found) > 1:
            raise ValidationError(f"it names several people: {', '.join(str(p) for p in found[:5])}")
        if not found:
            raise ValidationError(
                "nobody here who may have this duty has its attendee's address or name, or the name in its title"
            )
        return found[0]

    def _unmatched(self, one: Occurrence, refusal: ValidationError) -> None:
        what = f"{one.summary or one.uid[:80]}, {span_in_words(one.starts_at, one.ends_at, self.zone)}"
        self.done.unmatched.append((what, " ".join(refusal.messages)))


def _names(text: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None
