"""Who may hold a socket: people who are signed in and have a role; asked again while it is open."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore

from foundation.accounts.middleware import LAST_SEEN
from foundation.accounts.models import Role, User
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


def still_welcome(visitor: Visitor, connection: str) -> bool:
    """True while the session stands, was used lately, and its user is active with a role."""
    session = SessionStore(visitor.session_key).load()
    if str(session.get(SESSION_KEY, "")) != str(visitor.user_id):
        return False
    if time.time() - session.get(LAST_SEEN, time.time()) > settings.IDLE_TIMEOUT_SECONDS:
        return False
    user = User.objects.filter(pk=visitor.user_id).first()
    if user is None or not user.has_role(*ROLES):
        return False
    services.arrive(connection, visitor.user_id)
    return True
