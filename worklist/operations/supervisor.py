"""Runs the processes of one machine and brings back what dies.

Each child gets its own session, so that Ctrl-C reaches the supervisor alone and it can end the
children in order; on Linux the kernel ends the children when the supervisor itself is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PR_SET_PDEATHSIG = 1
LOG_LIMIT_BYTES = 20 * 1024 * 1024
STOP_SECONDS = 2.5
# A child that dies at once again is restarted more slowly, but never given up.
BACKOFF_SECONDS = (0.0, 0.0, 0.5, 1.0, 2.0, 5.0)
STEADY_SECONDS = 20.0


@dataclass
class Child:
    """One process to keep alive.

    Attributes:
        name: also the name of its log file.
        argv: command line.
        before_start: runs each time before the process starts, while none of it lives.
        keep: False for a job that may end (the demo).
        last: ended after all others (the broker: a worker that lost it would wait for it).
    """

    name: str
    argv: Sequence[str]
    before_start: Callable[[], object] | None = None
    keep: bool = True
    last: bool = False
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    started: float = 0.0
    failures: int = 0
    next_start: float = 0.0


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Supervisor:
    """Starts children, restarts them, ends them."""

    def __init__(
        self, *, logs: Path, environment: Mapping[str, str], cwd: Path, say: Callable[[str], None]
    ) -> None:
        self._logs = logs
        self._environment = {**os.environ, **environment}
        self._cwd = cwd
        self._say = say
        self._children: list[Child] = []
        self._logs.mkdir(parents=True, exist_ok=True)

    @property
    def children(self) -> tuple[Child, ...]:
        """Children in the order of their start."""
        return tuple(self._children)

    def start(self, child: Child) -> None:
        """Start a child and keep it from now on."""
        self._children.append(child)
        self._spawn(child)

    def poll(self) -> None:
        """Bring back what died. Call several times a second."""
        now = time.monotonic()
        for child in list(self._children):
            if child.process is None:
                if now >= child.next_start:
                    self._spawn(child)
                continue
            code = child.process.poll()
            if code is None:
                continue
            self._end_group(child)  # the dead process may have left children of its own
            child.process = None
            if not child.keep:
                self._children.remove(child)
                continue
            child.failures = 0 if now - child.started > STEADY_SECONDS else child.failures + 1
            wait = BACKOFF_SECONDS[min(child.failures, len(BACKOFF_SECONDS) - 1)]
            child.next_start = now + wait
            self._say(f"{child.name} ended ({_explain(code)}); starting it again. Log: {self.log_of(child)}")
            if wait == 0:
                self._spawn(child)

    def stop(self) -> None:
        """End all children; what others lean on (`last`) goes after them.

        What has not ended after STOP_SECONDS is killed: that is safe, because the database is the truth
        about work to do.
        """
        for last in (False, True):
            self._stop([child for child in reversed(self._children) if child.last is last])

    @staticmethod
    def _stop(children: Sequence[Child]) -> None:
        deadline = time.monotonic() + STOP_SECONDS
        living = [c for c in children if c.process is not None and c.process.poll() is None]
        for child in living:
            assert child.process is not None
            with contextlib.suppress(ProcessLookupError):
                child.process.terminate()
        for child in living:
            assert child.process is not None
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(timeout=max(0.05, deadline - time.monotonic()))
            Supervisor._end_group(child)

    def end(self, child: Child) -> None:
        """End one child and forget it."""
        self._children.remove(child)
        self._stop([child])

    def log_of(self, child: Child) -> Path:
        """Where the child's output goes."""
        return self._logs / f"{child.name}.log"

    def _spawn(self, child: Child) -> None:
        if child.before_start is not None:
            child.before_start()
        path = self.log_of(child)
        if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
            path.replace(path.with_suffix(".log.1"))
        with path.open("ab") as log:
            child.process = subprocess.Popen(
                list(child.argv),
                cwd=self._cwd,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        child.started = time.monotonic()

    @staticmethod
    def _end_group(child: Child) -> None:
        assert child.process is not None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.process.wait(timeout=1)


def _explain(code: int) -> str:
    if code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit {code}"
