"""The shell of the pages: only for people who signed in, scripts only by nonce."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from foundation.accounts.models import User

pytestmark = pytest.mark.django_db
PAGES = ["/", "/er", "/quality", "/archive", "/guide", "/read/1.2.3"]


@pytest.fixture
def built(tmp_path: Path, settings: object) -> None:
    (tmp_path / "index.html").write_text('<html><script type="module" src="/assets/x.js"></script></html>')
    settings.FRONTEND_DIST = tmp_path  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", PAGES)
def test_a_stranger_is_sent_to_sign_in_and_back_again(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 302
    assert answer["Location"] == f"/accounts/login/?next={path}"


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_the_shell_with_a_fresh_nonce(
    client: Client, make_user: Callable[..., User], path: str
) -> None:
    client.force_login(make_user("radiologist"), backend="django.contrib.auth.backends.ModelBackend")
    nonces = set()
    for _ in range(2):
        answer = client.get(path)
        assert answer.status_code == 200
        nonce = re.search(r'<script nonce="([^"]+)"', answer.content.decode())
        assert nonce and f"'nonce-{nonce[1]}'" in answer["Content-Security-Policy"]
        nonces.add(nonce[1])
    assert len(nonces) == 2


def test_a_page_that_does_not_exist_says_so_without_a_trace(client: Client) -> None:
    answer = client.get("/nowhere")
    assert answer.status_code == 404
    assert b"There is no such page" in answer.content


def test_sign_in_locks_after_five_wrong_passwords(client: Client, make_user: Callable[..., User]) -> None:
    user = make_user("radiologist", username="somebody")
    for _ in range(5):
        answer = client.post("/accounts/login/", {"login": user.username, "password": "wrong"})
    answer = client.post("/accounts/login/", {"login": user.username, "password": "correct horse battery"})
    assert answer.status_code == 429
    assert "_auth_user_id" not in client.session


def test_an_idle_session_ends(client: Client, make_user: Callable[..., User], settings: object) -> None:
    client.force_login(make_user("radiologist"), backend="django.contrib.auth.backends.ModelBackend")
    assert client.get("/api/me/").status_code == 200
    session = client.session
    session["last_seen"] -= 2000
    session.save()
    assert client.get("/api/me/").status_code == 401


def test_what_the_page_asks_by_itself_does_not_keep_a_session_alive(
    client: Client, make_user: Callable[..., User]
) -> None:
    client.force_login(make_user("radiologist"), backend="django.contrib.auth.backends.ModelBackend")
    client.get("/api/me/")
    session = client.session
    session["last_seen"] -= 100
    session.save()
    seen = client.session["last_seen"]
    client.get("/api/me/", headers={"X-Firstread-Background": "1"})
    assert client.session["last_seen"] == seen
    client.get("/api/me/")
    assert client.session["last_seen"] > seen
