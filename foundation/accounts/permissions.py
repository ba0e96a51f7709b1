"""Who may do what, by role."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from foundation.accounts.models import User


def caller(request: Request | HttpRequest) -> User:
    """The signed-in user; permissions have let only those through."""
    assert isinstance(request.user, User)
    return request.user


def has_role(*roles: str) -> type[BasePermission]:
    """A DRF permission for people who hold one of `roles`."""

    class HasRole(BasePermission):
        message = f"This needs one of the roles: {', '.join(roles)}."

        def has_permission(self, request: Request, view: Any) -> bool:
            return isinstance(request.user, User) and request.user.has_role(*roles)

    return HasRole


def role_required(
    *roles: str,
) -> Callable[[Callable[..., HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """For plain views that a browser opens: sign in first, then hold one of `roles`."""

    def decorate(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not isinstance(request.user, User):
                return redirect_to_login(request.get_full_path())
            if not request.user.has_role(*roles):
                raise PermissionDenied(f"This needs one of the roles: {', '.join(roles)}.")
            return view(request, *args, **kwargs)

        return guarded

    return decorate
