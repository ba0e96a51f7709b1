"""A result is told before its documents are made, and gets them once, whatever dies in between."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pydicom
import pytest
from django.db import connection
from django.utils import timezone
from pydicom.dataset import Dataset

from foundation import events
from pacs import storage
from pacs.models import Instance, Series, Study
from pacs.services import Outcome as StoreOutcome
from pacs.services.objects import StoreResult
from tests.triage.conftest import ball_series
from tests.triage.test_runs import dead_process
from triage import execution, filing, planning, runs, tasks
from triage.models import Finding, ModelVersion, RunState, TriageRun

pytestmark = pytest.mark.django_db(transaction=True)
Stored = Callable[..., Study]


class Died(BaseException):
    """As a worker dies: nothing of ours catches it."""


def die(*args: object, **named: object) -> None:
    raise Died


@pytest.fixture
def left(bright: ModelVersion, stored: Stored, monkeypatch: pytest.MonkeyPatch) -> TriageRun:
    """A run whose worker died between its result and its documents."""
    (run,) = planning.plan_runs(study_id=stored(ball_series()).pk)
    with monkeypatch.context() as patch:
        patch.setattr(filing, "file", die)
        with pytest.raises(Died):
            tasks.run(run.pk)
    TriageRun.objects.filter(pk=run.pk).update(lease_holder=dead_process())
    run.refresh_from_db()
    return run


def derived(run: TriageRun) -> list[tuple[str, int]]:
    series = Series.objects.filter(study=run.study, derived=True)
    return sorted((one.modality, one.instances.count()) for one in series)


def test_a_result_is_told_before_its_documents_are_made(
    bright: ModelVersion, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    monkeypatch.setitem(
        events._handlers, events.TriageRunFinished, [lambda event: order.append("the result is told")]
    )
    monkeypatch.setitem(
        events._handlers, events.TriageDocumentsFiled, [lambda event: order.append("the documents are told")]
    )
    make = filing.make_seg

    def made(*args: Any) -> Dataset:
        order.append("a document is made")
        return make(*args)

    monkeypatch.setattr(filing, "make_seg", made)
    (run,) = planning.plan_runs(study_id=stored(ball_series()).pk)
    tasks.run(run.pk)
    assert order == ["the result is told", "a document is made", "the documents are told"]
    run.refresh_from_db()
    assert run.sr_sop_instance_uid and run.findings.get().segment_number == 1 and run.timings["objects"] > 0
    assert run.lease_holder == ""


def test_documents_of_a_worker_that_died_are_made_by_the_next_under_the_findings_that_were_told(
    left: TriageRun,
) -> None:
    told = left.findings.get()
    assert (left.state, left.sr_sop_instance_uid, derived(left)) == (RunState.DONE, "", [])
    assert filing.due() == [left.pk]
    tasks.file_documents(left.pk)
    left.refresh_from_db()
    assert derived(left) == [("OT", 1), ("SEG", 1), ("SR", 1)] and filing.due() == []
    finding = left.findings.get()
    assert (finding.pk, finding.tracking_uid, finding.segment_number) == (told.pk, told.tracking_uid, 1)
    seg = pydicom.dcmread(storage.path_of(Instance.objects.get(sop_instance_uid=left.seg_sop_instance_uid)))
    assert seg.SegmentSequence[0].TrackingUID == told.tracking_uid
    tasks.file_documents(left.pk)
    assert derived(left) == [("OT", 1), ("SEG", 1), ("SR", 1)]


def test_of_many_workers_at_one_instant_one_makes_the_documents(
    left: TriageRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody_looked = threading.Barrier(6)
    free = filing._free

    def look(run: TriageRun) -> bool:
        answer = free(run)
        everybody_looked.wait(timeout=20)
        return answer

    monkeypatch.setattr(filing, "_free", look)
    got: list[TriageRun | None] = []

    def worker() -> None:
        try:
            got.append(filing.take(run_id=left.pk))
        finally:
            connection.close()

    threads = [threading.Thread(target=worker) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 6 and sum(one is not None for one in got) == 1


def test_documents_that_another_worker_has_filed_meanwhile_are_not_filed_twice(
    left: TriageRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = filing.make_srs

    def slow(*args: object) -> object:
        # As when this worker was thought dead: another one takes over and is done first.
        monkeypatch.setattr(filing, "make_srs", make)
        TriageRun.objects.filter(pk=left.pk).update(lease_holder=dead_process())
        tasks.file_documents(left.pk)
        return make(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(filing, "make_srs", slow)
    tasks.file_documents(left.pk)
    left.refresh_from_db()
    assert derived(left) == [("OT", 1), ("SEG", 1), ("SR", 1)] and left.documents_reason == ""


def test_what_a_living_worker_makes_is_left_to_it_for_ten_minutes(left: TriageRun) -> None:
    row = TriageRun.objects.filter(pk=left.pk)
    row.update(lease_holder=runs.this_process())
    assert filing.due() == [] and filing.take(run_id=left.pk) is None
    row.update(documents_attempted_at=timezone.now() - timedelta(minutes=11))
    assert filing.due() == [left.pk]


def test_an_archive_that_refuses_is_asked_three_times_and_the_result_stands(
    bright: ModelVersion, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = StoreResult(StoreOutcome.REFUSED, 0xA700, reason="disk full")
    monkeypatch.setattr(filing, "store_derived", lambda *args: [refused])
    (run,) = planning.plan_runs(study_id=stored(ball_series()).pk)
    tasks.run(run.pk)
    for attempt in (1, 2, 3):
        run.refresh_from_db()
        assert (run.state, run.sr_sop_instance_uid, run.documents_attempts) == (RunState.DONE, "", attempt)
        assert run.documents_reason == "the archive or the database failed: result object refused: disk full"
        assert filing.due() == []
        TriageRun.objects.update(documents_attempted_at=timezone.now() - timedelta(minutes=11))
        assert filing.due() == ([run.pk] if attempt < 3 else [])
        tasks.file_documents(run.pk)


def test_a_second_look_that_says_otherwise_files_nothing(left: TriageRun) -> None:
    Finding.objects.filter(run=left).update(probability=0.71)
    tasks.file_documents(left.pk)
    left.refresh_from_db()
    assert derived(left) == [] and filing.due() == []
    assert left.documents_reason == "a second look at the images does not say the same as the result"


def test_a_study_that_was_read_without_its_documents_is_told_of_them(left: TriageRun) -> None:
    heard: list[events.Event] = []
    events.subscribe(events.TriageDocumentsFiled, heard.append)
    try:
        execution.file_documents(left.pk)
    finally:
        events._handlers[events.TriageDocumentsFiled].remove(heard.append)
    assert heard == [events.TriageDocumentsFiled(left.pk)]
