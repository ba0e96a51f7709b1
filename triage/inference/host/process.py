"""A bundle at work in a process of its own, watched: its time, its memory, its life.

`analyse` is what the rest of the house calls. One bundle, one process: a bundle that breaks its process, or
changes what is in it, cannot touch another's answers. A process is kept warm between runs and comes back by
itself; only the run that it failed is told.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import structlog

from triage.bundles import Fingerprint
from triage.inference.analysis import Analysis, OutsideLimits
from triage.inference.host import answers, sandbox
from triage.inference.host.clock import OwnTime
from triage.inference.host.failures import (
    InputUnreadable,
    ModelDied,
    ModelFailed,
    ModelTooBig,
    ModelTooSlow,
    NotIsolated,
)
from triage.inference.host.nurturing import Nursery
from triage.inference.host.wire import Arrays, Channel, Ended, Malformed

log = structlog.get_logger(__name__)

# Importing torch on a busy machine; not counted as the model's time.
START_SECONDS = 300.0
# How often the run's holder hears that the model is still at it.
HOLD_SECONDS = 15.0
# Nobody waits longer than this many times a model's own seconds, however busy the machine is.
WALL_FACTOR = 4.0
MOST_PROCESSES = 8
_LOG_LINES = 100
_MOST_BYTES = 4 << 30


@dataclass(frozen=True)
class Limits:
    """What a model may use.

    Attributes:
        seconds: of its own for one answer, loading included; what it waits for a processor that others have does
            not count (triage/inference/host/clock.py).
        wall_seconds: for one answer at most, however busy the machine is; None: WALL_FACTOR times `seconds`.
        memory_mb: of memory of its own, images and weights included.
        readable: folders of the images.
        isolated: refuse to run a model where not all walls stand.
    """

    seconds: float
    memory_mb: int
    readable: tuple[Path, ...]
    isolated: bool = False
    wall_seconds: float | None = None

    @property
    def most_wall_seconds(self) -> float:
        """After these nobody waits any more."""
        return WALL_FACTOR * self.seconds if self.wall_seconds is None else self.wall_seconds


def analyse(
    files: Sequence[Path],
    folder: Path,
    pinned: Fingerprint,
    *,
    limits: Limits,
    between_steps: Callable[[], None] = lambda: None,
) -> Analysis:
    """Run the bundle in `folder` on the files of one series, in its own process.

    Args:
        files: instances of one series, in any order, below `limits.readable`.
        folder: of the bundle.
        pinned: what its files must be.
        limits: of this run.
        between_steps: called after every step and every HOLD_SECONDS; may raise to give up.

    Raises:
        OutsideLimits: the series cannot or must not be analysed.
        ModelFailed: the model gave no answer; `tries` says how many attempts it is worth.
        InputUnreadable: the archive's files could not be read.
    """
    with _lock:
        try:
            process = _process_for(folder, limits)
        except Ended as error:
            raise ModelDied("the model's process could not be started") from error
        try:
            return process.analyse(files, pinned, limits, between_steps)
        finally:
            if not process.lives():  # warm again before the next run asks
                with contextlib.suppress(Ended):
                    _process_for(folder, limits).load(pinned)


def load(folder: Path, pinned: Fingerprint, *, limits: Limits) -> None:
    """Start a bundle's process and let it load; does not wait, and what goes wrong is told by the first run."""
    with _lock, contextlib.suppress(Ended):
        _process_for(folder, limits).load(pinned)


def stop() -> None:
    """End all models' processes of this process; the next call starts anew."""
    global _nursery
    with _lock:
        for process in _processes.values():
            process.end()
        _processes.clear()
        if _nursery is not None:
            _nursery.close()
            _nursery = None


class _Stopped(Exception):
    """The model stopped between two steps, as asked; its process is well."""

    def __init__(self, because: Exception) -> None:
        super().__init__(because)
        self.because = because


