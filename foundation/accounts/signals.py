"""Sign-in, sign-out and failures go into the audit trail."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest

from foundation.audit import services as audit


def _logged_in(sender: Any, request: HttpRequest | None, user: Any, **_: Any) -> None:
    audit.record(audit.Kind.LOGIN, action="E", user=user, request=request)


def _logged_out(sender: Any, request: HttpRequest | None, user: Any, **_: Any) -> None:
    if user is not None:
        audit.record(audit.Kind.LOGOUT, action="E", user=user, request=request)


def _failed(sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    audit.record(
        audit.Kind.LOGIN,
        action="E",
        user=None,
        request=request,
        outcome=4,
        detail={"username": str(credentials.get("username", ""))[:150]},
    )


def connect() -> None:
    """Called once when the app is ready."""
    user_logged_in.connect(_logged_in, dispatch_uid="audit-login")
    user_logged_out.connect(_logged_out, dispatch_uid="audit-logout")
    user_login_failed.connect(_failed, dispatch_uid="audit-login-failed")
