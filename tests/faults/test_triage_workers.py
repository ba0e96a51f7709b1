"""Inference under fire: real workers, a real broker, kill -9; one result each, and the queue flows on."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from pydicom.dataset import Dataset

from foundation.accounts.models import User
from pacs.models import Series, Study
from tests.faults.workers import Worker, database_of_the_test, seconds_until_gone
from tests.house import eventually
from tests.triage.conftest import ball_series, complete, put
from tests.triage.host.hostile import register_hostile
from tests.triage.making import make_bright_bundle
from tests.worklist.making import make_order
from tests.worklist.reports.conftest import READY
from triage import planning, registry, runs
from triage.inference.host import sandbox
from triage.models import Finding, ModelVersion, RunState, TriageRun
from triage.selectors import ai_state_of
from worklist.alerts.models import Alert
from worklist.live.models import Change
from worklist.reports import services
from worklist.reports.editing import Verdict
from worklist.reports.models import Report, ReportEntry

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True), pytest.mark.timeout(1200)]
# A busy machine needs it for an ordinary run; a model that hangs takes it twice.
SECONDS = 40
SLOW = "__import__('time').sleep(4)"
FINAL = {RunState.DONE, RunState.FAILED, RunState.NOT_ANALYSED, RunState.STALE}


@pytest.fixture(scope="module")
def running(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """One worker for all tests here, on their database; it starts slowly, because it imports torch."""
    made = Worker(
        tmp_path_factory.mktemp("worker"),
        database_of_the_test(),
        {"FIRSTREAD_RUN_SECONDS": str(SECONDS), "FIRSTREAD_MODEL_MEMORY_MB": "2000"},
    )
    made.start()
    yield made
    made.stop()


@pytest.fixture
def worker(running: Worker, transactional_db: None, settings: object) -> Iterator[Worker]:
    """The worker, and archive and bundles of this process where it has its own; idle at the end."""
    settings.ARCHIVE_DIR, settings.BUNDLES_DIR = running.archive, running.bundles  # type: ignore[attr-defined]
    settings.MINIMUM_FREE_DISK_MB = 1  # type: ignore[attr-defined]
    yield running
    eventually(running.idle, 120, "the worker is idle")


def planned(datasets: list[Dataset]) -> TriageRun:
    """The one run of a complete, ordered study with these images."""
    assert set(put(datasets)) == {"stored"}
    study = complete(Study.objects.get(study_instance_uid=datasets[0].StudyInstanceUID))
    make_order(study)
    (run,) = planning.plan_runs(study_id=study.pk)
    return run


def bright(worker: Worker) -> ModelVersion:
    return registry.register_bundle(path=make_bright_bundle(worker.bundles), state="live")


def state_of(run: TriageRun) -> str:
    run.refresh_from_db()
    return run.state


def until(worker: Worker, run: TriageRun, *states: str, attempts: int = 0, seconds: float = 300.0) -> None:
    """Wait until a run is in one of these states, sweeping as beat does."""
    swept = time.monotonic()

    def there() -> bool:
        nonlocal swept
        if time.monotonic() - swept > 3.0:
            swept = time.monotonic()
            worker.send("triage.sweep")
        return state_of(run) in states and run.attempts >= attempts

    eventually(
        there, seconds, f"run {states}, is {run.state}: {run.reason}\n{worker.log.read_text()[-3000:]}"
    )


def holder_of(run: TriageRun) -> int:
    run.refresh_from_db()
    return int(run.lease_holder.split()[1])


def assert_one_result(run: TriageRun, *, attempts: int) -> None:
    # The documents come after the result.
    eventually(lambda: TriageRun.objects.get(pk=run.pk).sr_sop_instance_uid, SECONDS, "documents of the run")
    run.refresh_from_db()
    assert (run.state, run.reason, run.attempts) == (RunState.DONE, "", attempts)
    assert run.findings.filter(presence=Finding.Presence.PRESENT).count() == run.findings.count() == 1
    derived = Series.objects.filter(study=run.study, derived=True)
    assert sorted((s.modality, s.instances.count()) for s in derived) == [("OT", 1), ("SEG", 1), ("SR", 1)]
    assert Alert.objects.filter(finding__run__study=run.study).count() == 1
    assert TriageRun.objects.filter(study=run.study).count() == 1


def test_a_worker_killed_during_inference_runs_it_again_and_gives_one_result(worker: Worker) -> None:
    register_hostile(worker.bundles, runs=SLOW)
    run = planned(ball_series())
    worker.send("triage.run", run.pk)
    until(worker, run, RunState.RUNNING)
    eventually(lambda: len(worker.models(holder_of(run))) >= 2, 300, "a model's process")
    time.sleep(2.0)
    holder = holder_of(run)
    models = worker.models(holder)
    os.kill(holder, signal.SIGKILL)
    gone = seconds_until_gone(models, 3.0)
    print(f"child of the worker killed; its models' processes gone after {gone:.2f} s")
    until(worker, run, RunState.DONE, attempts=2)
    assert_one_result(run, attempts=2)


def test_the_whole_worker_killed_during_inference_leaves_nothing_behind_and_goes_on(worker: Worker) -> None:
    register_hostile(worker.bundles, runs=SLOW)
    run = planned(ball_series())
    worker.send("triage.run", run.pk)
    until(worker, run, RunState.RUNNING)
    eventually(lambda: len(worker.models(holder_of(run))) >= 2, 300, "a model's process")
    models = worker.models(holder_of(run))
    worker.kill()
    seconds_until_gone(models, 3.0)
    runs.release_abandoned()  # the supervisor does, before it starts the next one
    worker.start()
    worker.send("triage.sweep")
    until(worker, run, RunState.DONE, attempts=2)
    assert_one_result(run, attempts=2)


def test_the_same_task_delivered_twice_at_once_gives_one_result_and_one_alert(worker: Worker) -> None:
    bright(worker)
    made = [planned(ball_series(PatientID=f"SYN-{n}", AccessionNumber=f"A{n}")) for n in range(3)]
    for run in made:
        for _ in range(2):
            worker.send("triage.run", run.pk)
    for run in made:
        until(worker, run, RunState.DONE)
    for run in made:  # and again, when all is done
        worker.send("triage.run", run.pk)
    time.sleep(2.0)
    for run in made:
        assert_one_result(run, attempts=1)


def test_a_study_whose_worker_dies_every_time_ends_as_ai_failed_and_the_queue_flows_on(
    worker: Worker,
) -> None:
    register_hostile(worker.bundles, runs=SLOW)
    run = planned(ball_series())
    worker.send("triage.run", run.pk)
    for attempt in (1, 2, 3):
        until(worker, run, RunState.RUNNING, attempts=attempt)
        assert run.attempts == attempt
        os.kill(holder_of(run), signal.SIGKILL)
    until(worker, run, RunState.FAILED)
    assert run.reason == "worker died 3 times"
    assert ai_state_of(run.study) == ("failed", "hostile: worker died 3 times")
    ModelVersion.objects.update(state="retired")
    bright(worker)
    other = planned(ball_series(PatientID="SYN-2", AccessionNumber="A2"))
    worker.send("triage.run", other.pk)
    until(worker, other, RunState.DONE)
    assert_one_result(other, attempts=1)


@pytest.mark.skipif(not sandbox.offered().whole, reason="this machine cannot isolate a process")
def test_models_that_crash_hang_and_grow_are_told_each_and_the_good_one_answers(worker: Worker) -> None:
    poisons = {
        "crashes": ("__import__('ctypes').string_at(0)", "the model's process died (SIGSEGV) (3 attempts)"),
        "exits": ("__import__('os')._exit(1)", "the model's process died (exit 1) (3 attempts)"),
        "hangs": ("__import__('time').sleep(1000)", f"no answer within {SECONDS} s (2 attempts)"),
        "grows": ("__import__('torch').ones(20 << 28)", "the model needs more than 2000 MB of memory"),
        "phones": (
            "__import__('socket').create_connection(('127.0.0.1', 9))",
            "the model tried what no model may do",
        ),
    }
    for name, (does, _) in poisons.items():
        register_hostile(worker.bundles, name=name, runs=does)
    bright(worker)
    datasets = ball_series()
    put(datasets)
    study = complete(Study.objects.get())
    make_order(study)
    made = {run.model.name: run for run in planning.plan_runs(study_id=study.pk)}
    for name in (*poisons, "bright"):
        worker.send("triage.run", made[name].pk)
    for name, (_, told) in poisons.items():
        until(worker, made[name], RunState.FAILED)
        assert made[name].reason.startswith(told), made[name].reason
    until(worker, made["bright"], RunState.DONE)
    assert made["bright"].attempts == 1 and made["bright"].findings.count() == 1


def test_images_after_a_signed_report_make_a_new_result_and_leave_the_signed_text_alone(
    worker: Worker, make_user: Callable[..., User]
) -> None:
    bright(worker)
    datasets = ball_series()
    late = datasets.pop()
    old = planned(datasets)
    study = old.study
    worker.send("triage.run", old.pk)
    until(worker, old, RunState.DONE)
    reader = make_user("radiologist", username="reader", display_name="Dr. Ada Reader")
    report = services.open_draft(study=study, by=reader)
    report = services.decide(
        report_id=report.pk,
        finding_id=old.findings.get().pk,
        decision=Verdict.ACCEPTED,
        version=report.version,
        by=reader,
    )
    report = services.sign(report_id=report.pk, version=report.version, overrides=[], facts=READY, by=reader)
    text, version = report.sections, report.version
    seen = Change.objects.order_by("-pk").values_list("pk", flat=True).first() or 0

    assert put([late]) == ["stored"]
    complete(study)
    worker.send("triage.plan", study.pk)
    eventually(lambda: TriageRun.objects.exclude(pk=old.pk).exists(), 60, "a second run")
    (new,) = TriageRun.objects.exclude(pk=old.pk)
    until(worker, new, RunState.DONE)
    assert (
        state_of(old) == RunState.STALE and len(new.input_instance_uids) == len(old.input_instance_uids) + 1
    )
    assert TriageRun.objects.filter(study=study).count() == 2
    entry = eventually(
        lambda: ReportEntry.objects.filter(action="ai_result_after_signing").first(), 30, "the reader told"
    )
    assert entry.run == new
    report = Report.objects.get()
    assert (report.sections, report.version, report.state) == (text, version, "final")
    told = Change.objects.filter(pk__gt=seen).values_list("topic", "key")
    assert ("reports", str(report.pk)) in told and any(topic == "worklist" for topic, _ in told)
