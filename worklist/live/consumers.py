"""The socket of an open page: admits, joins, forwards."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from typing import Any

import structlog
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.db import DatabaseError

from worklist.live import access, selectors, services
from worklist.live.messages import Hello, Ping, ProtocolError, Resync, ServerMessage, parse

log = structlog.get_logger(__name__)

NOT_SIGNED_IN = 4401
NOT_UNDERSTOOD = 4400
TRY_AGAIN = 1011


class LiveConsumer(AsyncJsonWebsocketConsumer):
    """Tells one page what changed.

    The channel layer drops messages when a slow page's inbox is full. Every ping therefore compares
    what was forwarded with the log and sends what is missing.
    """

    ping_seconds = 20.0
    pings_between_checks = 3

    visitor: access.Visitor | None = None
    forwarded = 0
    _pinging: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        self.connection = str(uuid.uuid4())
        await self.accept()
        self.visitor = await database_sync_to_async(access.admit)(self.scope, self.connection)
        if self.visitor is None:
            # Closed after accepting, because browsers show no reason for a refused handshake.
            await self.close(NOT_SIGNED_IN)
            return
        await self.channel_layer.group_add(services.EVERYBODY, self.channel_name)
        await self.channel_layer.group_add(self._session_group(), self.channel_name)
        # Read after joining: whatever commits from here on is either in this number or forwarded.
        self.forwarded = await database_sync_to_async(selectors.latest_seq)()
        await self._say(Hello(seq=self.forwarded))
        self._pinging = asyncio.create_task(self._ping())

    async def disconnect(self, code: int) -> None:
        if self._pinging is not None and self._pinging is not asyncio.current_task():
            self._pinging.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._pinging
        if self.visitor is None:
            return
        await self.channel_layer.group_discard(services.EVERYBODY, self.channel_name)
        await self.channel_layer.group_discard(self._session_group(), self.channel_name)
        await database_sync_to_async(services.leave)(self.connection)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **_: Any) -> None:
        if self.visitor is None:
            return
        try:
            asked = parse(json.loads(text_data or ""))
        except (ProtocolError, json.JSONDecodeError):
            await self.close(NOT_UNDERSTOOD)
            return
        await self._catch_up(asked.seq)

    async def live_changed(self, event: dict[str, Any]) -> None:
        """From the group: something was committed."""
        message = event["message"]
        self.forwarded = max(self.forwarded, message["seq"])
        await self.send_json(message)

    async def live_signed_out(self, event: dict[str, Any]) -> None:
        """From the session's group: its user signed out."""
        await self.close(NOT_SIGNED_IN)

    async def _ping(self) -> None:
        try:
            await self._ping_for_ever()
        except DatabaseError:
            log.exception("live_ping_failed")
            # The page comes back by itself and asks for what it missed.
            await self.close(TRY_AGAIN)

    async def _ping_for_ever(self) -> None:
        beats = 0
        while True:
            await asyncio.sleep(self.ping_seconds)
            beats += 1
            if beats % self.pings_between_checks == 0 and not await self._still_welcome():
                await self.close(NOT_SIGNED_IN)
                return
            latest = await database_sync_to_async(selectors.latest_seq)()
            if latest > self.forwarded:
                await self._catch_up(self.forwarded)
            await self._say(Ping(seq=latest))

    async def _still_welcome(self) -> bool:
        assert self.visitor is not None
        return await database_sync_to_async(access.still_welcome)(self.visitor, self.connection)

    async def _catch_up(self, seq: int) -> None:
        changes = await database_sync_to_async(selectors.changes_since)(seq)
        if changes is None:
            self.forwarded = await database_sync_to_async(selectors.latest_seq)()
            await self._say(Resync())
            return
        for change in changes:
            self.forwarded = max(self.forwarded, change.seq)
            await self._say(change)

    async def _say(self, message: ServerMessage) -> None:
        await self.send_json(message.as_json())

    def _session_group(self) -> str:
        assert self.visitor is not None
        return services.session_group(self.visitor.session_key)
