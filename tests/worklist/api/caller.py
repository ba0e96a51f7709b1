"""Somebody who calls the API with a token."""

from __future__ import annotations

from typing import Any

from django.test import Client

from foundation.accounts.models import User
from foundation.accounts.services import issue_token


class Caller:
    """Sends JSON, expects a status, returns JSON."""

    def __init__(self, user: User) -> None:
        self.user, self.client = user, Client()
        self.headers: dict[str, Any] = {"HTTP_AUTHORIZATION": f"Token {issue_token(user=user)}"}

    def get(self, path: str, status: int = 200, **query: Any) -> Any:
        response = self.client.get(path, query, **self.headers)
        assert response.status_code == status, response.content
        return response.json() if response.content else None

    def post(self, path: str, body: dict[str, Any] | None = None, status: int = 200) -> Any:
        return self._send("post", path, body, status)

    def patch(self, path: str, body: dict[str, Any], status: int = 200) -> Any:
        return self._send("patch", path, body, status)

    def _send(self, method: str, path: str, body: dict[str, Any] | None, status: int) -> Any:
        send = getattr(self.client, method)
        response = send(path, body or {}, content_type="application/json", **self.headers)
        assert response.status_code == status, response.content
        return response.json() if response.content else None
