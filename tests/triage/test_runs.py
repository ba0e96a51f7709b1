"""One worker holds a run, one result is written, and a run that kills its workers ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from foundation import events
from foundation.audit.models import AuditEvent
from foundation.transitions import IllegalTransition
from tests.worklist.making import make_model, make_run, make_study
from triage import runs
from triage.models import Finding, Outcome, RunState, TriageRun
from triage.states import RUN

pytestmark = pytest.mark.django_db(transaction=True)
ELSEWHERE = "another-host 1 1"


@pytest.fixture
def run() -> TriageRun:
    """A waiting run."""
    return make_run(make_study(), make_model())


def result(tracking_uid: str = "1.2.3") -> runs.Result:
    finding = Finding(
        tracking_uid=tracking_uid, code="1", scheme="SCT", meaning="x", presence="absent", probability=0.1
    )
    return runs.Result(Outcome.NEGATIVE, 0.1, "0" * 64, {"predict": 1.0}, [finding])


def age(run: TriageRun, **values: object) -> None:
    TriageRun.objects.filter(pk=run.pk).update(**values)


def dead_process() -> str:
    """The name of a process on this machine that lived and does not any more."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        name = f"{runs.this_process().rsplit(' ', 2)[0]} {process.pid} {runs._started(process.pid)}"
        assert runs.holder_lives(name)
        process.send_signal(signal.SIGKILL)
    return name


def test_a_run_is_taken_finished_and_told(run: TriageRun, news: list[events.Event]) -> None:
    lease = runs.take(run_id=run.pk)
    assert lease is not None and lease.run.attempts == 1 and lease.run.state == RunState.RUNNING
    assert runs.take(run_id=run.pk) is None
    runs.renew(lease)
    runs.finish(lease, result())
    run.refresh_from_db()
    assert (run.state, run.outcome, run.lease_token) == (RunState.DONE, Outcome.NEGATIVE, "")
    assert run.findings.count() == 1
    assert news == [events.TriageStarted(run.pk), events.TriageRunFinished(run.pk)]
    assert runs.take(run_id=run.pk) is None and runs.take(run_id=10**9) is None


