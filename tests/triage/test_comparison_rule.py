"""New, known, grown: never known when something is there that was not, or more than there was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.inference.comparison.rule import GROWN_ML, Group, grew, judge

volumes = st.floats(0.05, 200.0)
groups = st.builds(
    Group, now_ml=volumes, before_ml=st.one_of(st.just(0.0), volumes), beyond_ml=st.floats(0.0, 10.0)
)


@pytest.mark.parametrize(
    ("before", "now", "state"),
    [
        (10.0, 10.0, "known"), (10.0, 13.2, "known"), (10.0, 13.4, "grown"), (40.0, 45.9, "known"),
        (40.0, 46.1, "grown"), (0.5, 0.9, "known"), (0.5, 1.1, "grown"), (30.0, 4.0, "known"),
    ],
)  # fmt: skip
def test_a_third_more_or_six_millilitres_more_is_growth(before, now, state):
    assert judge([Group(now, before)]).state == state


def test_what_has_no_counterpart_is_new_though_the_rest_shrank():
    verdict = judge([Group(5.0, 30.0), Group(0.4, 0.0)])
    assert (verdict.state, verdict.growth_ml) == ("new", -25.0)
    assert judge([Group(3.0, 0.0)]).growth_ml is None


def test_a_part_that_grew_is_not_hidden_by_one_that_shrank():
    assert judge([Group(2.0, 30.0), Group(12.0, 4.0)]).state == "grown"


def test_blood_beyond_the_old_outline_is_growth_though_the_volume_stayed():
    assert judge([Group(20.0, 20.0, beyond_ml=5.0)]).state == "grown"


def test_nothing_cannot_be_judged():
    with pytest.raises(ValueError, match="without a part"):
        judge([])


@given(st.lists(groups, min_size=1, max_size=5))
def test_known_means_that_every_part_was_there_and_did_not_grow(parts):
    state = judge(parts).state
    nothing_new = all(p.before_ml > 0.0 and not grew(p.before_ml, p.now_ml) for p in parts)
    assert (state == "known") <= nothing_new
    if any(p.before_ml == 0.0 for p in parts):
        assert state == "new"


@given(st.lists(groups, min_size=1, max_size=5), groups)
def test_one_more_part_never_makes_a_finding_harmless(parts, more):
    if judge(parts).state != "known":
        assert judge([*parts, more]).state != "known"


@given(volumes, volumes, st.floats(0.0, 50.0))
def test_more_blood_never_makes_a_grown_finding_known(before, now, more):
    if grew(before, now):
        assert grew(before, now + more)


@given(volumes, st.floats(GROWN_ML, 100.0))
def test_six_millilitres_more_are_growth_whatever_was_there(before, more):
    assert grew(before, before + more + 1e-6)
