"""Writing accounts: users, roles, tokens. Every change is audited."""

from __future__ import annotations

import hashlib
import secrets

from django.contrib.auth import authenticate
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from foundation.accounts.models import ApiToken, Role, RoleAssignment, User
from foundation.audit import services as audit


def create_user(
    *,
    username: str,
    password: str | None,
    roles: list[str],
    display_name: str = "",
    department: str = "",
    is_staff: bool = False,
    granted_by: User | None = None,
) -> User:
    """Make a user with `roles`; without a password nobody can sign in as them."""
    with transaction.atomic():
        user = User(username=username, display_name=display_name, department=department, is_staff=is_staff)
        if password is None:
            user.set_unusable_password()
        else:
            user.set_password(password)
        user.save()
        for role in roles:
            grant_role(user=user, role=role, granted_by=granted_by)
    return user


def grant_role(*, user: User, role: str, granted_by: User | None = None) -> None:
    """Give a role; giving it twice changes nothing."""
    with transaction.atomic():
        _, created = RoleAssignment.objects.get_or_create(
            user=user, role=Role(role), defaults={"granted_by": granted_by}
        )
        if created:
            audit.record(
                audit.Kind.ROLES_CHANGED,
                action="U",
                user=granted_by,
                detail={"user": user.username, "granted": role},
            )
    user.__dict__.pop("role_slugs", None)


def revoke_role(*, user: User, role: str, revoked_by: User | None = None) -> None:
    """Take a role away."""
    with transaction.atomic():
        deleted, _ = RoleAssignment.objects.filter(user=user, role=role).delete()
        if deleted:
            audit.record(
                audit.Kind.ROLES_CHANGED,
                action="U",
                user=revoked_by,
                detail={"user": user.username, "revoked": role},
            )
    user.__dict__.pop("role_slugs", None)


def confirm_password(*, user: User, password: str, request: HttpRequest | None) -> bool:
    """Whether `password` is the user's. Wrong ones count as at sign-in, and lock like there."""
    if not password or not user.has_usable_password():
        return False
    found = authenticate(request, username=user.username, password=password)
    if request is not None and found is None:
        # The caller answers; django-axes would put its sign-in page in the place of that answer.
        request.axes_locked_out = False  # type: ignore[attr-defined]
    return found is not None and found.pk == user.pk


def issue_token(*, user: User) -> str:
    """Make an API token and return it; it cannot be read again."""
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        ApiToken.objects.create(user=user, digest=digest_of(token))
        audit.record(audit.Kind.SECURITY_ALERT, action="C", user=user, detail={"what": "API token issued"})
    return token


def user_of_token(token: str) -> User | None:
    """The active user a token belongs to, or None."""
    row = (
        ApiToken.objects.select_related("user")
        .filter(digest=digest_of(token), revoked_at__isnull=True)
        .first()
    )
    if row is None or not row.user.is_active:
        return None
    now = timezone.now()
    if row.last_used_at is None or (now - row.last_used_at).total_seconds() > 60:
        ApiToken.objects.filter(pk=row.pk).update(last_used_at=now)
    return row.user


def digest_of(token: str) -> str:
    """What is kept of a secret token: its SHA-256. Tokens are random, so no salt is needed."""
    return hashlib.sha256(token.encode()).hexdigest()
