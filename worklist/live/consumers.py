"""The socket of an open page: admits, joins, forwards."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from worklist.live import access, selectors, services
from worklist.live.hub import hub
from worklist.live.messages import Hello, ProtocolError, Resync, ServerMessage, parse

NOT_SIGNED_IN = 4401
NOT_UNDERSTOOD = 4400


class LiveConsumer(AsyncWebsocketConsumer):
    """Tells one page what changed.

    The hub offers what it hears; a task of the page's own sends it, so that a slow page holds up no other.
    A page that does not read loses its queue and is told to read everything anew.
    """

    # No subscription of its own: the hub listens for all pages of the process.
    channel_layer_alias = "none"
    longest_queue = 100

    visitor: access.Visitor | None = None
    _sending: asyncio.Task[None] | None = None
    _closing: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        self.connection = str(uuid.uuid4())
        self._queue: asyncio.Queue[str] = asyncio.Queue(self.longest_queue)
        await self.accept()
        self.visitor = await database_sync_to_async(access.admit)(self.scope, self.connection)
        if self.visitor is None:
            # Closed after accepting, because browsers show no reason for a refused handshake.
            await self.close(NOT_SIGNED_IN)
            return
        await hub().join(self)
        # Read after joining: whatever commits from here on is either in this number or offered.
        seq = await database_sync_to_async(selectors.latest_seq)()
        await self._say(Hello(seq=seq))
        self._sending = asyncio.create_task(self._send_offered())

    async def disconnect(self, code: int) -> None:
        for task in (self._sending, self._closing):
            if task is not None and task is not asyncio.current_task():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        if self.visitor is None:
            return
        await hub().leave(self)
        await database_sync_to_async(services.leave)(self.connection)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **_: Any) -> None:
        if self.visitor is None or self._closing is not None:
            return
        try:
            asked = parse(json.loads(text_data or ""))
        except (ProtocolError, json.JSONDecodeError):
            await self.close(NOT_UNDERSTOOD)
            return
        for message in await hub().missed(asked.seq):
            await self._say(message)

    def offer(self, text: str) -> None:
        """From the hub: something was committed, or time has passed."""
        try:
            self._queue.put_nowait(text)
        except asyncio.QueueFull:
            while not self._queue.empty():
                self._queue.get_nowait()
            self._queue.put_nowait(json.dumps(Resync().as_json()))

    def send_away(self) -> None:
        """From the hub: signed out, or not welcome any more. Nothing is sent after it."""
        if self._closing is None:
            if self._sending is not None:
                self._sending.cancel()
            self._closing = asyncio.create_task(self.close(NOT_SIGNED_IN))

    async def _send_offered(self) -> None:
        while True:
            await self.send(text_data=await self._queue.get())

    async def _say(self, message: ServerMessage) -> None:
        await self.send(text_data=json.dumps(message.as_json()))
