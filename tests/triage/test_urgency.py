"""Urgent before routine, and routine before those who come much later: the rule, and workers that follow it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from tests.worklist.making import make_model, make_order, make_run, make_study
from triage import runs, waiting
from triage.models import ModelVersion, RunState, TriageRun
from triage.urgency import HEAD_START, PENALTY, Urgency, place, urgency_of

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
SECONDS = st.integers(0, 6 * 3600)
URGENCIES = st.sampled_from(list(Urgency))


def at(seconds: int) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_the_order_and_the_place_of_the_patient_make_the_urgency() -> None:
    assert urgency_of("stat", "outpatient") == urgency_of("routine", "er") == Urgency.STAT
    assert urgency_of("asap", "inpatient") == urgency_of("routine", "icu") == Urgency.ASAP
    assert urgency_of("routine", "outpatient") == urgency_of(None, None) == Urgency.ROUTINE


@given(SECONDS, URGENCIES, URGENCIES)
def test_of_those_who_come_together_the_more_urgent_is_first(came: int, one: Urgency, other: Urgency) -> None:
    assert (place(at(came), one) < place(at(came), other)) == (one > other)


@given(SECONDS, SECONDS, URGENCIES)
def test_of_the_equally_urgent_the_first_comes_first(one: int, other: int, urgency: Urgency) -> None:
    assert (place(at(one), urgency) < place(at(other), urgency)) == (one < other)


@given(SECONDS, URGENCIES, st.lists(st.tuples(SECONDS, URGENCIES), max_size=60))
def test_nobody_is_overtaken_by_one_who_came_later_than_the_longest_head_start(
    came: int, urgency: Urgency, others: list[tuple[int, Urgency]]
) -> None:
    mine = place(at(came), urgency)
    ahead = [later for later, theirs in others if later > came and place(at(later), theirs) < mine]
    assert all(at(later) - at(came) < HEAD_START[Urgency.STAT] - HEAD_START[urgency] for later in ahead)


@given(
    st.lists(st.tuples(st.integers(0, 7200), URGENCIES), min_size=1, max_size=40),
    st.integers(1, 3),
    st.integers(1, 120),
)
def test_however_many_urgent_ones_come_everybody_is_served_within_his_share(
    arrivals: list[tuple[int, Urgency]], workers: int, service: int
) -> None:
    """Workers that always take the earliest place: a run waits at most for those whose place is before its own.

    A run that is under way when it comes is not interrupted, hence one service time more.
    """
    free, started = [0] * workers, {}
    waiting_ones = dict(enumerate(arrivals))
    while waiting_ones:
        worker = min(range(workers), key=free.__getitem__)
        now = max(free[worker], min(came for came, _ in waiting_ones.values()))
        here = {i: run for i, run in waiting_ones.items() if run[0] <= now}
        first = min(here, key=lambda i: (place(at(here[i][0]), here[i][1]), i))
        started[first] = now
        free[worker] = now + service
        del waiting_ones[first]
    for i, (came, urgency) in enumerate(arrivals):
        mine = (place(at(came), urgency), i)
        before = sum((place(at(c), u), j) < mine for j, (c, u) in enumerate(arrivals))
        assert started[i] - came <= service * (before // workers + 1)


@given(SECONDS, URGENCIES, st.integers(0, 3))
def test_each_attempt_that_came_to_nothing_lets_others_by(came: int, urgency: Urgency, attempts: int) -> None:
    assert place(at(came), urgency, attempts) == place(at(came), urgency) + attempts * PENALTY


@pytest.fixture
def model(db: None) -> ModelVersion:
    return make_model()


def queued(model: ModelVersion, minutes_ago: float, priority: str = "", **fields: object) -> TriageRun:
    """A run that was planned and queued some minutes ago, of a study with an order or without."""
    study = make_study()
    if priority:
        make_order(study, priority=priority, location_class="outpatient")
    run = make_run(study, model, queued_at=timezone.now(), **fields)
    TriageRun.objects.filter(pk=run.pk).update(created_at=timezone.now() - timedelta(minutes=minutes_ago))
    return run


def served(named: int) -> list[int]:
    """The order in which one worker takes everything that waits."""
    order = []
    while lease := waiting.take_most_urgent(named=named):
        order.append(lease.run.pk)
    return order


@pytest.mark.django_db(transaction=True)
def test_a_woken_worker_takes_the_most_urgent_run_whichever_the_message_names(model: ModelVersion) -> None:
    routine = queued(model, 5)
    asap = queued(model, 3, "asap")
    stat = queued(model, 0, "stat")
    old = queued(model, 25, "routine")
    assert served(routine.pk) == [old.pk, stat.pk, asap.pk, routine.pk]
    stat.refresh_from_db()
    assert (stat.urgency, stat.state) == (Urgency.STAT, RunState.RUNNING)


@pytest.mark.django_db(transaction=True)
def test_quick_looks_come_before_second_opinions_that_have_not_waited_long(model: ModelVersion) -> None:
    slow = make_model(config={"second_opinion_to": model.name})
    second, urgent_second = queued(slow, 5), queued(slow, 4, "stat")
    old_second, quick = queued(slow, 12), queued(model, 1)
    assert served(quick.pk) == [urgent_second.pk, old_second.pk, quick.pk, second.pk]


@pytest.mark.django_db(transaction=True)
def test_an_order_that_comes_while_the_run_waits_counts(model: ModelVersion) -> None:
    first, second = queued(model, 2), queued(model, 1)
    make_order(second.study)
    assert served(first.pk) == [second.pk, first.pk]


@pytest.mark.django_db(transaction=True)
def test_the_run_of_a_killed_worker_is_taken_by_any_later_message(model: ModelVersion) -> None:
    lost, other = queued(model, 2), queued(model, 1)
    assert runs.take(run_id=lost.pk, holder="another-host 1 1") is not None
    assert served(other.pk) == [other.pk]
    TriageRun.objects.filter(pk=lost.pk).update(lease_until=timezone.now())
    assert served(other.pk) == [lost.pk]


@pytest.mark.django_db(transaction=True)
def test_a_run_that_was_put_back_waits_for_its_own_message(model: ModelVersion) -> None:
    """Otherwise the messages of others would use up its attempts within a second."""
    failing, other = queued(model, 2), queued(model, 1)
    lease = waiting.take_most_urgent(named=failing.pk)
    assert lease is not None and lease.run.pk == failing.pk
    runs.put_back(lease, "the archive failed")
    assert served(other.pk) == [other.pk]
    assert waiting.take_most_urgent(named=failing.pk) is not None
