"""Intervals against scipy's, and tables that add up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from worklist.quality.statistics import Table, wilson

counts = st.integers(0, 400)


@given(counts, counts)
def test_wilsons_interval_is_scipys(successes: int, failures: int) -> None:
    number = successes + failures
    share = wilson(successes, number)
    if number == 0:
        assert share is None
        return
    expected = binomtest(successes, number).proportion_ci(method="wilson")
    assert share is not None
    assert (share.low, share.high) == (pytest.approx(expected.low), pytest.approx(expected.high))
    assert 0 <= share.low <= share.value <= share.high <= 1


def test_wilsons_interval_by_hand() -> None:
    share = wilson(5, 7)
    assert share is not None
    assert (round(share.value, 4), round(share.low, 4), round(share.high, 4)) == (0.7143, 0.3589, 0.9178)
    with pytest.raises(ValueError, match="no share"):
        wilson(3, 2)


def test_each_share_divides_by_what_its_name_says() -> None:
    table = Table(tp=8, fp=2, tn=27, fn=3)
    assert table.n == 40 and not table.small_sample
    shares = [table.sensitivity, table.specificity, table.ppv, table.npv]
    assert [round(s.value, 3) for s in shares if s] == [0.727, 0.931, 0.8, 0.9]
    assert Table().sensitivity is None and Table(tp=29).small_sample
