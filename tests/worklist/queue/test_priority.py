"""The priority rule's promises, for any policy and any input."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worklist.queue.priority import (
    CRITICALITIES,
    DEFAULT_POLICY,
    LOCATIONS,
    PRIORITIES,
    AgeBound,
    AiFinding,
    OrderUrgency,
    Policy,
    rank,
)

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    def growing(number: int) -> list[float]:
        return sorted(draw(st.lists(st.floats(1, 5000), min_size=number, max_size=number)))

    columns = {location: growing(3) for location in LOCATIONS}
    findings = dict(zip(CRITICALITIES, growing(3), strict=True))
    return Policy(
        version="drawn",
        target_minutes={p: {loc: columns[loc][n] for loc in LOCATIONS} for n, p in enumerate(PRIORITIES)},
        maximum_wait_minutes=dict(zip(PRIORITIES, growing(3), strict=True)),
        minutes_without_order=draw(st.floats(1, 5000)),
        ages=tuple(
            AgeBound(low, low + span, minutes)
            for low, span, minutes in draw(
                st.lists(st.tuples(st.floats(0, 90), st.floats(1, 60), st.floats(1, 5000)), max_size=3)
            )
        ),
        finding_minutes={c: findings[c] for c in CRITICALITIES[: draw(st.integers(0, 3))]},
    )


times = st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 5), timezones=st.just(UTC))
orders = st.none() | st.builds(OrderUrgency, st.sampled_from(PRIORITIES), st.sampled_from(LOCATIONS))
findings = st.builds(
    AiFinding,
    meaning=st.sampled_from(["Intracranial hemorrhage", "Fracture"]),
    criticality=st.sampled_from(CRITICALITIES),
    probability=st.floats(0, 1),
    known_at=times,
)
some_findings = st.lists(findings, max_size=4)
some_age = st.none() | st.floats(0, 120)


@given(policies(), times, orders, some_findings, some_age)
def test_ai_never_puts_a_study_below_where_its_order_puts_it(policy, arrived, order, found, age):
    answer = rank(arrived_at=arrived, order=order, findings=found, age_years=age, policy=policy)
    alone = rank(arrived_at=arrived, order=order, policy=policy)
    assert answer.due <= answer.due_without_ai == alone.due
    assert answer.due > arrived


@given(policies(), times, orders, some_findings, some_age)
def test_no_deadline_lies_beyond_the_maximum_wait_of_the_class(policy, arrived, order, found, age):
    answer = rank(arrived_at=arrived, order=order, findings=found, age_years=age, policy=policy)
    longest = policy.maximum_wait_minutes[order.priority if order else "routine"]
    assert answer.due_without_ai - arrived <= longest * MINUTE


@given(policies(), times, orders, some_findings, times, orders, some_findings, some_age, some_age)
def test_nothing_new_gets_ahead_of_a_study_whose_deadline_has_passed(
    policy, arrived_a, order_a, found_a, arrived_b, order_b, found_b, age_a, age_b
):
    """The bound: promotions made known, and studies that arrive, after A's deadline rank after A."""
    due_a = rank(arrived_at=arrived_a, order=order_a, findings=found_a, age_years=age_a, policy=policy).due
    known_by_then = [f for f in found_b if f.known_at < due_a]
    before = rank(
        arrived_at=arrived_b, order=order_b, findings=known_by_then, age_years=age_b, policy=policy
    ).due
    after = rank(arrived_at=arrived_b, order=order_b, findings=found_b, age_years=age_b, policy=policy).due
    if arrived_b >= due_a or before > due_a:
        assert after > due_a


@given(policies(), times, orders, some_findings, st.floats(0, 120))
def test_an_age_only_promotes_and_an_unknown_one_changes_nothing(policy, arrived, order, found, age):
    known = rank(arrived_at=arrived, order=order, findings=found, age_years=age, policy=policy)
    unknown = rank(arrived_at=arrived, order=order, findings=found, policy=policy)
    without = rank(arrived_at=arrived, order=order, findings=found, policy=replace(policy, ages=()))
    assert known.due <= unknown.due == without.due
    assert (known.due < unknown.due) <= any(reason["code"] == "age" for reason in known.reasons)


