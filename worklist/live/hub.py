"""One subscription for all pages of a server process: hears of a commit once and hands it out in memory."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import structlog
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.db import DatabaseError
from redis.exceptions import RedisError

from worklist.live import access, selectors, services
from worklist.live.access import Visitor
from worklist.live.messages import Changed, Ping, Resync, ServerMessage

log = structlog.get_logger(__name__)

SUBSCRIBED_WITHIN = 2.0
"""Seconds a new page waits for the broker; without it the page lives on what the log tells at each ping."""


class Page(Protocol):
    """An open page, as the hub knows it."""

    connection: str
    visitor: Visitor | None

    def offer(self, text: str) -> None:
        """Take a message without waiting."""

    def send_away(self) -> None:
        """Close: its session may not stay."""


class Hub:
    """The pages of one event loop.

    A change is received once, written as JSON once, and offered to every page. Pings, the comparison with
    the log and the check of who may stay are done once for all pages, not once for each.
    """

    ping_seconds = 20.0
    pings_between_checks = 3
    retry_seconds = 1.0

    def __init__(self) -> None:
        self._pages: set[Page] = set()
        self._by_session: dict[str, set[Page]] = defaultdict(set)
        self._by_user: dict[int, set[Page]] = defaultdict(set)
        self._tasks: list[asyncio.Task[None]] = []
        self._checks: set[asyncio.Task[None]] = set()
        self._answers: dict[int, asyncio.Task[list[Changed] | None]] = {}
        self._subscribed = asyncio.Event()
        self._channel = ""
        self._forwarded = 0

    async def join(self, page: Page) -> None:
        """From the return on, the page is offered every commit; or finds it at the next ping."""
        assert page.visitor is not None
        self._pages.add(page)
        self._by_session[services.session_digest(page.visitor.session_key)].add(page)
        self._by_user[page.visitor.user_id].add(page)
        if not self._tasks:
            self._subscribed = asyncio.Event()
            self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._beat())]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._subscribed.wait(), SUBSCRIBED_WITHIN)

    async def leave(self, page: Page) -> None:
        """The page is gone; with the last one the subscription ends."""
        assert page.visitor is not None
        self._pages.discard(page)
        _discard(self._by_session, services.session_digest(page.visitor.session_key), page)
        _discard(self._by_user, page.visitor.user_id, page)
        if self._pages:
            return
        tasks = [*self._tasks, *self._checks]
        self._tasks = []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def missed(self, seq: int) -> list[ServerMessage]:
        """What a page may have missed after `seq`. Pages that see the same hole at once share one look."""
        answer = self._answers.get(seq)
        if answer is None:
            answer = asyncio.create_task(database_sync_to_async(selectors.changes_since)(seq))
            self._answers[seq] = answer
            answer.add_done_callback(lambda _: self._answers.pop(seq, None))
        # Shielded, because a page that goes away must not take the answer of the others with it.
        changes = await asyncio.shield(answer)
        return [Resync()] if changes is None else list(changes)

    async def _listen(self) -> None:
        known = False
        while True:
            try:
                if not known:
                    self._forwarded = await database_sync_to_async(selectors.latest_seq)()
                    known = True
                await self._subscription()
            except (RedisError, OSError, DatabaseError) as error:
                log.warning("live_subscription_lost", error=type(error).__name__)
                await asyncio.sleep(self.retry_seconds)

    async def _subscription(self) -> None:
        layer = get_channel_layer()
        channel = self._channel = await layer.new_channel()
        await layer.group_add(services.EVERYBODY, channel)
        try:
            # What committed while nobody listened is in the log.
            await self._catch_up()
            self._subscribed.set()
            while True:
                self._heard(await layer.receive(channel))
        finally:
            with contextlib.suppress(RedisError, OSError):
                await layer.group_discard(services.EVERYBODY, channel)

    def _heard(self, event: dict[str, Any]) -> None:
        message = event["message"]
        if event["type"] == services.CHANGED:
            self._forwarded = max(self._forwarded, message["seq"])
            self._offer_all(json.dumps(message))
        elif event["type"] == services.SIGNED_OUT:
            for page in tuple(self._by_session.get(message["session"], ())):
                page.send_away()
        elif event["type"] == services.RIGHTS_CHANGED:
            self._check_soon(message["user"])

    def _check_soon(self, user_id: int) -> None:
        pages = tuple(self._by_user.get(user_id, ()))
        if pages:
            check = asyncio.create_task(self._check(pages, read_anew=True))
            self._checks.add(check)
            check.add_done_callback(self._checks.discard)

    async def _beat(self) -> None:
        beats = 0
        while True:
            await asyncio.sleep(self.ping_seconds)
            beats += 1
            try:
                if beats % self.pings_between_checks == 0:
                    await self._check(tuple(self._pages))
                    await self._renew()
                await self._catch_up()
                self._offer_all(_text(Ping(seq=await database_sync_to_async(selectors.latest_seq)())))
            except DatabaseError:
                # Pages take the silence for a dead connection, come back and ask for what they missed.
                log.exception("live_ping_failed")

    async def _renew(self) -> None:
        """The channel layer forgets a member after a day."""
        with contextlib.suppress(RedisError, OSError):
            await get_channel_layer().group_add(services.EVERYBODY, self._channel)

    async def _catch_up(self) -> None:
        """Offer what the log has and the broker did not bring."""
        latest = await database_sync_to_async(selectors.latest_seq)()
        if latest <= self._forwarded:
            return
        missed = await self.missed(self._forwarded)
        self._forwarded = max(self._forwarded, latest)
        for message in missed:
            self._offer_all(_text(message))

    async def _check(self, pages: Iterable[Page], *, read_anew: bool = False) -> None:
        """Send away who may not stay; with `read_anew` the others read everything under their new rights."""
        visitors = {page.connection: page.visitor for page in pages if page.visitor is not None}
        welcome = await database_sync_to_async(access.still_welcome)(visitors)
        for page in pages:
            if page.connection not in welcome:
                page.send_away()
            elif read_anew:
                page.offer(_text(Resync()))

    def _offer_all(self, text: str) -> None:
        for page in self._pages:
            page.offer(text)


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """The hub of the running event loop; a server process has one."""
    return _hubs.setdefault(asyncio.get_running_loop(), Hub())


def _text(message: ServerMessage) -> str:
    return json.dumps(message.as_json())


def _discard(index: dict[Any, set[Page]], key: object, page: Page) -> None:
    index[key].discard(page)
    if not index[key]:
        del index[key]
