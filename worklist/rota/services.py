"""Shifts: planned, cancelled and given to another by administrators; every change is audited and told."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from foundation.accounts.models import Role, User
from foundation.audit import services as audit
from worklist.live.messages import Topic
from worklist.live.services import announce
from worklist.rota.models import Duty, ReadingGroup, Shift
from worklist.rota.wording import shift_in_words
from worklist.rota.zones import zone_of

LONGEST_SHIFT: Final = timedelta(days=7)
ROLES_OF_DUTY: Final = {
    Duty.READING.value: (Role.RADIOLOGIST,),
    Duty.ON_CALL.value: (Role.RADIOLOGIST, Role.ER_STAFF),
}


def plan_shift(
    *,
    duty: str,
    user: User,
    starts_at: datetime,
    ends_at: datetime,
    by: User | None,
    group: ReadingGroup | None = None,
    department: str = "",
    position: int = 1,
    note: str = "",
    ical_uid: str = "",
    request: HttpRequest | None = None,
    channel: str = "",
) -> Shift:
    """Put `user` on duty from `starts_at` until `ends_at`, end excluded.

    One person has one duty of a kind at a time, whoever plans it and whatever else is planned at the
    same moment: the person's row is locked while the calendar is looked at.

    Raises:
        ValidationError: it ends before it starts, is longer than a week, is for somebody without the
            role, or overlaps another shift of the same person and duty.
    """
    shift = Shift(
        duty=duty,
        user=user,
        group=group,
        department=department.strip(),
        position=position,
        starts_at=starts_at,
        ends_at=ends_at,
        note=note.strip()[:200],
        ical_uid=ical_uid,
        created_by=by,
    )
    with transaction.atomic():
        _check(shift, by)
        shift.save()
        _record("C", "shift planned", shift, by, request, channel)
        _tell(shift)
    return shift


def cancel_shift(
    *,
    shift_id: int,
    reason: str,
    by: User | None,
    request: HttpRequest | None = None,
    channel: str = "",
) -> Shift:
    """Take the shift off the calendar; the row stays. Twice is harmless: the first reason stands.

    Raises:
        ValidationError: it is over, or no reason was given.
    """
    if not reason.strip():
        raise ValidationError("Say why the shift is cancelled.")
    with transaction.atomic():
        shift = _locked(shift_id)
        if shift.cancelled_at is None:
            _refuse_past(shift, "cancelled")
            _cancel(shift, by)
            _record("U", "shift cancelled", shift, by, request, channel, reason=reason.strip()[:200])
            _tell(shift)
    return shift


def give_shift(
    *, shift_id: int, to: User, reason: str, by: User | None, request: HttpRequest | None = None
) -> Shift:
    """Give what is left of the shift to `to`; returns the new shift.

    A shift that has begun is cut: until now it was the first person's, from now on it is the other's.
    Giving it to who has it already changes nothing.

    Raises:
        ValidationError: it is over or cancelled, no reason was given, or `to` cannot take it.
    """
    if not reason.strip():
        raise ValidationError("Say why the shift is given to somebody else.")
    with transaction.atomic():
        shift = _locked(shift_id)
        if shift.user_id == to.pk:
            return shift
        if shift.cancelled_at is not None:
            raise ValidationError("This shift was cancelled. Plan a new one instead.")
        _refuse_past(shift, "given to somebody else")
        now = timezone.now()
        begun = shift.starts_at < now
        given = Shift(
            duty=shift.duty,
            user=to,
            group=shift.group,
            department=shift.department,
            position=shift.position,
            starts_at=now if begun else shift.starts_at,
            ends_at=shift.ends_at,
            note=f"From {shift.user}: {reason.strip()}"[:200],
            created_by=by,
        )
        _check(given, by)
        if begun:
            shift.ends_at = now
            shift.save(update_fields=["ends_at"])
        else:
            _cancel(shift, by)
        given.save()
        _record(
            "U",
            "shift given to another",
            shift,
            by,
            request,
            to=to.username,
            new_shift=given.pk,
            reason=reason.strip()[:200],
        )
        _tell(shift)
        _tell(given)
    return given


def _check(shift: Shift, by: User | None) -> None:
    """Raise ValidationError unless `shift` may stand; locks its person until the transaction ends."""
    user = User.objects.select_for_update(no_key=True).get(pk=shift.user_id)
    if shift.duty not in ROLES_OF_DUTY:
        raise ValidationError(f"A shift is for {' or '.join(ROLES_OF_DUTY)}.")
    if not user.has_role(*ROLES_OF_DUTY[shift.duty]):
        needed = " or ".join(role.label for role in ROLES_OF_DUTY[shift.duty])
        raise ValidationError(
            f"{user} cannot have this duty: it needs the role {needed} and an open account."
        )
    if shift.ends_at <= shift.starts_at:
        raise ValidationError("The shift must end after it starts.")
    if shift.ends_at - shift.starts_at > LONGEST_SHIFT:
        raise ValidationError("A shift lasts a week at most. Plan several.")
    if shift.ends_at <= timezone.now():
        raise ValidationError("The shift would be over already. Choose a later end.")
    if shift.position < 1:
        raise ValidationError("Position 1 is called first, 2 next.")
    if shift.duty == Duty.READING and shift.department:
        raise ValidationError("A reading shift is for a group. Departments are for on-call shifts.")
    other = (
        Shift.objects.filter(
            duty=shift.duty,
            user=user,
            cancelled_at__isnull=True,
            starts_at__lt=shift.ends_at,
            ends_at__gt=shift.starts_at,
        )
        .exclude(pk=shift.pk)
        .select_related("user", "group")
        .order_by("starts_at")
        .first()
    )
    if other is not None:
        raise ValidationError(
            f"{shift_in_words(other, zone_of(by))} already. Cancel that shift, or choose other times."
        )


def _locked(shift_id: int) -> Shift:
    return Shift.objects.select_for_update(of=("self",)).select_related("user", "group").get(pk=shift_id)


def _refuse_past(shift: Shift, what: str) -> None:
    if shift.ends_at <= timezone.now():
        raise ValidationError(f"This shift is over and cannot be {what} any more.")


def _cancel(shift: Shift, by: User | None) -> None:
    shift.cancelled_at, shift.cancelled_by = timezone.now(), by
    shift.save(update_fields=["cancelled_at", "cancelled_by"])


def _tell(shift: Shift) -> None:
    announce(Topic.ROTA, f"shift:{shift.pk}", 1 if shift.cancelled_at is None else 2)


def _record(
    action: str,
    what: str,
    shift: Shift,
    by: User | None,
    request: HttpRequest | None,
    channel: str = "",
    **detail: Any,
) -> None:
    audit.record(
        audit.Kind.APPLICATION_ACTIVITY,
        action=action,
        user=by,
        request=request,
        channel=channel,
        detail={
            "what": what,
            "shift": shift.pk,
            "duty": shift.duty,
            "person": shift.user.username,
            "group": shift.group.name if shift.group is not None else "",
            "department": shift.department,
            "starts_at": shift.starts_at.isoformat(),
            "ends_at": shift.ends_at.isoformat(),
            **detail,
        },
    )