@pytest.mark.parametrize("state", [RunState.WAITING, RunState.RUNNING])
def test_of_many_workers_at_one_instant_one_takes_the_run(
    run: TriageRun, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting, or running under a lease that ran out."""
    age(run, state=state, lease_until=timezone.now() - timedelta(seconds=1), lease_token="old")
    everybody_looked = threading.Barrier(8)
    free = runs._free

    def look(row: TriageRun) -> bool:
        answer = free(row)
        everybody_looked.wait(timeout=20)
        return answer

    monkeypatch.setattr(runs, "_free", look)
    got: list[runs.Lease | None] = []
    start = threading.Barrier(8)

    def worker() -> None:
        start.wait()
        try:
            got.append(runs.take(run_id=run.pk))
        finally:
            connection.close()

    threads = [threading.Thread(target=worker) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 8 and sum(lease is not None for lease in got) == 1
    run.refresh_from_db()
    assert run.attempts == 1


def test_the_late_write_of_a_lost_worker_changes_nothing(run: TriageRun, news: list[events.Event]) -> None:
    lost = runs.take(run_id=run.pk, holder=ELSEWHERE)
    age(run, lease_until=timezone.now() - timedelta(seconds=1))
    second = runs.take(run_id=run.pk)
    assert lost is not None and second is not None and second.run.attempts == 2
    for late in (
        lambda: runs.finish(lost, result("9.9")),
        lambda: runs.fail(lost, "late"),
        lambda: runs.put_back(lost, "late"),
        lambda: runs.renew(lost),
    ):
        with pytest.raises(runs.LeaseLost):
            late()
    runs.finish(second, result())
    with pytest.raises(runs.LeaseLost):
        runs.finish(lost, result("9.9"))
    assert list(Finding.objects.values_list("tracking_uid", flat=True)) == ["1.2.3"]
    assert news.count(events.TriageRunFinished(run.pk)) == 1


def test_a_run_that_kills_its_worker_every_time_ends_as_failed(
    run: TriageRun, news: list[events.Event], settings: object
) -> None:
    settings.TRIAGE_MAXIMUM_ATTEMPTS = 3  # type: ignore[attr-defined]
    for _ in range(3):
        assert runs.take(run_id=run.pk, holder=ELSEWHERE) is not None
        age(run, lease_until=timezone.now() - timedelta(seconds=1))
    assert runs.take(run_id=run.pk) is None
    run.refresh_from_db()
    assert (run.state, run.reason) == (RunState.FAILED, "worker died 3 times")
    assert news[-1] == events.TriageRunFinished(run.pk)


def test_the_sweep_ends_it_too_and_leaves_the_held_alone(run: TriageRun) -> None:
    held = make_run(make_study(), run.model)
    assert runs.take(run_id=held.pk) is not None
    age(run, state=RunState.RUNNING, attempts=3, lease_until=timezone.now(), lease_holder=ELSEWHERE)
    assert runs.due_runs() == []
    run.refresh_from_db()
    assert run.state == RunState.FAILED


def test_a_worker_killed_on_this_machine_frees_its_run_at_once(run: TriageRun) -> None:
    assert runs.take(run_id=run.pk, holder=dead_process()) is not None
    again = runs.take(run_id=run.pk)
    assert again is not None and again.run.attempts == 2


def test_leases_of_dead_processes_are_released_and_living_ones_kept(run: TriageRun) -> None:
    other = make_run(make_study(), run.model)
    runs.take(run_id=run.pk, holder=dead_process())
    runs.take(run_id=other.pk)
    age(run, queued_at=timezone.now())
    age(other, queued_at=timezone.now())
    assert runs.due_runs() == []
    runs.release_abandoned()
    assert runs.due_runs() == [run.pk]


def test_nobody_can_tell_whether_a_process_elsewhere_lives() -> None:
    assert runs.holder_lives(ELSEWHERE) and runs.holder_lives("") and runs.holder_lives("a b c d")
    assert runs.holder_lives(runs.this_process())
    host, pid, _ = runs.this_process().rsplit(" ", 2)
    assert not runs.holder_lives(f"{host} {pid} 12345") or not os.path.exists("/proc")  # noqa: PTH110


def test_a_passing_failure_is_tried_again_and_fails_in_the_end(run: TriageRun) -> None:
    for attempt in range(1, 4):
        lease = runs.take(run_id=run.pk)
        assert lease is not None and lease.run.attempts == attempt
        runs.put_back(lease, "the archive failed")
        run.refresh_from_db()
        assert run.state == (RunState.FAILED if attempt == 3 else RunState.WAITING)
    assert run.reason == "the archive failed (3 attempts)"


def test_due_runs_are_queued_once_and_again_when_the_broker_forgot(run: TriageRun) -> None:
    assert runs.due_runs() == [run.pk]
    assert runs.due_runs() == []
    age(run, queued_at=timezone.now() - timedelta(seconds=31))
    assert runs.due_runs() == [run.pk]


def test_an_administrator_asks_again_and_is_recorded(run: TriageRun) -> None:
    lease = runs.take(run_id=run.pk)
    assert lease is not None
    runs.fail(lease, "broken")
    run.refresh_from_db()
    runs.retry(run=run)
    assert (run.state, run.attempts, run.reason) == (RunState.WAITING, 0, "")
    assert AuditEvent.objects.filter(detail__what="triage run retried").count() == 1
    with pytest.raises(IllegalTransition):
        runs.retry(run=run)


def test_a_result_is_never_taken_back_by_the_table() -> None:
    after_done = {target for (state, _), target in RUN.table.items() if state == RunState.DONE}
    assert after_done == {RunState.STALE}
