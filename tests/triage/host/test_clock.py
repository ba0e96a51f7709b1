"""A model's clock: it goes with the wall while the model sleeps, and as fast as the model gets on while it computes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.triage.conftest import ball_series
from tests.triage.host.hostile import make_hostile_bundle
from tests.triage.making import write
from triage.bundles import fingerprint
from triage.inference.host import process
from triage.inference.host.clock import OwnTime, Usage, own_seconds, usage
from triage.inference.host.failures import ModelTooSlow

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.mark.parametrize(
    ("got", "runnable", "cores", "own"),
    [
        (0.0, 0, 2, 10.0),  # sleeps: for ever, perhaps
        (10.0, 1, 2, 10.0),  # has a processor to itself
        (20.0, 2, 2, 10.0),  # has both
        (2.5, 1, 2, 2.5),  # shares one with three others
        (5.0, 2, 2, 2.5),
        (5.0, 900, 2, 2.5),  # more threads do not slow the clock down
        (0.0, 1, 2, 0.0),  # got nothing at all: the wall's cap ends it
    ],
)
def test_only_what_it_waits_for_a_processor_is_not_the_models_time(
    got: float, runnable: int, cores: int, own: float
) -> None:
    assert own_seconds(10.0, Usage(100.0, 1), Usage(100.0 + got, runnable), cores) == pytest.approx(own)


def test_where_the_system_does_not_tell_the_wall_is_taken() -> None:
    assert own_seconds(10.0, None, Usage(1.0, 1), 2) == own_seconds(10.0, Usage(1.0, 1), None, 2) == 10.0


@linux
def test_usage_is_that_of_the_process() -> None:
    mine = usage(os.getpid())
    assert mine is not None and mine.runnable >= 1
    assert mine.seconds == pytest.approx(sum(os.times()[:2]), abs=0.2)
    assert usage(2**22 + 1) is None


@linux
def test_a_process_that_shares_its_processor_has_a_slower_clock_than_the_wall() -> None:
    core = min(os.sched_getaffinity(0))
    spin = f"import os; os.sched_setaffinity(0, [{core}])\nwhile True: pass"
    crowd = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(4)]
    try:
        time.sleep(0.5)  # all of them begun
        began = time.monotonic()
        own = OwnTime(lambda: crowd[0].pid, began)
        while time.monotonic() - began < 2.0:
            time.sleep(0.05)
            own.look(time.monotonic())
        assert own.seconds < 1.2
    finally:
        for one in crowd:
            one.kill()
            one.wait()


def test_a_model_that_gets_no_processor_is_ended_at_the_walls_cap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OwnTime, "look", lambda self, now: 0.1)
    limits = process.Limits(seconds=120.0, memory_mb=2048, readable=(tmp_path / "archive",), wall_seconds=2.0)
    files = write(ball_series(), tmp_path / "archive")
    bundle = make_hostile_bundle(tmp_path, runs="__import__('time').sleep(1000)")
    try:
        with pytest.raises(ModelTooSlow, match="no answer within 2 s on a busy machine, 0 s of its own"):
            process.analyse(files, bundle, fingerprint(bundle), limits=limits)
    finally:
        process.stop()
