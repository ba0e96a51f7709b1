"""The first moments of `manage.py up`, before Django's applications are loaded.

The web server takes as long to load as the supervisor itself. Where nothing has to be migrated first,
both load at the same time: the lock, the ports, the broker and the web server come here, everything that
needs the database comes in the command.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import signal
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from django.conf import settings

from worklist.operations import processes
from worklist.operations.addresses import port_is_free
from worklist.operations.supervisor import Child, Supervisor

# (option, variable) in the order of `./run --help`
OPTIONS = (
    ("host", "FIRSTREAD_HOST"),
    ("port", "FIRSTREAD_PORT"),
    ("dicom_port", "FIRSTREAD_DICOM_PORT"),
    ("data_dir", "FIRSTREAD_DATA_DIR"),
    ("inference_workers", "FIRSTREAD_INFERENCE_WORKERS"),
)


class CannotStart(Exception):
    """The house cannot be started; the message says what to do."""


@dataclass
class Launch:
    """A house that is being started.

    Attributes:
        supervisor: holds the broker and, when `web` is set, the web server.
        web: the web server when it was started already.
        began: by time.monotonic().
        before: seconds that `./run` took before.
        stopping: somebody asked for the end.
    """

    supervisor: Supervisor
    run_dir: Path
    lock: TextIO
    web: Child | None = None
    began: float = field(default_factory=time.monotonic)
    before: float = 0.0
    stopping: bool = False

    def step(self, what: str) -> None:
        """Say that a step is done, and when."""
        say(f"[{self.before + time.monotonic() - self.began:5.1f} s] {what}")


_current: Launch | None = None


def current() -> Launch:
    """The house that this process starts; raises CannotStart in a process that began otherwise."""
    if _current is None:
        raise CannotStart("Start the house from the command line: manage.py up")
    return _current


def add_arguments(parser: ArgumentParser) -> None:
    """The flags of `manage.py up`."""
    parser.add_argument("--host", help="address to listen on")
    parser.add_argument("--port", help="port of the page")
    parser.add_argument("--dicom-port", help="port of the DICOM receiver")
    parser.add_argument("--data-dir", help="data folder")
    parser.add_argument("--inference-workers", type=int, help="runs of models at once (1)")
    demo = parser.add_mutually_exclusive_group()
    demo.add_argument("--demo", dest="demo", action="store_const", const="1", help="play the demo now")
    demo.add_argument("--no-demo", dest="demo", action="store_const", const="0", help="never play it")


@contextmanager
def begun(argv: Sequence[str]) -> Iterator[None]:
    """Start what can start before Django; end all children on leaving."""
    global _current
    if {"-h", "--help", "--version"} & set(argv):
        yield
        return
    _current = _begin(argv)
    try:
        yield
    finally:
        began = time.monotonic()
        _current.supervisor.stop()
        say(f"All ended in {time.monotonic() - began:.1f} s. The next start goes on from here.")
        _current.lock.close()


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def remember_schema(run_dir: Path) -> None:
    """The database is migrated to what this code wants: the next start need not wait to see it."""
    (run_dir / "schema").write_text(_schema())


def _begin(argv: Sequence[str]) -> Launch:
    _use_flags(argv)
    began = time.time()
    run_dir = settings.DATA_DIR / "run"
    run_dir.mkdir(parents=True, exist_ok=True)
    lock = _lock(run_dir)
    for host, port, flag in (
        (settings.HTTP_HOST, settings.HTTP_PORT, "--port"),
        (settings.DICOM_HOST, settings.DICOM_PORT, "--dicom-port"),
    ):
        if not port_is_free(host, port):
            raise CannotStart(f"Port {port} on {host} is taken. Choose another one with {flag}.")
    broker = processes.prepare_broker(run_dir)
    launch = Launch(
        supervisor=Supervisor(
            logs=settings.DATA_DIR / "logs",
            environment={"FIRSTREAD_BROKER_URL": broker.url, "PYTHONUNBUFFERED": "1"},
            cwd=settings.BASE_DIR,
            say=say,
        ),
        run_dir=run_dir,
        lock=lock,
        before=max(0.0, began - float(os.environ.get("FIRSTREAD_RUN_STARTED", began))),
    )

    def stop(number: int, frame: FrameType | None) -> None:
        launch.stopping = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    launch.supervisor.start(processes.valkey(broker))
    if _schema_is_current(run_dir):
        launch.web = processes.web()
        launch.supervisor.start(launch.web)
    return launch


def _use_flags(argv: Sequence[str]) -> None:
    """Settings are read once from the environment: put the flags there before they are."""
    parser = ArgumentParser(prog="manage.py up")
    add_arguments(parser)
    options: dict[str, Any] = vars(parser.parse_known_args(argv)[0])
    for name, variable in OPTIONS:
        if value := options.get(name):
            os.environ[variable] = str(Path(value).resolve()) if name == "data_dir" else str(value)
    if options.get("demo"):
        os.environ["FIRSTREAD_DEMO"] = options["demo"]


def _lock(run_dir: Path) -> TextIO:
    file = (run_dir / "up.lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise CannotStart(
            f"Firstread already runs on {settings.DATA_DIR}. End it first, or choose another --data-dir."
        ) from None
    return file


def _schema_is_current(run_dir: Path) -> bool:
    database = settings.DATABASES["default"]
    if "sqlite" in database["ENGINE"] and not Path(database["NAME"]).is_file():
        return False
    stamp = run_dir / "schema"
    return stamp.is_file() and stamp.read_text() == _schema()


def _schema() -> str:
    """Which migrations this code has, ours by name and the libraries' by their pinned versions."""
    sha = hashlib.sha256(f"{sys.version} {settings.DATABASES['default']['NAME']}".encode())
    sha.update((settings.BASE_DIR / "requirements.txt").read_bytes())
    for room in ("foundation", "pacs", "triage", "worklist"):
        for path in sorted((settings.BASE_DIR / room).rglob("migrations/*.py")):
            sha.update(str(path.relative_to(settings.BASE_DIR)).encode())
    return sha.hexdigest()
