"""Signing out gives back what one holds."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_out

from foundation.accounts.models import User
from worklist.queue import claims


def _signed_out(sender: Any, user: Any, **_: Any) -> None:
    if isinstance(user, User):
        claims.release_all_of(user=user)


def connect() -> None:
    """Called once when the app is ready."""
    user_logged_out.connect(_signed_out, dispatch_uid="queue-sign-out")
