"""The socket itself, through the site's ASGI application: who is let in, what it says, when it ends."""

from __future__ import annotations

import asyncio
import importlib
import json
import time
from collections.abc import Callable

import pytest
from asgiref.sync import sync_to_async
from django.test import Client

from config import asgi
from foundation.accounts.middleware import LAST_SEEN
from foundation.accounts.models import User
from foundation.accounts.services import revoke_role
from foundation.audit.models import AuditEvent
from tests.worklist.live.browser_socket import dial, open_socket
from worklist.live import selectors, services
from worklist.live.consumers import NOT_SIGNED_IN, NOT_UNDERSTOOD, LiveConsumer
from worklist.live.messages import Topic
from worklist.live.models import Change

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def signed_in(make_user: Callable[..., User]) -> Callable[..., tuple[User, Client]]:
    def make(*roles: str) -> tuple[User, Client]:
        user, client = make_user(*roles), Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return user, client

    return make


def _announce(key: str, version: int = 1) -> None:
    services.announce(Topic.WORKLIST, key, version)


async def test_an_open_page_is_greeted_and_told_of_each_commit(signed_in):
    user, client = await sync_to_async(signed_in)("radiologist")
    await sync_to_async(_announce)("before")
    latest = await sync_to_async(selectors.latest_seq)()
    async with open_socket(client) as socket:
        assert await socket.hear() == {"type": "hello", "seq": latest}
        await sync_to_async(_announce)("12", 5)
        assert await socket.hear() == {
            "type": "changed", "topic": "worklist", "key": "12", "version": 5, "seq": latest + 1,
        }  # fmt: skip
        assert await sync_to_async(selectors.connected_user_ids)() == {user.pk}
    assert await sync_to_async(selectors.connected_user_ids)() == set()
    opened = await sync_to_async(lambda: AuditEvent.objects.get(channel="websocket"))()
    assert (opened.username, opened.detail) == (user.username, {"what": "live updates opened"})


async def test_nobody_and_somebody_without_a_role_are_sent_away(signed_in):
    _, nobody = await sync_to_async(signed_in)()
    for client in (None, nobody):
        async with open_socket(client) as socket:
            assert await socket.close_code() == NOT_SIGNED_IN
    assert await sync_to_async(selectors.connected_user_ids)() == set()


async def test_a_page_of_another_origin_is_refused(signed_in, settings):
    _, client = await sync_to_async(signed_in)("radiologist")
    settings.ALLOWED_HOSTS = ["testserver"]
    strict = await sync_to_async(importlib.reload)(asgi)
    assert not await dial(client, origin="https://evil.example", application=strict.application).opened()
    assert await dial(client, application=strict.application).opened()
    settings.ALLOWED_HOSTS = ["*"]
    await sync_to_async(importlib.reload)(asgi)


async def test_a_page_that_was_away_gets_what_it_missed(signed_in):
    _, client = await sync_to_async(signed_in)("er_staff")
    await sync_to_async(_announce)("before")
    async with open_socket(client) as socket:
        seen = (await socket.hear())["seq"]
    for key in ("a", "b", "c"):
        await sync_to_async(_announce)(key)
    async with open_socket(client) as socket:
        assert (await socket.hear())["seq"] == seen + 3
        await socket.say(json.dumps({"type": "since", "seq": seen}))
        assert [(await socket.hear())["key"] for _ in "abc"] == ["a", "b", "c"]
        await socket.say(json.dumps({"type": "since", "seq": 10**9}))
        assert await socket.hear() == {"type": "resync"}


async def test_a_message_that_the_channel_layer_dropped_is_sent_with_the_next_ping(signed_in, monkeypatch):
    monkeypatch.setattr(LiveConsumer, "ping_seconds", 0.2)
    _, client = await sync_to_async(signed_in)("radiologist")
    await sync_to_async(_announce)("before")
    async with open_socket(client) as socket:
        seen = (await socket.hear())["seq"]
        dropped = await sync_to_async(Change.objects.create)(topic="worklist", key="9", version=2)
        message = await socket.hear()
        while message["type"] == "ping" and message["seq"] == seen:
            message = await socket.hear()
        assert (message["type"], message["key"], message["seq"]) == ("changed", "9", dropped.pk)
        assert await socket.hear() == {"type": "ping", "seq": dropped.pk}


@pytest.mark.parametrize("said", ["{", "[]", '{"type": "subscribe"}', '{"type": "since"}', "null"])
async def test_what_is_not_in_the_schema_ends_the_connection(signed_in, said):
    _, client = await sync_to_async(signed_in)("radiologist")
    async with open_socket(client) as socket:
        await socket.hear()
        await socket.say(said)
        assert await socket.close_code() == NOT_UNDERSTOOD


async def test_signing_out_closes_this_sessions_sockets_and_no_other(signed_in, make_user):
    user, client = await sync_to_async(signed_in)("radiologist")
    elsewhere = Client()
    await sync_to_async(elsewhere.force_login)(user, backend="django.contrib.auth.backends.ModelBackend")
    async with open_socket(client) as socket, open_socket(elsewhere) as other:
        await socket.hear()
        await other.hear()
        await sync_to_async(client.post)("/accounts/logout/")
        assert await socket.close_code() == NOT_SIGNED_IN
        await sync_to_async(_announce)("still here")
        assert (await other.hear())["key"] == "still here"


@pytest.mark.parametrize("reason", ["session ended", "left idle", "role taken"])
async def test_who_may_not_stay_any_more_is_sent_away_at_the_next_check(
    signed_in, monkeypatch, settings, reason
):
    monkeypatch.setattr(LiveConsumer, "ping_seconds", 0.1)
    monkeypatch.setattr(LiveConsumer, "pings_between_checks", 1)
    user, client = await sync_to_async(signed_in)("radiologist")

    def end() -> None:
        session = client.session
        if reason == "session ended":
            session.flush()
        elif reason == "left idle":
            session[LAST_SEEN] = time.time() - settings.IDLE_TIMEOUT_SECONDS - 1
            session.save()
        else:
            revoke_role(user=user, role="radiologist")

    async with open_socket(client) as socket:
        await socket.hear()
        await asyncio.sleep(0.3)
        await sync_to_async(end)()
        assert await socket.close_code() == NOT_SIGNED_IN
