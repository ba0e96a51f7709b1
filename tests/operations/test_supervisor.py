"""What dies comes back; what is asked to end, ends."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from worklist.operations.supervisor import Child, Supervisor

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print('up', flush=True)\n"
    "time.sleep(60)",
]


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    made = Supervisor(logs=tmp_path, environment={}, cwd=tmp_path, say=lambda text: None)
    yield made
    made.stop()


def _until(supervisor: Supervisor, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        supervisor.poll()
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_a_killed_child_is_started_again(supervisor: Supervisor) -> None:
    child = Child("sleeper", SLEEPER)
    supervisor.start(child)
    assert child.process is not None
    first = child.process.pid
    os.kill(first, signal.SIGKILL)
    assert _until(supervisor, lambda: child.process is not None and child.process.pid != first)


def test_a_job_that_may_end_is_not_started_again(supervisor: Supervisor) -> None:
    supervisor.start(Child("job", [sys.executable, "-c", ""], keep=False))
    assert _until(supervisor, lambda: supervisor.children == ())


def test_what_must_happen_first_happens_before_every_start(supervisor: Supervisor) -> None:
    calls: list[float] = []
    child = Child("short", [sys.executable, "-c", ""], before_start=lambda: calls.append(time.monotonic()))
    supervisor.start(child)
    assert _until(supervisor, lambda: len(calls) >= 2)


def test_a_child_that_ignores_the_request_to_end_is_killed(supervisor: Supervisor, tmp_path: Path) -> None:
    child = Child("stubborn", STUBBORN)
    supervisor.start(child)
    assert _until(supervisor, lambda: "up" in supervisor.log_of(child).read_text())
    process = child.process
    assert process is not None
    supervisor.stop()
    assert process.poll() == -signal.SIGKILL
