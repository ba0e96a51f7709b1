"""Who may hold a socket: people who are signed in and have a role; asked again while it is open."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.utils import timezone

from foundation.accounts.middleware import LAST_SEEN
from foundation.accounts.models import Role, User, granting
from foundation.audit import services as audit
from worklist.live import services

ROLES = (Role.RADIOLOGIST, Role.ER_STAFF, Role.QA_REVIEWER, Role.PACS_ADMINISTRATOR)


@dataclass(frozen=True)
class Visitor:
    """Somebody who holds a socket."""

    user_id: int
    session_key: str


def admit(scope: Mapping[str, Any], connection: str) -> Visitor | None:
    """The visitor of a new connection, audited and marked present; None when they may not stay."""
    user = scope["user"]
    session_key = scope["session"].session_key
    if not isinstance(user, User) or not session_key or not user.has_role(*ROLES):
        return None
    client = scope.get("client") or ("", 0)
    audit.record(
        audit.Kind.APPLICATION_ACTIVITY,
        action="E",
        user=user,
        channel="websocket",
        peer=str(client[0]),
        detail={"what": "live updates opened"},
    )
    services.arrive(connection, user.pk)
    return Visitor(user_id=user.pk, session_key=session_key)


def still_welcome(visitors: Mapping[str, Visitor]) -> set[str]:
    """The connections that may stay: the session stands, was used lately, its user is active with a role.

    A constant number of queries for each 500, however many pages are open; who stays is marked present.
    """
    sessions: dict[str, dict[str, Any]] = {}
    active: set[int] = set()
    for some in services.in_chunks({visitor.session_key for visitor in visitors.values()}):
        rows = Session.objects.filter(session_key__in=some, expire_date__gt=timezone.now())
        sessions |= {row.session_key: row.get_decoded() for row in rows}
    for few in services.in_chunks({visitor.user_id for visitor in visitors.values()}):
        active |= set(
            User.objects.filter(
                pk__in=few, is_active=True, role_assignments__role__in=granting(*ROLES)
            ).values_list("pk", flat=True)
        )
    welcome = {
        connection
        for connection, visitor in visitors.items()
        if visitor.user_id in active and _in_use(sessions.get(visitor.session_key, {}), visitor)
    }
    services.still_here(welcome)
    return welcome


def _in_use(session: Mapping[str, Any], visitor: Visitor) -> bool:
    if str(session.get(SESSION_KEY, "")) != str(visitor.user_id):
        return False
    return bool(time.time() - session.get(LAST_SEEN, time.time()) <= settings.IDLE_TIMEOUT_SECONDS)