@given(policies(), times, some_findings, st.sampled_from(LOCATIONS))
def test_a_more_urgent_order_is_never_due_later(policy, arrived, found, location):
    dues = [
        rank(arrived_at=arrived, order=OrderUrgency(p, location), findings=found, policy=policy).due
        for p in PRIORITIES
    ]
    assert dues == sorted(dues)


@given(policies(), times, orders, some_findings, findings)
def test_another_finding_never_makes_a_study_due_later(policy, arrived, order, found, more):
    fewer = rank(arrived_at=arrived, order=order, findings=found, policy=policy)
    assert rank(arrived_at=arrived, order=order, findings=[*found, more], policy=policy).due <= fewer.due


@given(policies(), times, orders, findings)
def test_a_more_critical_or_earlier_finding_is_never_due_later(policy, arrived, order, finding):
    def due(one: AiFinding) -> datetime:
        return rank(arrived_at=arrived, order=order, findings=[one], policy=policy).due

    dues = [due(replace(finding, criticality=c)) for c in CRITICALITIES]
    assert dues == sorted(dues)
    assert due(replace(finding, known_at=finding.known_at - MINUTE)) <= due(finding)


@given(policies(), times, orders, some_findings)
def test_the_order_of_findings_does_not_matter_and_every_finding_is_explained(policy, arrived, order, found):
    answers = [
        rank(arrived_at=arrived, order=order, findings=p, policy=policy).due
        for p in itertools.islice(itertools.permutations(found), 6)
    ]
    assert len(set(answers)) == 1
    reasons = rank(arrived_at=arrived, order=order, findings=found, policy=policy).reasons
    assert [r["code"] for r in reasons] == ["order" if order else "no_order"] + ["ai_finding"] * len(found)
    gains = [-r["minutes"] for r in reasons[1:] if r["minutes"] is not None]
    assert all(gain > 0 for gain in gains)


def test_reasons_are_words_and_minutes():
    bleed = AiFinding("Intracranial hemorrhage", "critical", 0.93, NOON + 2 * MINUTE, volume_ml=31.2)
    stat = rank(arrived_at=NOON, order=OrderUrgency("stat", "er"), findings=[bleed])
    assert [r["text"] for r in stat.reasons] == [
        "STAT from ER, due within 30 min of arrival",
        "AI: possible intracranial hemorrhage 0.93, 31 mL, due within 10 min of the result (18 min sooner)",
    ]
    assert [r["minutes"] for r in stat.reasons] == [30, -18]
    assert (stat.due, stat.due_without_ai) == (NOON + 12 * MINUTE, NOON + 30 * MINUTE)


def test_a_study_without_an_order_is_routine_and_says_so():
    answer = rank(arrived_at=NOON, order=None)
    assert answer.reasons[0]["text"] == "No order yet: taken as routine, due within 4 h of arrival"
    assert answer.due == NOON + 240 * MINUTE


def test_a_finding_that_comes_too_late_to_help_says_that_the_deadline_stays():
    late = AiFinding("ICH", "critical", 0.9, NOON + 29 * MINUTE)
    answer = rank(arrived_at=NOON, order=OrderUrgency("stat", "er"), findings=[late])
    assert answer.due == answer.due_without_ai
    assert answer.reasons[1]["text"] == "AI: possible ICH 0.90; the deadline stays"


def test_a_clock_set_back_between_arrival_and_result_makes_no_deadline_before_the_arrival():
    finding = AiFinding("Hemorrhage", "critical", 0.9, NOON - timedelta(hours=1))
    assert rank(arrived_at=NOON, order=None, findings=[finding]).due == NOON + 10 * MINUTE


@pytest.mark.parametrize(
    "broken",
    [
        {"maximum_wait_minutes": {"stat": 60, "asap": 30, "routine": 90}},
        {"finding_minutes": {"critical": 60, "urgent": 10}},
        {"minutes_without_order": 0},
        {"target_minutes": {p: dict.fromkeys(LOCATIONS, 0) for p in PRIORITIES}},
    ],
)
def test_a_policy_that_contradicts_itself_is_refused(broken):
    with pytest.raises(ValueError):
        replace(DEFAULT_POLICY, **broken)
