"""How soon does every reader hear of a change? `python -m benchmarks.live [--readers 200 1000] [--seconds 30]`.

The house's own web server process and Valkey, SQLite in an empty folder. Readers are signed in by sessions written into
the database and hold one WebSocket each; another process commits 5 changes a second through `announce`. Printed:
seconds until all readers were greeted, and for each change and reader the time from commit to receipt.
"Lost" is what a reader had not heard when the server had been quiet for `--settle` seconds.

The clients are one process of plain asyncio, which shares the machine with the server: its own delay is in
the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from tests.house import free_port

PROJECT = Path(__file__).resolve().parent.parent
SEQ = re.compile(rb'"type": ?"changed".*?"seq": ?(\d+)')
RATE = 5
OPENING_AT_ONCE = 20


class Reader(asyncio.Protocol):
    """A browser's end of a WebSocket: asks, reads whole frames, answers pings, notes when it heard of what."""

    def __init__(self, cookie: str, port: int) -> None:
        self.cookie, self.port = cookie, port
        self.heard: dict[int, float] = {}
        self.greeted = asyncio.Event()
        self.ended = False
        self._buffer = b""
        self._open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        host = f"127.0.0.1:{self.port}"
        transport.write(
            f"GET /ws/ HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Cookie: {self.cookie}\r\n\r\n".encode()
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        self.greeted.set()

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        self._buffer += data
        if not self._open:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            if b" 101 " not in head.split(b"\r\n")[0]:
                self.transport.close()
                return
            self._open, self._buffer = True, rest
        while len(self._buffer) >= 2:
            length, begin = self._buffer[1] & 127, 2
            if length == 126:
                length, begin = int.from_bytes(self._buffer[2:4], "big"), 4
            if len(self._buffer) < begin + length:
                return
            kind, body = self._buffer[0] & 15, self._buffer[begin : begin + length]
            self._buffer = self._buffer[begin + length :]
            self._frame(kind, body, now)

    def _frame(self, kind: int, body: bytes, now: float) -> None:
        if kind == 9:
            masked = bytes(byte ^ mask for byte, mask in zip(body, b"mask" * 32, strict=False))
            self.transport.write(bytes([0x8A, 0x80 | len(body)]) + b"mask" + masked)
        elif kind == 8:
            self.transport.close()
        elif found := SEQ.search(body):
            self.heard.setdefault(int(found[1]), now)
        elif b'"hello"' in body:
            self.greeted.set()


@contextmanager
def process(command: Sequence[str], **options: object) -> Iterator[subprocess.Popen[bytes]]:
    """A child that ends with the block."""
    child = subprocess.Popen(command, cwd=PROJECT, **options)  # type: ignore[call-overload]
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()


def sign_in(number: int) -> list[str]:
    """Cookies of `number` readers, each with an account and a session of its own."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore
    from django.db import transaction

    from foundation.accounts.services import create_user

    cookies = []
    with transaction.atomic():
        for reader in range(number):
            user = create_user(username=f"reader{reader}", password=None, roles=["radiologist"])
            session = SessionStore()
            session[SESSION_KEY] = str(user.pk)
            session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
            session[HASH_SESSION_KEY] = user.get_session_auth_hash()
            session.save()
            cookies.append(f"{settings.SESSION_COOKIE_NAME}={session.session_key}")
    return cookies


def publish(seconds: float) -> None:
    """Commit RATE changes a second; print the number and moment of each as JSON. Runs as a process of its own."""
    import django

    django.setup()
    from django.db import transaction

    from worklist.live.messages import Topic
    from worklist.live.models import Change
    from worklist.live.services import announce

    committed: dict[int, float] = {}
    at = 0.0

    def note() -> None:
        nonlocal at
        at = time.monotonic()

    began = time.monotonic()
    for number in range(int(seconds * RATE)):
        time.sleep(max(0.0, began + number / RATE - time.monotonic()))
        with transaction.atomic():
            # Runs at the commit, before the message goes to the broker.
            transaction.on_commit(note)
            announce(Topic.WORKLIST, str(number), 1)
            seq = Change.objects.latest("pk").pk
        committed[seq] = at
    print(json.dumps(committed))


async def measure(
    port: int, cookies: list[str], seconds: float, settle: float, server: int
) -> dict[str, float]:
    """Open all sockets, let the publisher run, and compare what was heard with what was committed."""
    loop = asyncio.get_running_loop()
    gate = asyncio.Semaphore(OPENING_AT_ONCE)

    async def open_one(cookie: str) -> Reader:
        async with gate:
            _, reader = await loop.create_connection(lambda: Reader(cookie, port), "127.0.0.1", port)
            await asyncio.wait_for(reader.greeted.wait(), 120)
            return reader

    began = time.monotonic()
    readers = await asyncio.gather(*(open_one(cookie) for cookie in cookies))
    opened = time.monotonic() - began
    busy = cpu_seconds(server)
    publisher = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.live", "--publish", str(seconds),
        cwd=PROJECT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await publisher.communicate()
    busy = cpu_seconds(server) - busy
    await asyncio.sleep(settle)
    committed = {int(seq): at for seq, at in json.loads(out).items()}
    delays = np.array([r.heard[seq] - at for r in readers for seq, at in committed.items() if seq in r.heard])
    for reader in readers:
        reader.transport.close()
    expected = len(readers) * len(committed)
    return {
        "opened": opened,
        "busy": busy / seconds,
        "closed": sum(r.ended for r in readers),
        "changes": len(committed),
        "p50": float(np.quantile(delays, 0.5)) * 1000,
        "p99": float(np.quantile(delays, 0.99)) * 1000,
        "max": float(delays.max()) * 1000,
        "lost": expected - len(delays),
    }


def run(number: int, seconds: float, settle: float) -> None:
    """One measurement in a fresh house."""
    import django
    from django.core.management import call_command

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="firstread-live-")))
        os.environ["FIRSTREAD_DATA_DIR"] = str(folder)
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.embedded"
        port = free_port()
        os.environ["FIRSTREAD_PORT"] = str(port)
        from worklist.operations import processes

        broker = processes.prepare_broker(folder / "run")
        os.environ["FIRSTREAD_BROKER_URL"] = broker.url
        django.setup()
        call_command("migrate", verbosity=0)
        stack.enter_context(process(processes.valkey(broker).argv))
        wait_for(urlsplit(broker.url).port or 0)
        cookies = sign_in(number)
        log = stack.enter_context((folder / "web.log").open("wb"))
        server = stack.enter_context(process(processes.web().argv, stdout=log, stderr=log))
        wait_for(port)
        result = asyncio.run(measure(port, cookies, seconds, settle, server.pid))
        print(
            f"{number:5} readers, {result['changes']} changes at {RATE} a second: commit to receipt "
            f"p50 {result['p50']:.0f} ms, p99 {result['p99']:.0f} ms, longest {result['max']:.0f} ms; "
            f"lost {result['lost']}, closed {result['closed']}; all greeted in {result['opened']:.1f} s; "
            f"server {result['busy']:.0%} of a core; "
            f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
            flush=True,
        )
        if os.environ.get("FIRSTREAD_BENCHMARK_LOG"):
            print((folder / "web.log").read_text()[-2000:])


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for(port: int) -> None:
    """Until somebody listens there; a minute at most."""
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("The server did not start.")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--readers", type=int, nargs="+", default=[200, 1000])
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--settle", type=float, default=3)
    parser.add_argument("--publish", type=float, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.publish:
        publish(asked.publish)
        return
    for number in asked.readers:
        # A process each, because Django can be set up for one data folder only.
        child = os.fork()
        if child == 0:
            run(number, asked.seconds, asked.settle)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            raise SystemExit(1)


if __name__ == "__main__":
    main()
