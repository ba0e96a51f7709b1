"""The socket itself, through the site's ASGI application: who is let in, what it says, when it ends."""

from __future__ import annotations

import asyncio
import importlib
import json
import time
from collections.abc import Callable

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.test import Client
from redis.exceptions import ConnectionError as RedisConnectionError

from config import asgi
from foundation.accounts.middleware import LAST_SEEN
from foundation.accounts.models import User
from foundation.accounts.services import grant_role, revoke_role
from foundation.audit.models import AuditEvent
from tests.worklist.live.browser_socket import Socket, dial, open_socket
from worklist.live import selectors, services
from worklist.live.consumers import NOT_SIGNED_IN, NOT_UNDERSTOOD, LiveConsumer
from worklist.live.hub import Hub
from worklist.live.messages import Changed, Topic
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
    monkeypatch.setattr(Hub, "ping_seconds", 0.2)
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
    monkeypatch.setattr(Hub, "ping_seconds", 0.1)
    monkeypatch.setattr(Hub, "pings_between_checks", 1)
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


@pytest.mark.parametrize("loss", ["role taken", "deactivated"])
async def test_who_loses_their_rights_is_sent_away_at_once(signed_in, loss):
    user, client = await sync_to_async(signed_in)("radiologist")
    _, elsewhere = await sync_to_async(signed_in)("er_staff")

    def lose() -> None:
        if loss == "role taken":
            revoke_role(user=user, role="radiologist")
        else:
            user.is_active = False
            user.save()

    async with open_socket(client) as socket, open_socket(elsewhere) as untouched:
        await socket.hear()
        await untouched.hear()
        await sync_to_async(lose)()
        assert await socket.close_code() == NOT_SIGNED_IN
        await sync_to_async(_announce)("goes on")
        assert (await untouched.hear())["key"] == "goes on"


async def test_who_gets_another_role_stays_and_reads_everything_anew(signed_in):
    user, client = await sync_to_async(signed_in)("radiologist")
    async with open_socket(client) as socket:
        await socket.hear()
        await sync_to_async(grant_role)(user=user, role="qa_reviewer")
        assert await socket.hear() == {"type": "resync"}


async def test_signing_in_again_disturbs_no_open_page(signed_in):
    user, client = await sync_to_async(signed_in)("radiologist")
    async with open_socket(client) as socket:
        await socket.hear()
        await sync_to_async(client.force_login)(user, backend="django.contrib.auth.backends.ModelBackend")
        await sync_to_async(_announce)("next")
        assert (await socket.hear())["key"] == "next"


async def test_a_page_that_does_not_read_is_bounded_and_told_to_read_everything_anew(monkeypatch):
    monkeypatch.setattr(LiveConsumer, "longest_queue", 3)
    sent: list[str] = []
    reading = asyncio.Event()
    page = LiveConsumer()
    page._queue = asyncio.Queue(page.longest_queue)

    async def send(text_data: str) -> None:
        await reading.wait()
        sent.append(text_data)

    monkeypatch.setattr(page, "send", send)
    sending = asyncio.create_task(page._send_offered())
    await asyncio.sleep(0)
    for number in range(1, 7):
        page.offer(str(number))
        await asyncio.sleep(0)
        assert page._queue.qsize() <= 3
    reading.set()
    async with asyncio.timeout(3):
        while len(sent) < 3:
            await asyncio.sleep(0)
    sending.cancel()
    # 1 was on its way; 2 to 5 made way for the order to read anew, which covers them; 6 follows it.
    assert sent == ["1", '{"type": "resync"}', "6"]


async def test_one_subscription_serves_all_pages_of_the_process_and_ends_with_the_last(signed_in):
    layer = get_channel_layer()
    _, client = await sync_to_async(signed_in)("radiologist")
    async with open_socket(client) as first, open_socket(client) as second:
        await first.hear()
        await second.hear()
        assert len(layer.groups[services.EVERYBODY]) == 1
        await sync_to_async(_announce)("both")
        assert (await first.hear())["key"] == (await second.hear())["key"] == "both"
    assert not layer.groups.get(services.EVERYBODY)


async def test_pages_that_see_the_same_hole_at_once_share_one_look_into_the_log(monkeypatch):
    looked: list[int] = []

    def look(seq: int) -> list[Changed]:
        looked.append(seq)
        return [Changed(topic=Topic.WORKLIST, key="7", version=1, seq=seq + 1)]

    monkeypatch.setattr(selectors, "changes_since", look)
    hub = Hub()
    answers = await asyncio.gather(*(hub.missed(seq) for seq in (4, 4, 4, 5)))
    assert [answer[0].seq for answer in answers] == [5, 5, 5, 6]
    assert sorted(looked) == [4, 5]
    await hub.missed(4)
    assert sorted(looked) == [4, 4, 5], "a later question is a new look"


async def test_a_broker_that_is_away_keeps_no_page_out_and_loses_nothing(signed_in, monkeypatch):
    monkeypatch.setattr(Hub, "ping_seconds", 0.2)
    monkeypatch.setattr("worklist.live.hub.SUBSCRIBED_WITHIN", 0.1)

    async def refuse(*_: object) -> None:
        raise RedisConnectionError

    monkeypatch.setattr(get_channel_layer(), "group_add", refuse)
    _, client = await sync_to_async(signed_in)("radiologist")
    await sync_to_async(_announce)("before")
    async with open_socket(client) as socket:
        assert (await socket.hear())["type"] == "hello"
        await sync_to_async(_announce)("unheard")
        message = await socket.hear()
        while message["type"] == "ping":
            message = await socket.hear()
        assert message["key"] == "unheard"


async def test_after_a_cut_a_page_knows_what_a_fresh_page_shows(signed_in):
    """Fault 14: changes during the cut, several of one row; after it the page holds every latest version."""
    _, client = await sync_to_async(signed_in)("radiologist")
    shown: dict[str, int] = {}
    truth: dict[str, int] = {}

    def change(key: str, version: int) -> None:
        _announce(key, version)
        truth[key] = version

    async def show(socket: Socket, count: int) -> int:
        seq = 0
        for _ in range(count):
            message = await socket.hear()
            shown[message["key"]] = max(message["version"], shown.get(message["key"], 0))
            seq = max(seq, message["seq"])
        return seq

    async with open_socket(client) as socket:
        await socket.hear()
        for key, version in (("1", 1), ("2", 1), ("3", 1)):
            await sync_to_async(change)(key, version)
        seen = await show(socket, 3)
    for key, version in (("1", 2), ("4", 1), ("1", 3), ("2", 2)):
        await sync_to_async(change)(key, version)
    async with open_socket(client) as socket:
        hello = await socket.hear()
        assert hello["seq"] == seen + 4
        await socket.say(json.dumps({"type": "since", "seq": seen}))
        while shown != truth:
            await show(socket, 1)
    assert shown == truth == {"1": 3, "2": 2, "3": 1, "4": 1}
