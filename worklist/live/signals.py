"""Signing out closes the session's sockets; changed rights are asked about at once."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.contrib.auth.signals import user_logged_out
from django.db.models.signals import post_delete, post_save
from django.http import HttpRequest

from foundation.accounts.models import RoleAssignment, User
from worklist.live import services


def _signed_out(sender: Any, request: HttpRequest | None, user: Any, **_: Any) -> None:
    session_key = request.session.session_key if request is not None else None
    if session_key:
        services.close_session(session_key)


def _roles_changed(sender: Any, instance: RoleAssignment, **_: Any) -> None:
    services.recheck(instance.user_id)


def _account_changed(
    sender: Any, instance: User, created: bool, update_fields: Collection[str] | None = None, **_: Any
) -> None:
    # Signing in saves the time of it and nothing else.
    if not created and (update_fields is None or "is_active" in update_fields):
        services.recheck(instance.pk)


def connect() -> None:
    """Called once when the app is ready."""
    user_logged_out.connect(_signed_out, dispatch_uid="live-sign-out")
    for signal in (post_save, post_delete):
        signal.connect(_roles_changed, sender=RoleAssignment, dispatch_uid="live-roles")
    post_save.connect(_account_changed, sender=User, dispatch_uid="live-account")
