"""Reading the calendar: who is on duty, which groups somebody reads for, whose groups these are."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q

from foundation.accounts.models import User
from worklist.rota.models import Duty, Membership, ReadingGroup, Shift

# Without a shift so far before and after, a group keeps no calendar.
CALENDAR_KEPT_WITHIN = timedelta(days=7)


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


def _stands(at: datetime) -> Q:
    return Q(starts_at__lte=at, ends_at__gt=at, cancelled_at__isnull=True, user__is_active=True)
