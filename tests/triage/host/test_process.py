"""A model in its own process: warm, watched, and unable to take anything with it when it goes."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.triage.conftest import ball_series
from tests.triage.host.hostile import TRIES, make_hostile_bundle
from tests.triage.making import make_bright_bundle, write
from triage.bundles import fingerprint
from triage.inference.analysis import Analysis, OutsideLimits
from triage.inference.host import process, sandbox
from triage.inference.host.failures import (
    InputUnreadable,
    ModelDied,
    ModelFailed,
    ModelTooBig,
    ModelTooSlow,
    NotIsolated,
)

needs_walls = pytest.mark.skipif(not sandbox.offered().whole, reason="this machine cannot isolate a process")


@pytest.fixture(scope="module", autouse=True)
def _end_processes() -> Iterator[None]:
    yield
    process.stop()


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return write(ball_series(), tmp_path / "archive")


@pytest.fixture
def limits(tmp_path: Path) -> process.Limits:
    return process.Limits(seconds=120.0, memory_mb=2048, readable=(tmp_path / "archive",))


def run(bundle: Path, files: list[Path], limits: process.Limits, **options: object) -> Analysis:
    return process.analyse(files, bundle, fingerprint(bundle), limits=limits, **options)  # type: ignore[arg-type]


def pid_of(bundle: Path) -> int:
    found = process._processes[bundle]
    pid = found._nursery.pid_of(found._name)
    assert pid is not None
    return pid


def test_the_answer_is_that_of_the_engine_and_the_process_stays_warm(
    tmp_path: Path, files: list[Path], limits: process.Limits
) -> None:
    from triage.inference import engine

    bundle = make_bright_bundle(tmp_path)
    first = run(bundle, files, limits)
    before = pid_of(bundle)
    steps: list[None] = []
    began = time.monotonic()
    second = run(bundle, files, limits, between_steps=lambda: steps.append(None))
    took = time.monotonic() - began
    pinned = fingerprint(bundle)
    here = engine.analyse(files, engine.bundle_for(bundle, pinned), pinned.weights_sha256)
    assert pid_of(bundle) == before and len(steps) >= 3
    assert [t.probability for t in first.targets] == [t.probability for t in second.targets]
    for target, own in zip(second.targets, here.targets, strict=True):
        assert replace(target, mask=None) == replace(own, mask=None)
        assert target.mask is not None and own.mask is not None and np.array_equal(target.mask, own.mask)
    assert second.sources == here.sources and second.runtime == here.runtime
    print(
        f"{took - sum(second.timings.values()):.3f} s beside the engine's own {sum(second.timings.values()):.3f} s"
    )


@pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")
def test_openvino_works_within_the_walls(tmp_path: Path, files: list[Path], limits: process.Limits) -> None:
    bundle = make_bright_bundle(tmp_path, runtime="openvino")
    assert run(bundle, files, limits).runtime == "openvino"


@needs_walls
@pytest.mark.parametrize("what", TRIES)
def test_a_model_that_tries_what_it_may_not_is_failed_with_the_reason(
    what: str, tmp_path: Path, files: list[Path], limits: process.Limits
) -> None:
    outside = tmp_path / "data"
    outside.mkdir()
    (outside / "secret_key").write_text("key")
    (outside / "firstread.sqlite3").write_text("rows")
    bundle = tmp_path / "hostile"
    make_hostile_bundle(tmp_path, runs=TRIES[what].format(outside=outside, bundle=bundle))
    before = fingerprint(bundle)
    with pytest.raises(ModelFailed, match="tried what no model may do") as failed:
        run(bundle, files, limits)
    assert failed.value.tries == 1
    assert sorted(p.name for p in outside.iterdir()) == ["firstread.sqlite3", "secret_key"]
    assert fingerprint(bundle) == before
    os.kill(pid_of(bundle), 0)


@needs_walls
def test_nothing_of_the_worker_is_in_reach_while_a_bundle_loads_either(
    tmp_path: Path, files: list[Path], limits: process.Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRSTREAD_SECRET_KEY", "secret")
    bundle = make_hostile_bundle(tmp_path, loads="__import__('os').environ['FIRSTREAD_SECRET_KEY']")
    with pytest.raises(ModelFailed):
        run(bundle, files, limits)
    bundle = make_hostile_bundle(tmp_path, name="later", loads="__import__('socket').socket()")
    with pytest.raises(ModelFailed):
        run(bundle, files, limits)


@pytest.mark.parametrize(
    ("does", "told"),
    [
        ("__import__('os')._exit(3)", r"the model's process died \(exit 3\)"),
        ("__import__('sys').exit(4)", r"the model's process died"),
        ("__import__('ctypes').string_at(0)", r"the model's process died \(SIGSEGV\)"),
        ("__import__('os').abort()", r"the model's process died \(SIGABRT\)"),
        ("[__import__('os').close(n) for n in range(3, 64)]", r"the model's process died"),
    ],
)
def test_a_model_that_kills_its_process_is_told_at_once_and_the_next_run_flows(
    does: str, told: str, tmp_path: Path, files: list[Path], limits: process.Limits
) -> None:
    good = make_bright_bundle(tmp_path)
    expected = run(good, files, limits)
    bundle = make_hostile_bundle(tmp_path, runs=does)
    process.load(bundle, fingerprint(bundle), limits=limits)
    began = time.monotonic()
    with pytest.raises(ModelDied, match=told) as failed:
        run(bundle, files, limits)
    assert failed.value.tries > 1
    after = run(good, files, limits)
    print(f"died and told, another bundle answered: {time.monotonic() - began:.2f} s")
    assert after.targets[0].probability == expected.targets[0].probability


@pytest.mark.skipif(sys.platform != "linux", reason="finds its connection in /proc")
@pytest.mark.parametrize(
    ("forged", "told"),
    [
        ({"ready": {"network": True, "processes": True, "files": True}}, "a second beginning"),
        ({"id": 7, "analysis": {}}, "an answer to something else"),
        ({"id": 1, "analysis": {"targets": []}}, "an answer that is none"),
        (
            {"id": 1, "analysis": {}, "arrays": [["a", "float64", [1 << 31, 8]]]},
            "arrays of 137438953472 bytes",
        ),
    ],
)
def test_what_a_model_writes_into_its_connection_itself_is_not_believed(
    forged: dict[str, object], told: str, tmp_path: Path, files: list[Path], limits: process.Limits
) -> None:
    text = json.dumps({"arrays": [], **forged}).encode()
    message = len(text).to_bytes(4, "big") + text
    bundle = make_hostile_bundle(
        tmp_path,
        runs=f"(lambda os: [os.write(n, {message!r}) for n in range(3, 64)"
        " if os.path.lexists('/proc/self/fd/%d' % n)"
        " and os.readlink('/proc/self/fd/%d' % n).startswith('socket')])(__import__('os'))"
        " and __import__('time').sleep(60)",
    )
    with pytest.raises(ModelFailed, match=told) as failed:
        run(bundle, files, limits)
    assert failed.value.tries == 1


def test_a_model_that_never_answers_is_ended_at_its_time(
    tmp_path: Path, files: list[Path], limits: process.Limits
) -> None:
    bundle = make_hostile_bundle(tmp_path, runs="__import__('time').sleep(1000)")
    make_hostile_bundle(tmp_path, name="spins", runs="[None for _ in iter(int, 1)]")
    # One that sleeps has its 3 s on the wall; one that spins gets them of the processor, at most 12 s on the wall.
    for folder, told in ((bundle, "within 3 s"), (tmp_path / "spins", "within (3 s|12 s on a busy machine)")):
        process.load(folder, fingerprint(folder), limits=limits)
        with pytest.raises(ModelTooSlow, match=f"no answer {told}"):
            run(folder, files, replace(limits, seconds=3.0))


@pytest.mark.parametrize(
    "wants",
    [
        "__import__('torch').ones(5, 1 << 30)",
        "bytearray(20 << 30)",
        "[__import__('time').sleep(0.001) or keep.append(bytes(9 << 20)) for keep in [[]] for _ in range(3000)]",
        "__import__('mmap').mmap(-1, 3 << 30).write(b'x' * (3 << 30))",
    ],
)
def test_a_model_that_takes_too_much_memory_is_told_what_it_may_have(
    wants: str, tmp_path: Path, files: list[Path], limits: process.Limits
) -> None:
    bundle = make_hostile_bundle(tmp_path, runs=wants)
    with pytest.raises(ModelTooBig, match="2048 MB of memory") as failed:
        run(bundle, files, limits)
    assert failed.value.tries == 1


def test_a_gpu_that_is_too_small_gives_the_work_to_the_cpu_once(
    tmp_path: Path, files: list[Path], limits: process.Limits, caplog: pytest.LogCaptureFixture
) -> None:
    error = "__import__('torch').OutOfMemoryError('CUDA out of memory')"
    on_gpu = f"__import__('os').environ.get('FIRSTREAD_DEVICE') == 'cpu' or (_ for _ in ()).throw({error})"
    bundle = make_hostile_bundle(tmp_path, name="big", runs=on_gpu)
    with caplog.at_level("WARNING"):
        assert run(bundle, files, limits).targets[0].probability > 0.5
    assert "gpu_out_of_memory" in caplog.text
    never = make_hostile_bundle(tmp_path, name="bigger", runs=f"(_ for _ in ()).throw({error})")
    with pytest.raises(ModelTooBig, match="on the GPU, and again on the CPU"):
        run(never, files, limits)


def test_a_worker_that_lost_interest_stops_the_model_between_steps_and_keeps_it(
    tmp_path: Path, files: list[Path], limits: process.Limits
) -> None:
    class Lost(Exception):
        pass

    def lost() -> None:
        raise Lost

    bundle = make_bright_bundle(tmp_path)
    run(bundle, files, limits)
    before = pid_of(bundle)
    with pytest.raises(Lost):
        run(bundle, files, limits, between_steps=lost)
    assert run(bundle, files, limits).targets and pid_of(bundle) == before


def test_in_a_long_step_the_holder_hears_of_it_and_may_end_it(
    tmp_path: Path, files: list[Path], limits: process.Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "HOLD_SECONDS", 0.2)
    heard: list[float] = []

    def hold() -> None:
        heard.append(time.monotonic())
        if len(heard) > 6:
            raise KeyError("lost")

    bundle = make_hostile_bundle(tmp_path, runs="__import__('time').sleep(1000)")
    with pytest.raises(KeyError):
        run(bundle, files, limits, between_steps=hold)


def test_a_process_killed_from_outside_while_idle_costs_no_run(
    tmp_path: Path, files: list[Path], limits: process.Limits
) -> None:
    bundle = make_bright_bundle(tmp_path)
    run(bundle, files, limits)
    before = pid_of(bundle)
    os.kill(before, signal.SIGKILL)
    time.sleep(0.2)
    assert run(bundle, files, limits).targets and pid_of(bundle) != before


def test_the_nursery_gone_takes_all_with_it_and_the_next_run_starts_anew(
    tmp_path: Path, files: list[Path], limits: process.Limits
) -> None:
    bundle = make_bright_bundle(tmp_path)
    run(bundle, files, limits)
    pid, nursery = pid_of(bundle), process._nursery
    assert nursery is not None
    nursery._process.kill()
    nursery._process.wait()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and Path(f"/proc/{pid}").exists():
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()
    assert run(bundle, files, limits).targets


def test_the_reasons_of_input_and_bundle_come_through(
    tmp_path: Path, files: list[Path], limits: process.Limits
) -> None:
    bundle = make_bright_bundle(tmp_path)
    with pytest.raises(OutsideLimits, match="fewer than"):
        run(bundle, files[:3], limits)
    with pytest.raises(InputUnreadable, match="FileNotFoundError"):
        run(bundle, [*files[:-1], tmp_path / "archive" / "gone.dcm"], limits)
    pinned = fingerprint(bundle)
    file = bundle / "configs" / "firstread.json"
    file.write_text(file.read_text() + " ")
    with pytest.raises(ModelFailed, match="configuration changed since registration"):
        process.analyse(files, bundle, pinned, limits=limits)
    (bundle / "models" / "model.pt").write_bytes(b"no weights")
    with pytest.raises(ModelFailed):
        run(bundle, files, limits)


def test_a_site_that_asks_for_walls_gets_no_answer_without_them(
    tmp_path: Path, files: list[Path], limits: process.Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = make_bright_bundle(tmp_path)
    begin = process._Process._begin
    monkeypatch.setattr(process._Process, "_begin", lambda self, told: begin(self, {**told, "files": False}))
    with pytest.raises(NotIsolated, match="NOT kept from: files"):
        run(bundle, files, replace(limits, isolated=True))


def test_no_more_processes_are_kept_than_allowed(
    tmp_path: Path, files: list[Path], limits: process.Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "MOST_PROCESSES", 2)
    bundles = [make_bright_bundle(tmp_path, name=f"b{n}") for n in range(3)]
    for bundle in bundles:
        run(bundle, files, limits)
    assert list(process._processes) == bundles[1:]
