"""The ledger says of every promotion whom it passed, and what that cost: held against a plain model."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pacs.models import Order, Study
from tests.worklist.making import make_model, make_order, make_run, make_study
from worklist.queue import claims, ledger, ranking
from worklist.queue.models import Overtaking, WorklistItem
from worklist.queue.priority import DEFAULT_POLICY

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class Clock:
    """Time that goes on only when told to."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Clock:
    settings.CLAIM_LEASE_SECONDS = 10**6
    clock = Clock()
    monkeypatch.setattr(timezone, "now", clock)
    return clock


@pytest.fixture
def readers(make_user: Any) -> Any:
    return [make_user("radiologist", username=f"reader-{n}") for n in range(3)]


def _arrive(clock: Clock, **order: Any) -> Study:
    study = make_study(received_at=clock.now)
    make_order(study, **order)
    ranking.place(study_id=study.pk, cause="arrived")
    return study


def _flag(study: Study, model: Any) -> None:
    make_run(study, model, probability=0.9)
    ranking.place(study_id=study.pk, cause="AI result")


def _rows() -> list[tuple[int, int, float | None]]:
    rows = Overtaking.objects.order_by("pk")
    return [(row.promoted.study_id, row.passed.study_id, row.minutes) for row in rows]


ROUTINE = {"priority": "routine", "location_class": "outpatient"}


def test_a_flag_is_written_against_those_it_passes_and_settled_when_it_was_read(clock, readers):
    stat = _arrive(clock)
    waiting = [_arrive(clock, **ROUTINE) for _ in range(2)]
    flagged = _arrive(clock, **ROUTINE)
    clock.now += MINUTE * 40
    _flag(flagged, make_model())
    assert _rows() == [(flagged.pk, study.pk, None) for study in waiting], "STAT keeps its place"
    assert {row.passed_class for row in Overtaking.objects.all()} == {"routine"}
    assert {(row.cause, row.at) for row in Overtaking.objects.all()} == {("AI result", clock.now)}
    clock.now += MINUTE * 5
    claims.claim(item_id=flagged.worklist_item.pk, user=readers[0])
    clock.now += MINUTE * 4
    claims.claim(item_id=waiting[1].worklist_item.pk, user=readers[1])
    clock.now += MINUTE * 8
    claims.mark_signed(study_id=flagged.pk, signed_at=clock.now)
    assert _rows() == [(flagged.pk, waiting[0].pk, 12.0), (flagged.pk, waiting[1].pk, 4.0)]
    claims.mark_signed(study_id=stat.pk, signed_at=clock.now)
    assert Overtaking.objects.count() == 2


def test_whoever_is_read_before_the_promoted_one_lost_nothing(clock, readers):
    first, flagged = _arrive(clock, **ROUTINE), _arrive(clock, **ROUTINE)
    _flag(flagged, make_model())
    clock.now += MINUTE * 30
    claims.mark_signed(study_id=first.pk, signed_at=clock.now)
    assert _rows() == [(flagged.pk, first.pk, 0.0)]


def test_an_order_that_comes_late_and_a_new_policy_pass_nobody(clock):
    _arrive(clock, **ROUTINE)
    without = make_study(received_at=clock.now)
    ranking.place(study_id=without.pk, cause="arrived")
    make_order(without)
    assert ranking.place(study_id=without.pk, cause="order received").priority_class == "stat"
    second = _arrive(clock, **ROUTINE)
    make_run(second, make_model(), probability=0.9)
    ranking.place(study_id=second.pk, cause="policy 2026-2", promotes=False)
    assert _rows() == []


def test_an_order_and_a_flag_at_once_pass_only_those_that_the_flag_alone_passes(clock):
    between = _arrive(clock, priority="asap", location_class="er")  # due in 60 minutes
    _arrive(clock, priority="stat", location_class="er")  # due in 30
    late = make_study(received_at=clock.now)
    ranking.place(study_id=late.pk, cause="arrived")
    make_order(late, priority="stat", location_class="outpatient")  # due in 60, after `between`
    clock.now += MINUTE * 25
    _flag(late, make_model())  # due in 35
    assert _rows() == [(late.pk, between.pk, None)]


def test_a_study_that_is_being_read_is_not_passed_and_passes_nobody(clock, readers):
    first, second = _arrive(clock, **ROUTINE), _arrive(clock, **ROUTINE)
    model = make_model()
    claims.claim(item_id=first.worklist_item.pk, user=readers[0])
    _flag(second, model)
    third = _arrive(clock, **ROUTINE)
    claims.claim(item_id=third.worklist_item.pk, user=readers[1])
    clock.now += MINUTE
    _flag(third, model)
    assert _rows() == []


