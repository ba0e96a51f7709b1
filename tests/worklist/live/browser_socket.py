"""A browser's end of the WebSocket, against the site's ASGI application without a network."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from asgiref.testing import ApplicationCommunicator
from django.test import Client

from config import asgi


class Socket(ApplicationCommunicator):
    """Speaks the protocol as a page does."""

    async def opened(self) -> bool:
        """True when the server accepts the handshake."""
        await self.send_input({"type": "websocket.connect"})
        return bool((await self.receive_output(timeout=3))["type"] == "websocket.accept")

    async def say(self, text: str) -> None:
        await self.send_input({"type": "websocket.receive", "text": text})

    async def hear(self, timeout: float = 3) -> Any:
        """The next message; fails when the server closes instead."""
        message = await self.receive_output(timeout=timeout)
        assert message["type"] == "websocket.send", message
        return json.loads(message["text"])

    async def close_code(self) -> int:
        """The code the server closes with, after whatever it says before."""
        while True:
            message = await self.receive_output(timeout=3)
            if message["type"] == "websocket.close":
                return int(message["code"])


def dial(
    client: Client | None, origin: str = "http://testserver", application: Any = asgi.application
) -> Socket:
    """A socket with the session of `client`, not yet opened."""
    cookie = client.cookies["sessionid"].value if client else "none"
    headers = {"cookie": f"sessionid={cookie}", "origin": origin, "host": "testserver"}
    return Socket(
        application,
        {
            "type": "websocket",
            "path": "/ws/",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "subprotocols": [],
            "client": ("192.0.2.7", 50000),
        },
    )


@asynccontextmanager
async def open_socket(client: Client | None) -> AsyncIterator[Socket]:
    """An opened socket that goes away like a closed page."""
    socket = dial(client)
    assert await socket.opened()
    try:
        yield socket
    finally:
        await socket.send_input({"type": "websocket.disconnect", "code": 1001})
        await socket.wait(timeout=3)
