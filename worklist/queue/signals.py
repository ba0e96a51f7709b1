"""Signing out gives back what one holds; a migrated database holds the shipped policy."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_out
from django.db.models.signals import post_migrate

from foundation.accounts.models import User
from worklist.queue import claims, policies


def _signed_out(sender: Any, user: Any, **_: Any) -> None:
    if isinstance(user, User):
        claims.release_all_of(user=user)


def _migrated(sender: Any, **_: Any) -> None:
    policies.ensure_shipped()


def connect(app: AppConfig) -> None:
    """Called once when the app is ready."""
    post_migrate.connect(_migrated, sender=app, dispatch_uid="queue-shipped-policy")
    user_logged_out.connect(_signed_out, dispatch_uid="queue-sign-out")
