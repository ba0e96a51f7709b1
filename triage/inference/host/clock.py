"""A model's own time: what it computed or slept, without what it waited for a processor that others had.

On a busy machine a model that is well would run out of the wall's time. So while it has threads that could run,
its clock goes as fast as they do. While it sleeps, the clock goes with the wall: a model that waits for ever
is ended as soon as on an idle machine. Where the system does not tell, wall time is taken.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
# Processor time is told in hundredths of a second: over shorter spans all would be rounding.
_SPAN_SECONDS = 0.2


@dataclass(frozen=True)
class Usage:
    """Of one process: processor seconds of all its threads so far, and how many of them could run now."""

    seconds: float
    runnable: int


def usage(pid: int) -> Usage | None:
    """From /proc; None where that is not there, or the process is gone."""
    if sys.platform != "linux":
        return None
    try:
        _, times = _stat(Path(f"/proc/{pid}/stat"))
        states = [_stat(path)[0] for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    except (OSError, ValueError, IndexError):
        return None
    return Usage(times, states.count("R"))


def own_seconds(wall: float, before: Usage | None, now: Usage | None, cores: int) -> float:
    """How far the model's clock goes on, of `wall` seconds: a pure rule.

    Args:
        before, now: what the process had used at both ends; None counts the wall.
        cores: processors that it may use at once.
    """
    if before is None or now is None or not now.runnable:
        return wall
    wanted = wall * min(now.runnable, cores)
    got = max(0.0, now.seconds - before.seconds)
    return wall * min(1.0, got / wanted) if wanted > 0.0 else wall


class OwnTime:
    """Counts a model's own seconds between looks."""

    def __init__(self, pid: Callable[[], int | None], now: float) -> None:
        self._pid, self._looked, self._cores = pid, now, _cores()
        self._usage = self._measured()
        self.seconds = 0.0

    def look(self, now: float) -> float:
        """The own seconds so far; call it often."""
        if now - self._looked >= _SPAN_SECONDS:
            usage = self._measured()
            self.seconds += own_seconds(now - self._looked, self._usage, usage, self._cores)
            self._looked, self._usage = now, usage
        return self.seconds

    def _measured(self) -> Usage | None:
        pid = self._pid()
        return usage(pid) if pid is not None else None


def _cores() -> int:
    """As triage.inference.runtimes.threads, which the worker does not load: it comes with torch."""
    wanted = int(os.environ.get("FIRSTREAD_TORCH_THREADS", "0"))
    here = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    return wanted or here or 1


def _stat(path: Path) -> tuple[str, float]:
    """State and processor seconds (proc(5)); the name before them may hold anything."""
    fields = path.read_text().rpartition(")")[2].split()
    return fields[0], (int(fields[11]) + int(fields[12])) / _TICK
