"""Groups and their members: made and changed by administrators; every change is audited and told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest

from foundation.accounts.models import Role, User
from foundation.audit import services as audit
from pacs.models import LocationClass
from worklist.live.messages import Topic
from worklist.live.services import announce
from worklist.rota.models import Membership, ReadingGroup

FIELDS: Final = frozenset(
    {
        "name",
        "description",
        "modalities",
        "body_parts",
        "institutions",
        "location_classes",
        "share_before_minutes",
        "active",
    }
)
LONGEST_SHARE_MINUTES: Final = 7 * 24 * 60


def add_group(
    *, values: Mapping[str, Any], by: User | None, request: HttpRequest | None = None, channel: str = ""
) -> ReadingGroup:
    """A new group without members.

    Args:
        values: some of FIELDS.

    Raises:
        ValidationError: the name is taken, or a value is not right.
    """
    with transaction.atomic():
        group = ReadingGroup(**_known(values))
        _check(group)
        group.save()
        _record("C", "reading group added", group, by, request, channel)
        _tell(group)
    return group


def change_group(
    *, group_id: int, values: Mapping[str, Any], by: User | None, request: HttpRequest | None = None
) -> ReadingGroup:
    """Change a group's name or rule, or close and open it (`active`).

    Raises:
        ValidationError: as `add_group`.
    """
    with transaction.atomic():
        group = ReadingGroup.objects.select_for_update().get(pk=group_id)
        changed = {n: v for n, v in _known(values).items() if getattr(group, n) != v}
        if not changed:
            return group
        for name, value in changed.items():
            setattr(group, name, value)
        _check(group)
        group.version += 1
        group.save()
        _record("U", "reading group changed", group, by, request, fields=sorted(changed))
        _tell(group)
    return group


def add_member(
    *, group_id: int, user: User, by: User | None, request: HttpRequest | None = None, channel: str = ""
) -> Membership:
    """Let `user` read for the group; twice changes nothing.

    Raises:
        ValidationError: `user` is no radiologist.
    """
    if not user.has_role(Role.RADIOLOGIST):
        raise ValidationError(f"{user} is no radiologist. Give the role first, then the group.")
    with transaction.atomic():
        group = ReadingGroup.objects.select_for_update().get(pk=group_id)
        member, created = Membership.objects.get_or_create(group=group, user=user, defaults={"added_by": by})
        if created:
            _raise_version(group)
            _record("U", "reader added to group", group, by, request, channel, reader=user.username)
    return member


def remove_member(*, group_id: int, user: User, by: User | None, request: HttpRequest | None = None) -> bool:
    """Take `user` out of the group; True when they were in it. Their shifts stay and count no more."""
    with transaction.atomic():
        group = ReadingGroup.objects.select_for_update().get(pk=group_id)
        deleted, _ = Membership.objects.filter(group=group, user=user).delete()
        if deleted:
            _raise_version(group)
            _record("U", "reader removed from group", group, by, request, reader=user.username)
    return bool(deleted)


def _raise_version(group: ReadingGroup) -> None:
    group.version += 1
    group.save(update_fields=["version"])
    _tell(group)


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    unknown = set(values) - FIELDS
    if unknown:
        raise ValidationError(f"A group has no {', '.join(sorted(unknown))}.")
    tidy = dict(values)
    for name in ("modalities", "body_parts", "institutions"):
        if name in tidy:
            words = [str(one).strip() for one in tidy[name]]
            words = [one if name == "institutions" else one.upper() for one in words if one]
            tidy[name] = list(dict.fromkeys(words))
    return tidy


def _check(group: ReadingGroup) -> None:
    group.name = group.name.strip()
    if not group.name:
        raise ValidationError("A group needs a name.")
    if ReadingGroup.objects.filter(name__iexact=group.name).exclude(pk=group.pk).exists():
        raise ValidationError(
            f"There is a group {group.name} already. Choose another name, or change that one."
        )
    unknown = set(group.location_classes) - set(LocationClass.values)
    if unknown:
        raise ValidationError(
            f"{', '.join(sorted(unknown))}: locations are {', '.join(LocationClass.values)}."
        )
    if not 0 <= group.share_before_minutes <= LONGEST_SHARE_MINUTES:
        raise ValidationError("Studies are shared between 0 minutes and a week before they are due.")


def _tell(group: ReadingGroup) -> None:
    announce(Topic.ROTA, f"group:{group.pk}", group.version)


def _record(
    action: str,
    what: str,
    group: ReadingGroup,
    by: User | None,
    request: HttpRequest | None,
    channel: str = "",
    **detail: object,
) -> None:
    audit.record(
        audit.Kind.APPLICATION_ACTIVITY,
        action=action,
        user=by,
        request=request,
        channel=channel,
        detail={"what": what, "group": group.name, **detail},
    )
