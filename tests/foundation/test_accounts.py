"""Accounts and tokens from the command line, and what is remembered of them."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from foundation.accounts.models import ApiToken, User
from foundation.accounts.services import grant_role, revoke_role
from foundation.audit.models import AuditEvent
from foundation.audit.services import Kind

pytestmark = pytest.mark.django_db


def _printed(*argv: str) -> str:
    out = StringIO()
    call_command(*argv, stdout=out)
    return out.getvalue()


def test_apitoken_makes_the_account_and_prints_the_token_alone(client: Client) -> None:
    token = _printed("apitoken", "robot", "--role", "radiologist").removesuffix("\n")
    assert "\n" not in token and " " not in token
    user = User.objects.get(username="robot")
    assert user.role_slugs == {"radiologist"} and not user.has_usable_password()
    assert not ApiToken.objects.filter(digest=token).exists(), "the token itself must not be kept"
    answer = client.get("/api/me/", headers={"Authorization": f"Token {token}"})
    assert answer.json()["username"] == "robot"


@pytest.mark.parametrize("how", ["revoked", "inactive"])
def test_a_token_that_may_not_be_used_any_more_is_refused(client: Client, how: str) -> None:
    token = _printed("apitoken", "robot").strip()
    if how == "revoked":
        ApiToken.objects.update(revoked_at="2026-01-01T00:00:00Z")
    else:
        User.objects.update(is_active=False)
    answer = client.get("/api/me/", headers={"Authorization": f"Token {token}"})
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"


def test_adduser_prints_a_password_that_signs_in_and_refuses_a_name_twice(client: Client) -> None:
    password = _printed("adduser", "somebody", "--role", "er_staff", "--department", "ER").strip()
    client.post("/accounts/login/", {"login": "somebody", "password": password})
    assert client.session["_auth_user_id"] == str(User.objects.get().pk)
    with pytest.raises(CommandError, match="Choose another name"):
        call_command("adduser", "somebody", "--role", "er_staff")


def test_roles_given_and_taken_are_in_the_trail_and_take_effect_at_once() -> None:
    user = User.objects.create(username="somebody")
    grant_role(user=user, role="qa_reviewer")
    grant_role(user=user, role="qa_reviewer")
    assert user.has_role("qa_reviewer")
    revoke_role(user=user, role="qa_reviewer")
    assert not user.has_role("qa_reviewer")
    details = (
        AuditEvent.objects.filter(kind=Kind.ROLES_CHANGED).order_by("pk").values_list("detail", flat=True)
    )
    assert [set(d) - {"user"} for d in details] == [{"granted"}, {"revoked"}]


def test_every_sign_in_and_every_failure_is_in_the_trail(client: Client) -> None:
    password = _printed("adduser", "somebody", "--role", "er_staff").strip()
    client.post("/accounts/login/", {"login": "somebody", "password": "wrong"})
    client.post("/accounts/login/", {"login": "somebody", "password": password})
    client.post("/accounts/logout/")
    kinds = [
        (event.kind, event.outcome)
        for event in AuditEvent.objects.filter(kind__in=[Kind.LOGIN, Kind.LOGOUT]).order_by("pk")
    ]
    assert kinds == [(Kind.LOGIN, 4), (Kind.LOGIN, 0), (Kind.LOGOUT, 0)]