def test_one_promotion_writes_a_bounded_number_of_rows_in_few_queries(
    clock, monkeypatch, django_assert_max_num_queries
):
    monkeypatch.setattr(ledger, "MOST_PASSED", 3)
    waiting = [_arrive(clock, **ROUTINE) for _ in range(5)]
    flagged = _arrive(clock, **ROUTINE)
    make_run(flagged, make_model(), probability=0.9)
    with django_assert_max_num_queries(24):
        ranking.place(study_id=flagged.pk, cause="AI result")
    assert [passed for _, passed, _ in _rows()] == [study.pk for study in waiting[:3]]


def test_the_sweep_settles_what_no_signature_settled_and_then_finds_nothing(clock):
    first, flagged = _arrive(clock, **ROUTINE), _arrive(clock, **ROUTINE)
    _flag(flagged, make_model())
    opened, signed = clock.now + 5 * MINUTE, clock.now + 11 * MINUTE
    WorklistItem.objects.filter(study=flagged).update(
        state="signed", signed_at=signed, first_opened_at=opened
    )
    assert ledger.settle_lost() == 1
    assert _rows() == [(flagged.pk, first.pk, 6.0)]
    assert ledger.settle_lost() == 0


@dataclass
class Plain:
    """A study in the plain model: the list is sorted anew after each step, minutes are counted one by one."""

    study: Study
    number: int
    due: datetime
    base: datetime
    reading: bool = False
    signed: bool = False


@dataclass
class Department:
    """What the ledger should say, by looking at the list before and after."""

    studies: list[Plain] = field(default_factory=list)
    cost: dict[tuple[int, int], int] = field(default_factory=dict)
    closed: set[tuple[int, int]] = field(default_factory=set)

    def order(self) -> list[Plain]:
        return sorted((s for s in self.studies if not s.signed), key=lambda s: (s.due, s.number))

    def promote(self, one: Plain, due: datetime) -> None:
        if one.signed or due >= one.due:
            return
        before = self.order()
        one.due = due
        if one.reading:
            return
        after = self.order()
        for other in before[: before.index(one)]:
            if not other.reading and after.index(other) > after.index(one):
                self.cost.setdefault((one.number, other.number), 0)

    def minute(self) -> None:
        for promoted, passed in self.cost.keys() - self.closed:
            if self.studies[promoted].reading and not self.studies[passed].reading:
                self.cost[promoted, passed] += 1

    def sign(self, one: Plain) -> None:
        one.signed, one.reading = True, False
        self.closed |= {pair for pair in self.cost if one.number in pair}


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["arrive", "arrive", "flag", "flag", "read", "sign", "wait"]),
        st.integers(0, 11),
        st.sampled_from([("stat", "er"), ("asap", "er"), ("routine", "icu"), ("routine", "inpatient")]),
    ),
    min_size=6,
    max_size=22,
)


@settings(
    max_examples=15,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(STEPS)
def test_for_any_sequence_the_ledger_says_what_a_plain_model_counts(clock, readers, steps):
    with transaction.atomic():
        _play(clock, readers, steps)
        transaction.set_rollback(True)


def _play(clock: Clock, readers: Any, steps: Any) -> None:
    department, models = Department(), [make_model(criticality=c) for c in ("critical", "urgent")]
    for kind, which, (priority, location) in steps:
        one = department.studies[which % len(department.studies)] if department.studies else None
        if kind == "arrive":
            study = _arrive(clock, priority=priority, location_class=location)
            minutes = DEFAULT_POLICY.target_minutes[priority][location]
            due = clock.now + minutes * MINUTE
            department.studies.append(Plain(study, len(department.studies), due, due))
        elif one is None or kind == "wait":
            for _ in range(which):
                clock.now += MINUTE
                department.minute()
        elif kind == "flag" and not one.signed:
            model = models[which % 2]
            _flag(one.study, model)
            within = DEFAULT_POLICY.finding_minutes[model.criticality]
            department.promote(one, clock.now + within * MINUTE)
        elif kind == "read" and not one.signed and not one.reading:
            claims.claim(item_id=one.study.worklist_item.pk, user=readers[0])
            one.reading = True
        elif kind == "sign" and not one.signed:
            claims.mark_signed(study_id=one.study.pk, signed_at=clock.now)
            department.sign(one)
    number = {one.study.pk: one.number for one in department.studies}
    said = {(number[promoted], number[passed]): minutes for promoted, passed, minutes in _rows()}
    assert said == {
        pair: (float(cost) if pair in department.closed else None) for pair, cost in department.cost.items()
    }
    assert Order.objects.count() == len(department.studies)
