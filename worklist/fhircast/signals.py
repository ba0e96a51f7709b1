"""The desk is cleared when its reader signs out."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_out

from worklist.fhircast import services


def _signed_out(sender: Any, user: Any, **_: Any) -> None:
    if user is not None and getattr(user, "pk", None):
        services.clear(user=user)


def connect() -> None:
    """Called once when the app is ready."""
    user_logged_out.connect(_signed_out, dispatch_uid="fhircast-sign-out")