class _Process:
    def __init__(self, nursery: Nursery, folder: Path, limits: Limits) -> None:
        self.folder, self.limits = folder, limits
        self._nursery = nursery
        for path in limits.readable:
            path.mkdir(parents=True, exist_ok=True)  # what is not there yet cannot be named in a rule
        scratch = Path(tempfile.mkdtemp(dir=nursery.folder))
        self._name = scratch.name
        confines = sandbox.Confines((folder, *limits.readable), scratch, limits.memory_mb)
        self._end_of_it: socket.socket = nursery.start(self._name, confines)
        self._channel = Channel(self._end_of_it, self._watch)
        self._number = 0
        self._run_limits = limits
        self._own: OwnTime | None = None
        self._deadline = time.monotonic() + START_SECONDS
        self._ready, self._ended = False, False
        self._log_lines = 0
        self._hold: Callable[[], None] = lambda: None
        self._held = time.monotonic()
        self._measured = 0.0

    def lives(self) -> bool:
        """Has it not ended while nobody asked it anything?"""
        if self._ended or not self._nursery.lives():
            return False
        self._end_of_it.setblocking(False)
        try:
            return self._end_of_it.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            self._channel.rearm()

    def load(self, pinned: Fingerprint) -> None:
        """Ask it to load; the answer is read, and skipped, when the next request waits for its own."""
        self._deadline = time.monotonic() + START_SECONDS
        self._request({"do": "load"}, pinned)

    def analyse(
        self, files: Sequence[Path], pinned: Fingerprint, limits: Limits, between_steps: Callable[[], None]
    ) -> Analysis:
        self._run_limits, self._hold, self._held, self._log_lines = limits, between_steps, time.monotonic(), 0
        if self._ready:
            self._count_from_now()
        else:
            self._own, self._deadline = None, time.monotonic() + START_SECONDS
        try:
            number = self._request({"do": "analyse", "files": [str(path) for path in files]}, pinned)
            message, arrays = self._answer_to(number)
        except Ended:
            self._tell_death()
        except _Stopped as stopped:
            raise stopped.because from None
        except Malformed as error:
            self.end()
            raise ModelFailed(f"the model's process sent {error}") from error
        except BaseException:  # whoever gives up waiting must not leave it at work
            self.end()
            raise
        finally:
            self._hold = lambda: None
        if "failed" in message:
            self._raise(message)
        try:
            return answers.decode(message["analysis"], arrays)
        except (Malformed, KeyError) as error:
            raise ModelFailed("the model's process sent an answer that is none") from error

    def end(self) -> int | None:
        """Kill it unless it ended by itself; its exit code if anybody can tell. Safe to repeat."""
        if self._ended:
            return None
        self._ended = True
        self._channel.close()
        return self._nursery.end(self._name)

    def _request(self, what: dict[str, Any], pinned: Fingerprint) -> int:
        self._number += 1
        self._channel.send(
            {
                **what,
                "id": self._number,
                "bundle": str(self.folder),
                "pinned": {
                    "weights_sha256": pinned.weights_sha256,
                    "configs_sha256": pinned.configs_sha256,
                },
            }
        )
        return self._number

    def _answer_to(self, number: int) -> tuple[dict[str, Any], Arrays]:
        """The answer to this very request; answers to earlier ones were given up and are skipped."""
        stop: Exception | None = None
        while True:
            message, arrays = self._channel.receive(most_bytes=_MOST_BYTES)
            about = message.get("id")
            if "ready" in message:
                self._begin(message["ready"])
            elif "log" in message:
                self._log(message)
            elif type(about) is not int or not 0 < about <= number:
                raise Malformed("an answer to something else")
            elif about < number:
                continue
            elif "step" in message:
                try:
                    self._hold()
                except Exception as error:  # noqa: BLE001  (raised below, once the model has stopped)
                    stop = error
                self._channel.send({"id": number, "go": stop is None})
            elif stop is not None:
                raise _Stopped(stop)
            else:
                return message, arrays

    def _begin(self, told: Any) -> None:
        """It runs: from now on the time is the model's own."""
        if self._ready:  # said by the bundle, to get more time
            raise Malformed("a second beginning")
        try:
            isolation = sandbox.Isolation(**told)
        except TypeError as error:
            raise Malformed("walls that are not known") from error
        level = log.info if isolation.whole else log.warning
        level("model_process_ready", bundle=self.folder.name, isolation=isolation.told())
        self._ready = True
        self._count_from_now()
        if self.limits.isolated and not isolation.whole:
            raise NotIsolated(f"{isolation.told()}, and this site asks for that (FIRSTREAD_ISOLATION)")

    def _count_from_now(self) -> None:
        now = time.monotonic()
        self._own = OwnTime(lambda: self._nursery.pid_of(self._name), now)
        self._deadline = now + self._run_limits.most_wall_seconds

    def _log(self, message: dict[str, Any]) -> None:
        self._log_lines += 1
        event = message.get("event")
        if self._log_lines <= _LOG_LINES and isinstance(event, dict):
            level = log.warning if message["log"] in {"warning", "error", "critical"} else log.info
            level("model_process_says", bundle=self.folder.name, said=str(event)[:500])

    def _watch(self) -> None:
        now = time.monotonic()
        own = self._own.look(now) if self._own is not None else 0.0
        if own > self._run_limits.seconds:
            raise ModelTooSlow(f"no answer within {self._run_limits.seconds:g} s")
        if now > self._deadline:
            raise ModelTooSlow(
                f"no answer within {self._run_limits.most_wall_seconds:g} s on a busy machine, "
                f"{own:.0f} s of its own"
                if self._ready
                else f"the model's process was not ready within {START_SECONDS:g} s"
            )
        if now - self._held > HOLD_SECONDS:
            self._held = now
            self._hold()
        if now - self._measured > (0.0 if sys.platform == "linux" else 1.0):
            self._measured = now
            pid = self._nursery.pid_of(self._name)
            if pid is not None and memory_mb(pid) > self.limits.memory_mb:
                raise ModelTooBig(f"the model exceeded {self.limits.memory_mb} MB of memory")
        if not self._nursery.lives():
            raise Ended

    def _tell_death(self) -> NoReturn:
        code = self.end()
        how = "" if code is None else f" (exit {code})"
        if code is not None and code < 0:
            how = f" ({signal.Signals(-code).name})"
        raise ModelDied(f"the model's process died{how}") from None

    def _raise(self, message: dict[str, Any]) -> NoReturn:
        reason = str(message.get("reason", ""))[:400]
        match message["failed"]:
            case "outside_limits":
                raise OutsideLimits(reason)
            case "bundle":
                raise ModelFailed(reason)
            case "input":
                if reason == PermissionError.__name__:
                    self.end()  # the folder was replaced under it: the next process sees the new one
                raise InputUnreadable(reason)
            case "memory":
                raise ModelTooBig(reason or f"the model needs more than {self.limits.memory_mb} MB of memory")
            case "forbidden":
                raise ModelFailed(f"the model tried what no model may do (PermissionError in {reason})")
            case _:
                raise ModelFailed(f"unexpected {reason}")


