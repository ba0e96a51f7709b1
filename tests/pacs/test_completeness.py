"""The completeness rule, as a pure function and as the service that applies it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from foundation import events
from pacs.completeness import Arrival, Limits, complete_due_studies, judge
from pacs.models import Study, StudyState
from pacs.services import Association, Source, close_association
from pacs.services.associations import forget_associations
from tests.pacs.conftest import make_dataset, make_study

LIMITS = Limits(quiet={"default": 10.0, "US": 120.0}, quiet_open_association=60.0, maximum=1800.0)
START = datetime(2026, 1, 1, tzinfo=UTC)
SECONDS = st.floats(min_value=0, max_value=10_000, allow_nan=False)


@st.composite
def arrivals(draw: st.DrawFn) -> Arrival:
    return Arrival(
        receiving_since=START,
        last_instance_at=START + timedelta(seconds=draw(SECONDS)),
        modalities=draw(st.sampled_from([(), ("CT",), ("US",), ("CT", "US")])),
        associations_open=draw(st.integers(0, 3)),
        instances=draw(st.integers(1, 500)),
        expected=draw(st.none() | st.integers(0, 500)),
    )


def _later(arrival: Arrival, seconds: float) -> datetime:
    return arrival.last_instance_at + timedelta(seconds=seconds)


@given(arrivals(), SECONDS)
def test_an_incomplete_study_is_looked_at_again_later_and_within_the_maximum(
    arrival: Arrival, seconds: float
) -> None:
    now = _later(arrival, seconds)
    verdict = judge(arrival, LIMITS, now)
    if not verdict.complete:
        assert verdict.look_again_at is not None
        assert now < verdict.look_again_at <= arrival.receiving_since + timedelta(seconds=LIMITS.maximum)


@given(arrivals(), SECONDS)
def test_looking_again_at_the_time_named_completes_unless_something_arrives(
    arrival: Arrival, seconds: float
) -> None:
    verdict = judge(arrival, LIMITS, _later(arrival, seconds))
    if verdict.look_again_at is not None:
        assert judge(arrival, LIMITS, verdict.look_again_at).complete


@given(arrivals(), SECONDS, SECONDS)
def test_time_alone_never_takes_completeness_back(arrival: Arrival, first: float, more: float) -> None:
    if judge(arrival, LIMITS, _later(arrival, first)).complete:
        assert judge(arrival, LIMITS, _later(arrival, first + more)).complete


@given(arrivals())
def test_no_study_waits_beyond_the_maximum_whatever_is_open_or_missing(arrival: Arrival) -> None:
    assert judge(arrival, LIMITS, arrival.receiving_since + timedelta(seconds=LIMITS.maximum + 1e5)).complete


@given(arrivals())
def test_the_announced_count_completes_at_once_when_nobody_sends(arrival: Arrival) -> None:
    reached = arrival.expected is not None and arrival.instances >= arrival.expected > 0
    verdict = judge(arrival, LIMITS, arrival.last_instance_at)
    if reached and arrival.associations_open == 0:
        assert verdict.complete
    elif arrival.last_instance_at < arrival.receiving_since + timedelta(seconds=LIMITS.maximum):
        assert not verdict.complete


@given(arrivals(), SECONDS)
def test_an_open_association_never_shortens_the_wait(arrival: Arrival, seconds: float) -> None:
    from dataclasses import replace

    now = _later(arrival, seconds)
    closed, opened = replace(arrival, associations_open=0), replace(arrival, associations_open=1)
    if judge(opened, LIMITS, now).complete:
        assert judge(closed, LIMITS, now).complete


@pytest.mark.parametrize(
    ("modalities", "opened", "quiet"), [(("CT",), 0, 10), (("US", "CT"), 0, 120), (("CT",), 1, 60)]
)
def test_the_quiet_time_is_the_longest_that_applies(
    modalities: tuple[str, ...], opened: int, quiet: int
) -> None:
    arrival = Arrival(START, START, modalities, opened, 1, None)
    assert judge(arrival, LIMITS, START).look_again_at == START + timedelta(seconds=quiet)


def test_a_clock_set_back_by_an_hour_does_not_hold_a_study_for_an_hour() -> None:
    arrival = Arrival(START, START + timedelta(hours=1), ("CT",), 0, 1, None)
    assert judge(arrival, LIMITS, START).complete


@pytest.mark.django_db
def test_a_quiet_study_is_completed_once_and_tells_it(
    store: Callable, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Callable
) -> None:
    store(make_dataset())
    study = Study.objects.get()
    heard: list[events.Event] = []
    monkeypatch.setattr(events, "_deliver", heard.append)
    assert complete_due_studies() == []
    late = timezone.now() + timedelta(seconds=11)
    with django_capture_on_commit_callbacks(execute=True):
        assert complete_due_studies(now=late) == [study.pk]
        assert complete_due_studies(now=late) == []
    assert heard == [events.StudyCompleted(study.pk)]
    study.refresh_from_db()
    assert (study.state, study.completion_due_at, study.completed_at) == (StudyState.COMPLETE, None, late)


@pytest.mark.django_db
def test_an_arrival_between_reading_and_completing_wins(
    store: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = make_study(2)
    store(first)

    def arrives_meanwhile(study: Study) -> Arrival:
        found = original(study)
        monkeypatch.undo()
        store(second)
        return found

    from pacs import completeness

    original = completeness.arrival_of
    monkeypatch.setattr(completeness, "arrival_of", arrives_meanwhile)
    assert complete_due_studies(now=timezone.now() + timedelta(seconds=11)) == []
    assert Study.objects.get().state == StudyState.RECEIVING


@pytest.mark.django_db
def test_the_association_of_a_killed_receiver_holds_its_study_a_minute_not_for_ever(store: Callable) -> None:
    source = Source(label="CT1", channel="dimse", association=Association())
    store(make_dataset(NumberOfStudyRelatedInstances=1), source=source)
    study = Study.objects.get()
    assert (study.state, study.associations_open) == (StudyState.RECEIVING, 1)
    assert complete_due_studies(now=study.last_instance_at + timedelta(seconds=59)) == []
    assert complete_due_studies(now=study.last_instance_at + timedelta(seconds=61)) == [study.pk]
    assert Study.objects.get().associations_open == 0


@pytest.mark.django_db
def test_a_study_that_two_associations_bring_is_complete_after_the_second_closes(store: Callable) -> None:
    slices = make_study(2, NumberOfStudyRelatedInstances=2)
    sources = [Source(label=name, channel="dimse", association=Association()) for name in ("CT1", "CT2")]
    for dataset, source in zip(slices, sources, strict=True):
        store(dataset, source=source)
    assert Study.objects.get().associations_open == 2
    assert close_association(source=sources[0]) == []
    assert close_association(source=sources[1]) == [Study.objects.get().pk]


@pytest.mark.django_db
def test_a_reopened_study_waits_again_from_the_late_instance(store: Callable) -> None:
    first, second = make_study(2)
    store(first)
    hours_ago = timezone.now() - timedelta(hours=5)
    Study.objects.update(
        state=StudyState.COMPLETE, received_at=hours_ago, receiving_since=hours_ago, completion_due_at=None
    )
    store(second)
    assert complete_due_studies() == []
    assert complete_due_studies(now=timezone.now() + timedelta(seconds=11)) != []


@pytest.mark.django_db
def test_where_no_receiver_lives_the_study_of_a_killed_one_is_looked_at_now(store: Callable) -> None:
    source = Source(label="CT1", channel="dimse", association=Association())
    store(make_dataset(NumberOfStudyRelatedInstances=1), source=source)
    assert complete_due_studies(now=timezone.now()) == []
    assert forget_associations() == 1
    assert complete_due_studies(now=timezone.now()) == [Study.objects.get().pk]
    assert forget_associations() == 0
