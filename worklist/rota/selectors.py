"""Reading the calendar: who is on duty, which groups somebody reads for, whose groups these are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet

from foundation.accounts.models import User, granting
from worklist.rota.coverage import Span, uncovered
from worklist.rota.models import Duty, Membership, ReadingGroup, Shift

# Without a shift so far before and after, a group keeps no calendar.
CALENDAR_KEPT_WITHIN = timedelta(days=7)
GAPS_AHEAD = timedelta(days=7)


@dataclass(frozen=True)
class Gap:
    """A span in which nobody is on duty.

    Attributes:
        duty: "reading" or "on_call".
        group: whose studies nobody reads; None for on call.
        department: whose patients nobody is on call for; "" means the whole house.
        members: False when the group has no reader at all, whatever the calendar says.
    """

    duty: str
    group: ReadingGroup | None
    department: str
    starts_at: datetime
    ends_at: datetime
    members: bool = True


def on_duty(
    *,
    at: datetime,
    duty: str,
    group: ReadingGroup | int | None = None,
    department: str | None = None,
) -> list[Shift]:
    """Shifts that stand at `at`, who is called first at the head.

    A shift counts from its start until its end, end excluded. Cancelled shifts and those of people whose
    account is closed do not count.

    Args:
        at: the moment.
        duty: "reading" or "on_call".
        group: only shifts of this group; None: do not ask.
        department: only shifts that answer for this department; one without a department answers for
            every department. None: do not ask.
    """
    shifts = Shift.objects.filter(_stands(at), duty=duty)
    if group is not None:
        shifts = shifts.filter(group=group)
    if department is not None:
        shifts = shifts.filter(department__in=["", department])
    return list(shifts.select_related("user", "group").order_by("position", "starts_at", "pk"))


def covered(group_ids: Iterable[int], at: datetime) -> set[int]:
    """Those of `group_ids` for whom a member reads at `at`, in a constant number of queries.

    A member's reading shift counts for the group it names, or for all of the member's groups when it
    names none. A group that keeps no calendar (no such shift within a week before and after) counts as
    covered by its members. A group that is not active, or has no member, is never covered.
    """
    of_member = Membership.objects.filter(group=OuterRef("pk"), user__is_active=True)
    reading = Shift.objects.filter(
        Q(group=OuterRef("pk")) | Q(group__isnull=True),
        duty=Duty.READING,
        cancelled_at__isnull=True,
        user__is_active=True,
        user__group_memberships__group=OuterRef("pk"),
    )
    planned = reading.filter(starts_at__lte=at + CALENDAR_KEPT_WITHIN, ends_at__gt=at - CALENDAR_KEPT_WITHIN)
    groups = ReadingGroup.objects.filter(Exists(of_member), pk__in=list(group_ids), active=True)
    read_for = groups.filter(Exists(reading.filter(_stands(at))) | ~Exists(planned))
    return set(read_for.values_list("pk", flat=True))


def groups_of(user: User) -> set[int]:
    """Active groups that `user` reads for."""
    return set(Membership.objects.filter(user=user, group__active=True).values_list("group_id", flat=True))


def gaps(*, start: datetime, ahead: timedelta = GAPS_AHEAD) -> list[Gap]:
    """When nobody reads for an active group, or nobody is on call, from `start` on; in order of time.

    Says of each moment what `covered` says of it. On call is asked of each department that has a
    calendar of its own, and of the whole house; who answers for the whole house answers for each.
    """
    end = start + ahead
    shifts = list(
        Shift.objects.filter(
            cancelled_at__isnull=True,
            user__is_active=True,
            starts_at__lte=end + CALENDAR_KEPT_WITHIN,
            ends_at__gt=start - CALENDAR_KEPT_WITHIN,
        )
    )
    found = [*_reading_gaps(shifts, start, end), *_on_call_gaps(shifts, start, end)]
    return sorted(found, key=lambda gap: (gap.starts_at, gap.group.name if gap.group else gap.department))


def _reading_gaps(shifts: list[Shift], start: datetime, end: datetime) -> list[Gap]:
    members = Membership.objects.filter(user__is_active=True)
    found = []
    for group in ReadingGroup.objects.filter(active=True).prefetch_related(
        Prefetch("memberships", queryset=members)
    ):
        readers = {member.user_id for member in group.memberships.all()}
        if not readers:
            found.append(Gap(Duty.READING, group, "", start, end, members=False))
            continue
        spans = [
            (one.starts_at, one.ends_at)
            for one in shifts
            if one.duty == Duty.READING and one.group_id in (None, group.pk) and one.user_id in readers
        ]
        found += [Gap(Duty.READING, group, "", *span) for span in _missing(spans, start, end)]
    return found


def _on_call_gaps(shifts: list[Shift], start: datetime, end: datetime) -> list[Gap]:
    on_call = [one for one in shifts if one.duty == Duty.ON_CALL]
    found = []
    for department in sorted({one.department for one in on_call}):
        spans = [(one.starts_at, one.ends_at) for one in on_call if one.department in ("", department)]
        found += [Gap(Duty.ON_CALL, None, department, *span) for span in _missing(spans, start, end)]
    return found


def _missing(spans: list[Span], start: datetime, end: datetime) -> list[Span]:
    return uncovered(spans, start=start, end=end, kept_within=CALENDAR_KEPT_WITHIN)


def groups_for_list() -> QuerySet[ReadingGroup]:
    """Groups with their members, by name."""
    members = Membership.objects.filter(user__is_active=True).select_related("user")
    return ReadingGroup.objects.order_by("name").prefetch_related(
        Prefetch("memberships", queryset=members.order_by("user__display_name", "user__username"))
    )


def shifts_for_list() -> QuerySet[Shift]:
    """Shifts with person and group, the earliest first."""
    return Shift.objects.select_related("user", "group").order_by("starts_at", "position", "pk")


def people_for_duty(roles: Iterable[str]) -> QuerySet[User]:
    """Active people who hold one of `roles`, by name."""
    holds = User.objects.filter(role_assignments__role__in=granting(*roles), is_active=True)
    return holds.distinct().order_by("display_name", "username")


def next_on_duty(*, groups: Iterable[int], at: datetime, besides: User | None = None) -> Shift | None:
    """The shift of a member of one of `groups` that reads at `at`, else the next to begin.

    Args:
        groups: ids of groups.
        besides: whose shifts do not count: the person who goes.
    """
    ids = list(groups)
    member = Membership.objects.filter(user=OuterRef("user"), group__in=ids)
    shifts = shifts_for_list().filter(
        Exists(member.filter(group=OuterRef("group"))) | (Q(group__isnull=True) & Exists(member)),
        duty=Duty.READING,
        cancelled_at__isnull=True,
        ends_at__gt=at,
        user__is_active=True,
    )
    if besides is not None:
        shifts = shifts.exclude(user=besides)
    return shifts.first()


def _stands(at: datetime) -> Q:
    return Q(starts_at__lte=at, ends_at__gt=at, cancelled_at__isnull=True, user__is_active=True)
