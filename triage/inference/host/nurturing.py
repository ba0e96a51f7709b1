"""The worker's side of the nursery: start it, ask it for processes, learn how they ended."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from triage.inference.host import sandbox
from triage.inference.host.wire import Ended

_REAP_SECONDS = 5.0


class Nursery:
    """One nursery process of this worker. Starting does not wait until it is ready; what is asked queues up."""

    def __init__(self) -> None:
        _remove_left_behind()
        self.folder = Path(tempfile.mkdtemp(prefix=f"{sandbox.FOLDER_PREFIX}{os.getpid()}-"))
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.nursery", str(theirs.fileno()), str(os.getpid())],
                cwd=sandbox.PROJECT,
                env=sandbox.environment(self.folder),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self._pids: dict[str, int] = {}
        self._codes: dict[int, int] = {}
        self._pending = b""

    def lives(self) -> bool:
        """False when it ended, for whatever reason."""
        return self._process.poll() is None

    def start(self, name: str, confines: sandbox.Confines) -> socket.socket:
        """Ask for a process that serves one bundle; returns this side of its connection.

        Raises:
            Ended: the nursery is gone.
        """
        ours, theirs = socket.socketpair()
        request = {
            "start": name,
            "readable": [str(path) for path in confines.readable],
            "scratch": str(confines.scratch),
            "memory_mb": confines.memory_mb,
        }
        with theirs:
            try:
                socket.send_fds(self._control, [json.dumps(request).encode() + b"\n"], [theirs.fileno()])
            except OSError as error:
                ours.close()
                raise Ended from error
        return ours

    def pid_of(self, name: str) -> int | None:
        """The process made under this name, or None when it is not made yet. Does not wait."""
        self._hear(lambda: name in self._pids, 0.0)
        return self._pids.get(name)

    def end(self, name: str) -> int | None:
        """Kill it unless it ended by itself; its exit code, a signal's number negative, None if nobody can tell.

        A process on its way out keeps the code that it ends with.
        """
        pid = self.pid_of(name)
        if pid is None:
            return None
        with contextlib.suppress(ProcessLookupError):  # not reaped yet, so still its own number
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            self._control.sendall(json.dumps({"reap": pid}).encode() + b"\n")
        self._hear(lambda: pid in self._codes, _REAP_SECONDS)
        self._pids.pop(name, None)
        return self._codes.pop(pid, None)

    def close(self) -> None:
        """End it and all that it made, and remove their folder."""
        self._control.close()
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:  # still importing
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _hear(self, enough: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not enough():
            self._control.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                content = self._control.recv(65536)
            except TimeoutError:
                content = b""
                if time.monotonic() < deadline:
                    continue
            except OSError:
                content = b""
            finally:
                self._control.settimeout(None)
            if not content:
                return
            *lines, self._pending = (self._pending + content).split(b"\n")
            for line in lines:
                answer = json.loads(line)
                if "start" in answer:
                    self._pids[answer["start"]] = answer["pid"]
                else:
                    self._codes[answer["reap"]] = answer["code"]


def _remove_left_behind() -> None:
    """Folders of workers that were killed; ours alone, by owner and by process id."""
    for folder in Path(tempfile.gettempdir()).glob(f"{sandbox.FOLDER_PREFIX}*"):
        pid = folder.name.removeprefix(sandbox.FOLDER_PREFIX).partition("-")[0]
        with contextlib.suppress(OSError):
            if pid.isdigit() and folder.stat().st_uid == os.getuid() and not _alive(int(pid)):
                shutil.rmtree(folder, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
