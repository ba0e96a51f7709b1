"""Signing out closes the session's sockets."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_out
from django.http import HttpRequest

from worklist.live import services


def _signed_out(sender: Any, request: HttpRequest | None, user: Any, **_: Any) -> None:
    session_key = request.session.session_key if request is not None else None
    if session_key:
        services.close_session(session_key)


def connect() -> None:
    """Called once when the app is ready."""
    user_logged_out.connect(_signed_out, dispatch_uid="live-sign-out")
