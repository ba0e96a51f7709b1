"""The simulation against queueing theory: closed formulas, and exact recursions on the same studies."""

from __future__ import annotations

import math

import numpy as np
import pytest

from worklist.simulation.comparing import compare
from worklist.simulation.department import Department, StudyClass, draw
from worklist.simulation.engine import play
from worklist.simulation.orderings import FIFO, FIRSTREAD, ORDER, STRICT

M_M_1 = Department(load=0.8, sensitivity=0.9, specificity=0.9)


def recursion(studies, readers):
    """Kiefer and Wolfowitz: in order of arrival, each study takes the reader who is free first."""
    free = np.zeros(readers)
    waits = np.empty(len(studies))
    for n, (at, minutes) in enumerate(zip(studies.arrived, studies.reading, strict=True)):
        soonest = free.argmin()
        start = max(at, free[soonest])
        waits[n] = start - at
        free[soonest] = start + minutes
    return waits


def priority_formula(load, minutes, share, second_moment=2.0):
    """Cobham 1954, non-preemptive, one reader: mean waits of (first in first out, flagged, unflagged).

    `second_moment` of the read time over its mean squared: 2 for exponential times.
    """
    left = load * minutes * second_moment / 2
    flagged = left / (1 - load * share)
    return left / (1 - load), flagged, flagged / (1 - load)


def test_the_formula_gives_the_published_minutes():
    fifo, flagged, unflagged = priority_formula(0.8, 10, 0.18)
    assert (round(fifo, 1), round(flagged, 1), round(unflagged, 1)) == (40.0, 9.3, 46.7)
    assert round(0.9 * flagged + 0.1 * unflagged, 1) == 13.1


@pytest.mark.parametrize("readers", [1, 3])
@pytest.mark.parametrize("shape", ["exponential", "lognormal"])
def test_first_in_first_out_is_the_exact_recursion_study_for_study(readers, shape):
    department = Department(load=0.9, readers=readers, read_shape=shape)
    studies = draw(department, 5_000, np.random.SeedSequence(4))
    assert play(department, studies, FIFO) == pytest.approx(recursion(studies, readers), abs=1e-6)


def test_the_draws_themselves_wait_as_theory_says():
    """Lindley's recursion in closed form over three million studies; only the random streams are at stake."""
    studies = draw(M_M_1, 3_000_000, np.random.SeedSequence(1))
    steps = np.concatenate(([0.0], studies.reading[:-1] - np.diff(studies.arrived)))
    walk = np.cumsum(steps)
    waits = walk - np.minimum.accumulate(np.minimum(walk, 0.0))
    assert waits.mean() == pytest.approx(40.0, rel=0.02)
    assert studies.flagged.mean() == pytest.approx(0.18, rel=0.01)


@pytest.mark.parametrize(
    ("shape", "second_moment"), [("exponential", 2.0), ("lognormal", 1.25)], ids=["M/M/1", "M/G/1"]
)
def test_strict_priority_meets_the_closed_formula(shape, second_moment):
    department = Department(load=0.8, sensitivity=0.9, specificity=0.9, read_shape=shape)
    result = compare(department, studies=20_000, replications=10, seed=1, orderings=(FIFO, STRICT))
    fifo, strict = (o.groups for o in result.orderings)
    wait, flagged, unflagged = priority_formula(0.8, 10, 0.18, second_moment)
    wanted = {
        "flagged": flagged,
        "unflagged": unflagged,
        "diseased": 0.9 * flagged + 0.1 * unflagged,
    }
    assert fifo["all"].mean.low < wait < fifo["all"].mean.high
    assert fifo["all"].mean.value == pytest.approx(wait, rel=0.05)
    for group, minutes in wanted.items():
        assert strict[group].mean.low < minutes < strict[group].mean.high, group
        assert strict[group].mean.value == pytest.approx(minutes, rel=0.05), group
        # On the same studies chance moves both alike, so the change is known better than either.
        assert 1 + strict[group].mean_change.value == pytest.approx(minutes / wait, rel=0.05), group


def test_three_readers_meet_the_formula_of_erlang():
    department = Department(load=0.8, readers=3, sensitivity=0.9, specificity=0.9)
    result = compare(department, studies=20_000, replications=6, seed=2, orderings=(FIFO, STRICT))
    offered = 2.4
    terms = [offered**n / math.factorial(n) for n in range(3)]
    full = offered**3 / math.factorial(3) / (1 - 0.8)
    left = full / (sum(terms) + full) * 10 / 3
    fifo, strict = (o.groups for o in result.orderings)
    flagged = left / (1 - 0.8 * 0.18)
    assert fifo["all"].mean.low < left / (1 - 0.8) < fifo["all"].mean.high
    assert strict["flagged"].mean.low < flagged < strict["flagged"].mean.high
    assert strict["unflagged"].mean.low < flagged / (1 - 0.8) < strict["unflagged"].mean.high


def test_no_order_of_the_list_makes_or_saves_work():
    """Conservation: one reader, so at every moment the same work is left, whoever is read first."""
    department = Department(load=0.9, classes=(StudyClass("stat", "er"), StudyClass("routine", "icu", 3)))
    studies = draw(department, 5_000, np.random.SeedSequence(6))
    work = [
        float((studies.reading * play(department, studies, ordering)).sum())
        for ordering in (FIFO, ORDER, STRICT, FIRSTREAD)
    ]
    assert work == pytest.approx([work[0]] * 4)
