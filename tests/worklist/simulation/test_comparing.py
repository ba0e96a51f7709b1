"""What a comparison promises: the same again by its seed, the same studies for all, nobody left behind."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from worklist.queue.priority import Policy
from worklist.simulation.comparing import compare
from worklist.simulation.department import Department, Studies, StudyClass, draw
from worklist.simulation.engine import play
from worklist.simulation.orderings import FIFO, FIRSTREAD, ORDER, STRICT

MIX = (
    StudyClass("stat", "er", 2),
    StudyClass("asap", "inpatient", 3),
    StudyClass("routine", "inpatient", 5),
)


def overtaken_after_its_deadline(department, studies, waits):
    """Studies that somebody passed who arrived when they were already due."""
    starts = studies.arrived + waits
    targets = np.array([c.target_minutes(department.policy) for c in department.classes])[studies.kind]
    due = studies.arrived + targets
    # Deadlines have whole microseconds.
    late = studies.arrived[None, :] > due[:, None] + timedelta(microseconds=2) / timedelta(minutes=1)
    return int((late & (starts[None, :] < starts[:, None])).any(axis=1).sum())


def test_equal_seeds_give_equal_results_and_others_do_not():
    department = Department(classes=MIX, ai_delay_minutes=4)
    first, again, other = (compare(department, studies=400, replications=2, seed=seed) for seed in (5, 5, 6))
    assert first == again
    assert first.orderings != other.orderings


def test_a_change_of_the_model_leaves_the_rest_of_the_draw_as_it_was():
    good, poor = (
        draw(Department(sensitivity=s, classes=MIX), 500, np.random.SeedSequence(3)) for s in (0.95, 0.6)
    )
    for name in ("arrived", "reading", "diseased", "kind"):
        assert (getattr(good, name) == getattr(poor, name)).all()
    assert (good.flagged != poor.flagged).any()
    assert not (poor.flagged & ~good.flagged).any()


@pytest.mark.parametrize("delay", [0.0, 7.0])
def test_firstread_lets_nobody_new_pass_a_study_that_is_due(delay):
    department = Department(load=0.98, classes=MIX, prevalence=0.4, ai_delay_minutes=delay)
    studies = draw(department, 3_000, np.random.SeedSequence(8))
    waits = play(department, studies, FIRSTREAD)
    assert waits.max() > 100
    assert overtaken_after_its_deadline(department, studies, waits) == 0
    strict = play(department, studies, STRICT)
    assert overtaken_after_its_deadline(department, studies, strict) > 0


def test_a_study_is_not_starved_by_endless_flags():
    """One routine study, then a flagged one every ten minutes that takes longer than that to read."""
    number = 500
    flagged = np.ones(number, dtype=bool)
    flagged[1] = False
    reading = np.full(number, 10.5)
    reading[0] = 30.0
    studies = Studies(
        arrived=np.arange(number) * 10.0,
        reading=reading,
        diseased=flagged,
        flagged=flagged,
        kind=np.zeros(number, dtype=np.int64),
    )
    policy = Policy(maximum_wait_minutes={"stat": 60, "asap": 120, "routine": 240})
    department = Department(policy=policy)
    assert play(department, studies, STRICT)[1] > 4_000
    assert play(department, studies, FIRSTREAD)[1] < 240 + 30


def test_an_answer_that_comes_late_moves_a_study_that_waits():
    studies = Studies(
        arrived=np.array([0.0, 1.0, 2.0]),
        reading=np.array([30.0, 10.0, 10.0]),
        diseased=np.array([False, False, True]),
        flagged=np.array([False, False, True]),
        kind=np.zeros(3, dtype=np.int64),
    )
    for delay, waits in ((0.0, [0, 39, 28]), (20.0, [0, 39, 28]), (29.0, [0, 29, 38]), (500.0, [0, 29, 38])):
        department = Department(ai_delay_minutes=delay)
        assert play(department, studies, STRICT).tolist() == pytest.approx(waits), delay
        assert play(department, studies, FIRSTREAD).tolist() == pytest.approx(waits), delay


def test_urgent_orders_go_first_and_breaches_are_counted_by_class():
    department = Department(load=0.9, classes=MIX, prevalence=0)
    result = compare(department, studies=3_000, replications=2, orderings=(FIFO, ORDER, FIRSTREAD))
    fifo, order, firstread = result.orderings
    assert "diseased" not in fifo.groups
    assert fifo.groups["all"].breached > 2 * firstread.groups["all"].breached > 0
    assert fifo.groups["all"].breached > 2 * order.groups["all"].breached
    assert fifo.pushed_back == 0 and order.pushed_back > 0 and order.pushed_back_longest > 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"load": 1.0},
        {"load": None},
        {"arrivals_per_hour": 3.0},
        {"load": None, "arrivals_per_hour": 6.0},
        {"readers": 0},
        {"read_minutes": float("nan")},
        {"read_shape": "uniform"},
        {"sensitivity": 1.1},
        {"ai_delay_minutes": -1.0},
        {"classes": ()},
        {"classes": (StudyClass("soon", "er"),)},
    ],
)
def test_a_department_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError):
        Department(**wrong)


def test_the_command_prints_a_table_and_the_same_as_json():
    asked = {"studies": 300, "replications": 2, "seed": 3}
    table, document = StringIO(), StringIO()
    call_command("simulate", "--classes", "stat/er=1,routine/icu=3", **asked, stdout=table)
    call_command("simulate", "--classes", "stat/er=1,routine/icu=3", "--json", **asked, stdout=document)
    classes = (StudyClass("stat", "er", 1), StudyClass("routine", "icu", 3))
    result = compare(Department(classes=classes), **asked)
    assert json.loads(document.getvalue()) == json.loads(json.dumps(dataclasses.asdict(result)))
    for ordering in result.orderings:
        assert ordering.words in table.getvalue()
        assert f"{ordering.groups['diseased'].mean.value:8.1f}" in table.getvalue()


def test_the_command_says_what_cannot_be():
    with pytest.raises(CommandError, match="grow"):
        call_command("simulate", "--load", "1.2")
