"""A flag goes first as far as nobody else's expected wait passes a limit."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from worklist.simulation.comparing import compare
from worklist.simulation.department import Department, draw
from worklist.simulation.engine import play
from worklist.simulation.limits import Limit, last_kept
from worklist.simulation.orderings import FIFO, STRICT, limited

minutes = st.floats(0, 5000)
lists = st.lists(st.none() | minutes, max_size=40)


@given(lists, minutes, st.floats(0.1, 60))
def test_whoever_is_passed_is_not_flagged_and_still_expected_within_the_limit(waited, limit, pace):
    kept = last_kept(waited, limit_minutes=limit, pace_minutes=pace)
    for index, one in enumerate(waited):
        if kept is None or index > kept:
            assert one is not None and one + (index + 2) * pace <= limit
    if kept is not None:
        one = waited[kept]
        assert one is None or one + (kept + 2) * pace > limit


@given(lists, minutes, st.floats(0, 500), st.floats(0.1, 60))
def test_a_wider_limit_keeps_nobody_more(waited, limit, more, pace):
    wide = last_kept(waited, limit_minutes=limit + more, pace_minutes=pace)
    narrow = last_kept(waited, limit_minutes=limit, pace_minutes=pace)
    assert (-1 if wide is None else wide) <= (-1 if narrow is None else narrow)


@given(minutes, minutes)
def test_the_limit_grows_with_the_usual_wait_up_to_the_longest(one, other):
    limit = Limit()
    low, high = sorted((one, other))
    assert limit.minutes(low) <= limit.minutes(high) <= limit.longest_minutes


def test_no_limit_at_all_is_strict_priority_and_none_allowed_is_the_head_start_alone():
    department = Department(load=0.85)
    studies = draw(department, 4_000, np.random.SeedSequence(3))
    wide = limited(Limit(base_minutes=1e9, longest_minutes=1e9))
    assert np.array_equal(play(department, studies, wide), play(department, studies, STRICT))
    none = limited(Limit(base_minutes=0, usual_times=0, head_start_minutes=0))
    assert np.array_equal(play(department, studies, none), play(department, studies, FIFO))


def test_the_unflagged_wait_longest_under_strict_and_the_limit_takes_most_of_that_away():
    orderings = (FIFO, STRICT, limited(Limit()))
    result = compare(Department(load=0.8), studies=20_000, replications=4, seed=1, orderings=orderings)
    _, strict, within = (one.groups for one in result.orderings)
    assert within["unflagged"].p999_change < strict["unflagged"].p999_change
    assert within["diseased"].mean_change.value < -0.65
