"""Time zones that times on the calendar are said in, and read in."""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings

from foundation.accounts.models import User


def site_zone() -> ZoneInfo:
    """The zone of the site's clock."""
    return zone_named(settings.SITE_TIME_ZONE) or ZoneInfo("UTC")


def zone_of(user: User | None) -> ZoneInfo:
    """The zone that `user` chose, else the site's."""
    return zone_named(user.time_zone if user is not None else "") or site_zone()


def day_zone(user: User) -> ZoneInfo:
    """The zone in which `user`'s days begin and end: the one they chose, else UTC."""
    return zone_named(user.time_zone) or ZoneInfo("UTC")


def zone_named(name: str) -> ZoneInfo | None:
    """The zone of an IANA name, None when there is none of that name."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