def memory_mb(pid: int) -> float:
    """Memory that a process has for itself, in MB; 0 when it is gone. Files that it only maps do not count."""
    if sys.platform != "linux":
        told = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True)
        return int(told.stdout.strip() or 0) / 1024
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    values = dict(line.split(":", 1) for line in lines)
    return sum(int(values.get(name, "0").split()[0]) for name in ("RssAnon", "RssShmem", "VmSwap")) / 1024


def _process_for(folder: Path, limits: Limits) -> _Process:
    """The living process of a bundle, or a new one; the one asked longest ago makes room."""
    global _nursery, _owner
    if _owner != os.getpid():  # a fork of a process that had models: they are the parent's
        _processes.clear()
        _nursery, _owner = None, os.getpid()
    if _nursery is None or not _nursery.lives():
        if _nursery is not None:
            _nursery.close()
        _processes.clear()
        _nursery = Nursery()
    kept = _processes.pop(folder, None)
    same = kept is not None and (kept.limits.memory_mb, kept.limits.readable, kept.limits.isolated) == (
        limits.memory_mb,
        limits.readable,
        limits.isolated,
    )
    if kept is not None and not (same and kept.lives()):
        kept.end()
        kept = None
    while len(_processes) >= MOST_PROCESSES:
        _processes.popitem(last=False)[1].end()
    process = kept if kept is not None else _Process(_nursery, folder, limits)
    _processes[folder] = process
    return process


_lock = threading.RLock()
_owner = os.getpid()
_nursery: Nursery | None = None
_processes: OrderedDict[Path, _Process] = OrderedDict()
