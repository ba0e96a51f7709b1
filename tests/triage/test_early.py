"""A series is read as soon as it can be complete; what is not found early is not told early."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from foundation import events
from pacs.models import Study, StudyState
from pacs.services import Association, IncomingInstance, Source, close_association, store_instances
from pacs.services.datasets import encode
from tests.triage.conftest import ball_series, complete
from triage import planning, tasks
from triage.early import LEAST_SLICES, may_be_whole, plan_early
from triage.models import ModelVersion, RunState, TriageRun
from triage.selectors import ai_state_of, findings_of

Stored = Callable[..., Study]
database = pytest.mark.django_db(transaction=True)

counts = st.integers(LEAST_SLICES, 60)
steps = st.floats(0.5, 8.0)


@given(counts, steps, st.randoms())
def test_even_slices_in_any_order_may_be_whole(count: int, step: float, chance: object) -> None:
    depths = [step * i for i in range(count)]
    chance.shuffle(depths)  # type: ignore[attr-defined]
    assert may_be_whole(depths)


@given(st.integers(LEAST_SLICES + 1, 60), steps, st.data())
def test_one_missing_slice_is_seen(count: int, step: float, data: st.DataObject) -> None:
    depths = [step * i for i in range(count)]
    del depths[data.draw(st.integers(1, count - 2))]
    assert not may_be_whole(depths)


@given(st.integers(6, 20), st.integers(6, 20))
def test_thin_slices_at_the_base_and_thick_ones_above_may_be_whole(thin: int, thick: int) -> None:
    assert may_be_whole(np.concatenate([np.arange(thin) * 4.0, thin * 4.0 + np.arange(thick) * 7.0]).tolist())


def test_few_slices_or_one_place_are_not_a_series() -> None:
    assert not may_be_whole([float(i) for i in range(LEAST_SLICES - 1)])
    assert not may_be_whole([3.0] * 40)


def send(datasets: list[Dataset]) -> None:
    """All over one association that then closes."""
    source = Source("MODALITY", "dimse", association=Association())
    items = [IncomingInstance(data=encode(dataset)) for dataset in datasets]
    for result in store_instances(items, source=source):
        assert source.association is not None and result.study_id is not None
        source.association.instances[result.study_id] = (
            source.association.instances.get(result.study_id, 0) + 1
        )
    close_association(source=source)


@database
def test_a_pause_in_the_sending_is_told_while_more_may_come(
    bright: ModelVersion, news: list[events.Event]
) -> None:
    send(ball_series())
    study = Study.objects.get()
    assert study.state == StudyState.RECEIVING
    assert events.SendingPaused(study_id=study.pk) in news


@database
def test_a_sender_with_an_association_per_image_says_nothing_by_closing_one(
    bright: ModelVersion, news: list[events.Event]
) -> None:
    for dataset in ball_series():
        send([dataset])
    assert not [event for event in news if isinstance(event, events.SendingPaused)]


@database
def test_what_is_found_early_is_told_at_once_and_stands_when_nothing_more_comes(
    bright: ModelVersion, news: list[events.Event]
) -> None:
    send(ball_series())
    study = Study.objects.get()
    (run,) = plan_early(study_id=study.pk)
    assert run.provisional and plan_early(study_id=study.pk) == []
    assert ai_state_of(study)[0] == "waiting"
    tasks.run(run.pk)
    assert ai_state_of(study)[0] == "done" and findings_of(study).get().presence == "present"
    complete(study)
    assert planning.plan_runs(study_id=study.pk) == []
    run.refresh_from_db()
    assert (run.state, run.provisional) == (RunState.DONE, False)
    assert ai_state_of(study)[0] == "done"


@database
def test_what_is_not_found_early_is_not_told_before_the_study_is_complete(bright: ModelVersion) -> None:
    send(ball_series(radius_mm=0.0))
    study = Study.objects.get()
    (run,) = plan_early(study_id=study.pk)
    tasks.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.outcome) == (RunState.DONE, "negative")
    assert ai_state_of(study) == ("waiting", "images are still arriving")
    assert not findings_of(study).exists()
    complete(study)
    planning.plan_runs(study_id=study.pk)
    assert ai_state_of(study) == ("done", "") and findings_of(study).get().presence == "absent"


@database
def test_more_images_bring_another_run_whose_answer_stands(bright: ModelVersion) -> None:
    datasets = ball_series(slices=24)
    send(datasets[:12])
    study = Study.objects.get()
    (first,) = plan_early(study_id=study.pk)
    tasks.run(first.pk)
    send(datasets[12:])
    (second,) = plan_early(study_id=study.pk)
    first.refresh_from_db()
    assert (first.state, first.reason) == (RunState.STALE, planning.NEWER_INPUT)
    tasks.run(second.pk)
    complete(study)
    assert planning.plan_runs(study_id=study.pk) == []
    assert TriageRun.objects.filter(state=RunState.DONE).get() == second


@database
def test_a_series_with_a_hole_waits_for_the_quiet_time(bright: ModelVersion) -> None:
    datasets = ball_series()
    del datasets[5]
    send(datasets)
    assert plan_early(study_id=Study.objects.get().pk) == []
