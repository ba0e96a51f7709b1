"""A taken run ends in its row, whatever the study or the bundle does."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest

from foundation import events
from pacs import storage
from pacs.models import Instance, Study
from tests.triage.conftest import ball_series
from tests.triage.host.hostile import register_hostile
from tests.triage.making import make_bright_bundle
from triage import execution, filing, planning, registry, runs, tasks
from triage.inference.host import process as models
from triage.models import Finding, ModelVersion, Outcome, RunState, TriageRun

pytestmark = pytest.mark.django_db(transaction=True)
PROJECT = Path(__file__).resolve().parents[2]
Stored = Callable[..., Study]
CENTRE = np.array([10.0, -5.0, 8.0])


def carried_out(study: Study) -> TriageRun:
    (run,) = planning.plan_runs(study_id=study.pk)
    tasks.run(run.pk)
    run.refresh_from_db()
    return run


def test_a_ball_in_a_tilted_study_becomes_a_finding_on_its_slices_with_seg_and_sr(
    bright: ModelVersion, stored: Stored
) -> None:
    datasets = ball_series()
    run = carried_out(stored(datasets[::-1]))
    assert (run.state, run.reason, run.outcome) == (RunState.DONE, "", Outcome.POSITIVE)
    finding = run.findings.get()
    depth = {
        str(d.SOPInstanceUID): (
            np.array([float(v) for v in d.ImagePositionPatient]) - CENTRE
        ) @ np.array([0, 0.3173047, 0.9483237])
        for d in datasets
    }  # fmt: skip
    assert abs(depth[finding.key_sop_instance_uid]) < 4.0
    upwards = sorted(depth, key=lambda uid: depth[uid])
    cut = [number for number, uid in enumerate(upwards, start=1) if abs(depth[uid]) < 14.0]
    assert finding.slice_from is not None and finding.slice_to is not None
    assert abs(finding.slice_from - cut[0]) <= 1 and abs(finding.slice_to - cut[-1]) <= 1
    assert finding.volume_ml == pytest.approx(4 / 3 * np.pi * 1.4**3, rel=0.3)
    assert finding.side == "left"
    seg = Instance.objects.get(sop_instance_uid=run.seg_sop_instance_uid)
    sr = Instance.objects.get(sop_instance_uid=run.sr_sop_instance_uid)
    assert seg.series.derived and sr.series.derived and seg.series.study == run.study
    header = pydicom.dcmread(storage.path_of(seg))
    assert header.SegmentSequence[0].TrackingUID == finding.tracking_uid
    assert header.SeriesInstanceUID == run.seg_series_instance_uid


def test_nothing_found_is_absent_for_this_model_with_an_sr_and_no_seg(
    bright: ModelVersion, stored: Stored
) -> None:
    run = carried_out(stored(ball_series(radius_mm=0)))
    assert (run.state, run.outcome, run.seg_sop_instance_uid) == (RunState.DONE, Outcome.NEGATIVE, "")
    assert run.findings.get().presence == Finding.Presence.ABSENT
    assert Instance.objects.filter(sop_instance_uid=run.sr_sop_instance_uid).exists()


def test_the_same_task_delivered_twice_gives_one_result(bright: ModelVersion, stored: Stored) -> None:
    run = carried_out(stored(ball_series()))
    tasks.run(run.pk)
    made = Study.objects.get().series.filter(derived=True).order_by("pk")
    assert run.findings.count() == 1 and [series.modality for series in made] == ["SEG", "SR", "OT"]


def test_a_changed_bundle_is_refused_and_the_run_says_so(
    bright: ModelVersion, bundles: Path, stored: Stored
) -> None:
    carried_out(stored(ball_series()))
    config = bundles / "bright" / "configs" / "firstread.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"rank_threshold": 0.01}))
    run = carried_out(stored(ball_series()))
    assert run.state == RunState.FAILED and "configuration changed since registration" in run.reason


def test_nothing_in_a_changed_bundle_is_run_before_it_is_refused(
    bright: ModelVersion, bundles: Path, stored: Stored, tmp_path: Path
) -> None:
    trap = tmp_path / "was run"
    config = bundles / "bright" / "configs" / "inference.json"
    evil = {"preprocessing": f"$__import__('pathlib').Path('{trap}').touch()"}
    config.write_text(json.dumps(json.loads(config.read_text()) | evil))
    run = carried_out(stored(ball_series()))
    assert run.state == RunState.FAILED and not trap.exists()


def test_missing_slices_are_not_analysed_with_the_gap(bright: ModelVersion, stored: Stored) -> None:
    datasets = ball_series()
    del datasets[6:10]
    run = carried_out(stored(datasets))
    assert run.state == RunState.NOT_ANALYSED and "gap of 20.0 mm" in run.reason


def test_a_series_without_positions_is_not_analysed(bright: ModelVersion, stored: Stored) -> None:
    datasets = ball_series()
    for dataset in datasets:
        del dataset.ImagePositionPatient
    run = carried_out(stored(datasets))
    assert (run.state, run.reason) == (RunState.NOT_ANALYSED, "a slice has no position or orientation")


def test_the_guard_of_the_bundle_refuses_what_is_no_head(bundles: Path, stored: Stored, db: None) -> None:
    limits = {"modality": ["CT"], "min_slices": 8, "brain_ml": [2000.0, 3000.0]}
    registry.register_bundle(path=make_bright_bundle(bundles, limits=limits), state="live")
    run = carried_out(stored(ball_series(radius_mm=0)))
    assert run.state == RunState.NOT_ANALYSED and "brain-like tissue" in run.reason


def test_an_instance_gone_from_the_archive_fails_the_run(bright: ModelVersion, stored: Stored) -> None:
    study = stored(ball_series())
    (run,) = planning.plan_runs(study_id=study.pk)
    TriageRun.objects.filter(pk=run.pk).update(input_instance_uids=[*run.input_instance_uids, "1.2.3"])
    tasks.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.reason) == (
        RunState.FAILED,
        "1 of 17 instances are not in the archive any more",
    )


def test_a_disk_that_fails_is_tried_again(bright: ModelVersion, stored: Stored) -> None:
    study = stored(ball_series())
    (run,) = planning.plan_runs(study_id=study.pk)
    path = storage.path_of(Instance.objects.filter(series=run.series).first())  # type: ignore[arg-type]
    content = path.read_bytes()
    path.unlink()
    tasks.run(run.pk)
    run.refresh_from_db()
    assert run.state == RunState.WAITING and "FileNotFoundError" in run.reason
    path.write_bytes(content)
    tasks.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.attempts) == (RunState.DONE, 2)


def test_a_crash_inside_a_library_ends_as_failed_and_quotes_no_patient(
    bundles: Path, stored: Stored, db: None, caplog: pytest.LogCaptureFixture
) -> None:
    register_hostile(bundles, runs="(_ for _ in ()).throw(ZeroDivisionError('SYNTHETIC^Jürgen'))")
    with caplog.at_level(logging.DEBUG):
        run = carried_out(stored(ball_series()))
    assert run.state == RunState.FAILED
    assert run.reason.startswith("unexpected ZeroDivisionError in ")
    assert "rgen" not in caplog.text + run.reason


def test_a_crash_while_the_documents_are_made_leaves_the_result_and_says_so(
    bright: ModelVersion, stored: Stored, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def crash(*args: object) -> None:
        raise ZeroDivisionError("SYNTHETIC^Jürgen")

    monkeypatch.setattr(filing, "read_headers", crash)
    with caplog.at_level(logging.DEBUG):
        run = carried_out(stored(ball_series()))
    assert (run.state, run.outcome, run.sr_sop_instance_uid) == (RunState.DONE, Outcome.POSITIVE, "")
    assert run.documents_reason.startswith("unexpected ZeroDivisionError in test_execution.py:")
    assert "rgen" not in caplog.text + run.documents_reason
    assert filing.due() == []


def test_a_model_that_kills_its_process_each_time_ends_as_failed_and_others_flow(
    bundles: Path, stored: Stored, db: None, news: list[events.Event]
) -> None:
    registry.register_bundle(path=make_bright_bundle(bundles), state="live")
    register_hostile(bundles, runs="__import__('os')._exit(3)")
    planned = planning.plan_runs(study_id=stored(ball_series()).pk)
    good, bad = sorted(planned, key=lambda run: run.model.name)
    for attempt in range(1, 4):
        tasks.run(bad.pk)
        bad.refresh_from_db()
        assert (bad.attempts, bad.state) == (attempt, RunState.FAILED if attempt == 3 else RunState.WAITING)
    assert bad.reason == "the model's process died (exit 3) (3 attempts)"
    assert events.TriageRunFinished(bad.pk) in news
    tasks.run(good.pk)
    good.refresh_from_db()
    assert good.state == RunState.DONE


def test_a_model_that_hangs_is_tried_twice_and_told(bundles: Path, stored: Stored, settings: object) -> None:
    settings.TRIAGE_RUN_SECONDS = 2.0  # type: ignore[attr-defined]
    register_hostile(bundles, runs="__import__('time').sleep(1000)")
    run = carried_out(stored(ball_series()))
    assert (run.state, run.reason) == (RunState.WAITING, "no answer within 2 s")
    tasks.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.reason) == (RunState.FAILED, "no answer within 2 s (2 attempts)")


def test_a_model_that_takes_too_much_or_what_it_may_not_fails_at_once(
    bundles: Path, stored: Stored, settings: object
) -> None:
    settings.TRIAGE_MODEL_MEMORY_MB = 1500  # type: ignore[attr-defined]
    register_hostile(bundles, name="big", runs="bytearray(20 << 30)")
    run = carried_out(stored(ball_series()))
    assert (run.state, run.reason) == (RunState.FAILED, "the model needs more than 1500 MB of memory")
    ModelVersion.objects.all().update(state="retired")
    register_hostile(bundles, name="curious", runs="__import__('socket').socket()")
    run = carried_out(stored(ball_series()))
    assert run.state == RunState.FAILED and run.reason.startswith("the model tried what no model may do")


def test_a_model_that_expects_to_be_slow_gets_more_time_but_not_for_ever(bright: ModelVersion) -> None:
    for expected, seconds in ((None, 120.0), (3, 120.0), (60, 300.0), (10_000, 540.0), ("long", 120.0)):
        bright.config = bright.config | {"expected_seconds": expected}
        limits = execution.limits_of(bright)
        assert (limits.seconds, limits.most_wall_seconds) == (seconds, min(4 * seconds, 540.0))


def test_a_lease_lost_between_steps_stops_the_work(
    bright: ModelVersion, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = stored(ball_series())
    (run,) = planning.plan_runs(study_id=study.pk)
    lease = runs.take(run_id=run.pk)
    assert lease is not None
    TriageRun.objects.filter(pk=run.pk).update(lease_token="another")
    execution.perform(lease)
    run.refresh_from_db()
    assert run.state == RunState.RUNNING and not run.findings.exists()


def test_models_in_use_are_loaded_before_they_are_asked(bright: ModelVersion, stored: Stored) -> None:
    execution.preload()
    before = models._processes[registry.folder_of(bright)]
    run = carried_out(stored(ball_series()))
    assert run.state == RunState.DONE and models._processes[registry.folder_of(bright)] is before


def test_the_worker_itself_needs_no_torch() -> None:
    code = "import django; django.setup(); import triage.execution, sys; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip() == "False", done.stderr
