"""Who calls the API: the browser's session or a program's token."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from foundation.accounts.models import User
from foundation.accounts.services import user_of_token


class TokenAuthentication(authentication.BaseAuthentication):
    """`Authorization: Token …`."""

    def authenticate(self, request: Request) -> tuple[User, Any] | None:
        parts = authentication.get_authorization_header(request).decode("latin-1").split()
        if not parts or parts[0].lower() != "token":
            return None
        user = user_of_token(parts[1]) if len(parts) == 2 else None
        if user is None:
            raise exceptions.AuthenticationFailed("This API token is unknown or revoked.")
        return user, "token"

    def authenticate_header(self, request: Request) -> str:
        return "Token"


class SessionAuthentication(authentication.SessionAuthentication):
    """The browser's session, with CSRF; answers 401 so that the page can send people to sign in."""

    def authenticate_header(self, request: Request) -> str:
        return "Session"


class TokenScheme(OpenApiAuthenticationExtension):
    """How the token shows in the OpenAPI document."""

    target_class = "foundation.accounts.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "header", "name": "Authorization", "description": "Token <key>"}


class SessionScheme(OpenApiAuthenticationExtension):
    """How the session shows in the OpenAPI document."""

    target_class = "foundation.accounts.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}
