"""The whole house on free ports, as `manage.py up` starts it, for tests that follow a study through it."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

PROJECT = Path(__file__).resolve().parent.parent
SERVER = os.environ.get("FIRSTREAD_TEST_DATABASE_URL", "")


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fresh_database() -> str:
    """URL of a new database on the test server, or "" for SQLite."""
    if not SERVER:
        return ""
    import psycopg

    name = f"house_{secrets.token_hex(4)}"
    with psycopg.connect(SERVER, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[call-overload]
    return urlunsplit(urlsplit(SERVER)._replace(path=f"/{name}"))


def eventually(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Wait until `condition` gives something true and return it; fail with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"After {seconds:.0f} s still not: {what}")
        time.sleep(0.2)


@dataclass
class House:
    """A running system of its own."""

    data_dir: Path
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    dicom_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings.embedded",
            "FIRSTREAD_DATA_DIR": str(self.data_dir),
            "FIRSTREAD_HOST": "127.0.0.1",
            "FIRSTREAD_PORT": str(self.port),
            "FIRSTREAD_DICOM_PORT": str(self.dicom_port),
            "FIRSTREAD_DEMO": "0",
            "FIRSTREAD_QUIET_SECONDS": "3",
            "FIRSTREAD_DATABASE_URL": fresh_database(),
            **self.environment,
        }
        for name in ("FIRSTREAD_BROKER_URL", "FIRSTREAD_ARCHIVE_DIR"):
            self.environment.pop(name, None)

    @property
    def url(self) -> str:
        """Where the page is, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait until everything serves."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with (self.data_dir / "up.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up"],
                cwd=PROJECT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        try:
            eventually(self._serves_or_ended, 120, "the house serves.")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.logs()}") from None
        assert self.process.poll() is None, self.logs()

    def stop(self, number: int = signal.SIGINT) -> float:
        """End it and return how many seconds that took."""
        if self.process is None:
            return 0.0
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(timeout=30)
        self.process = None
        return time.monotonic() - began

    def _serves_or_ended(self) -> bool:
        assert self.process is not None
        return self.process.poll() is not None or self.health()["status"] == "ok"

    def health(self) -> dict[str, Any]:
        """The answer of /healthz, whatever its status."""
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)
        except (OSError, ValueError):
            return {"status": "down", "components": {}}

    def logs(self) -> str:
        """Ends of all logs, for the message of a failed test."""
        parts = [f"{self.data_dir}/up.log", *sorted(map(str, (self.data_dir / "logs").glob("*.log")))]
        return "\n".join(f"--- {p}\n{Path(p).read_text()[-1500:]}" for p in parts if Path(p).exists())

    def manage(self, *argv: str) -> str:
        """Run a command of manage.py and return what it printed."""
        result = subprocess.run(
            [sys.executable, "manage.py", *argv],
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, (
            f"manage.py {' '.join(argv)}: {result.stdout[-800:]}{result.stderr[-2000:]}"
        )
        return result.stdout.strip()

    def add_user(self, name: str, *roles: str, **options: str) -> str:
        """Make a user and return the password."""
        argv = [name, *(f"--role={role}" for role in roles)]
        argv += [f"--{key.replace('_', '-')}={value}" for key, value in options.items()]
        return self.manage("adduser", *argv)

    def token(self, name: str, role: str) -> str:
        """An API token."""
        return self.manage("apitoken", name, "--role", role)

    def api(self, path: str, token: str, *, body: Any = None, method: str = "") -> Any:
        """Call the API; returns the JSON, raises urllib's HTTPError on refusal."""
        status, answer = self.request(path, token, body=body, method=method)
        assert status < 300, answer
        return answer

    def request(self, path: str, token: str, *, body: Any = None, method: str = "") -> tuple[int, Any]:
        """Call the API; returns status and JSON whatever it says."""
        request = urllib.request.Request(
            f"{self.url}{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method or ("GET" if body is None else "POST"),
            headers={"Authorization": f"Token {token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            text = error.read()
            try:
                return error.code, json.loads(text)
            except ValueError:
                return error.code, text.decode(errors="replace")

    def fetch(self, path: str, token: str, accept: str) -> tuple[str, bytes]:
        """Content type and bytes of a GET."""
        request = urllib.request.Request(
            f"{self.url}{path}", headers={"Authorization": f"Token {token}", "Accept": accept}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.headers["Content-Type"], answer.read()

    def storescu(self, *paths: Path, wait: bool = True) -> subprocess.Popen[bytes]:
        """Send files or folders by dcmtk's storescu."""
        process = subprocess.Popen(
            [
                "storescu", "--scan-directories", "--recurse", "--propose-lossless", "-aec", "FIRSTREAD",
                "-aet", "MODALITY", "127.0.0.1", str(self.dicom_port), *map(str, paths),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        if wait:
            output, _ = process.communicate(timeout=120)
            assert process.returncode == 0, output.decode(errors="replace")
        return process

    def pids(self) -> dict[str, int]:
        """Name of each child -> its process id, read from the kernel."""
        assert self.process is not None
        found = {}
        marks = {
            "valkey": "valkey-server", "web": "uvicorn", "receiver": "receiver", "worker-inference": "inference@",
            "worker-default": "default@", "beat": "beat-schedule",
        }  # fmt: skip
        children = subprocess.run(
            ["ps", "-ww", "--ppid", str(self.process.pid), "-o", "pid=,args="], capture_output=True, text=True
        ).stdout
        for line in children.splitlines():
            pid, args = line.strip().split(None, 1)
            for name, mark in marks.items():
                if mark in args:
                    found.setdefault(name, int(pid))
        return found
