"""Every measure against another way to compute it: enumeration, scipy, or simulation from a known truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from triage.evaluation.intervals import wilson
from triage.evaluation.metrics import (
    area_under_curve,
    calibration,
    dice,
    mean_interval,
    predictive_values,
    reliability,
    roc,
)

SCORES = st.lists(st.integers(0, 20).map(lambda n: n / 20), min_size=1, max_size=25)
COUNTS = st.integers(0, 400)


@given(COUNTS, COUNTS)
def test_wilson_is_what_scipy_computes(hits: int, misses: int) -> None:
    ours = wilson(hits, hits + misses)
    if hits + misses == 0:
        assert ours is None
        return
    theirs = stats.binomtest(hits, hits + misses).proportion_ci(0.95, method="wilson")
    assert ours is not None
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    exact = stats.binomtest(hits, hits + misses).proportion_ci(0.95, method="exact")
    assert exact.low - 0.03 <= ours.low <= ours.value <= ours.high <= exact.high + 0.03


@given(SCORES, SCORES)
def test_the_area_is_the_share_of_pairs_in_the_right_order(high: list[float], low: list[float]) -> None:
    pairs = [1.0 if a > b else 0.5 if a == b else 0.0 for a in high for b in low]
    found = area_under_curve(high, low)
    assert found is not None
    assert found.area.value == pytest.approx(np.mean(pairs))
    mann_whitney = stats.mannwhitneyu(high, low).statistic / (len(high) * len(low))
    assert found.area.value == pytest.approx(mann_whitney)
    assert 0.0 <= found.area.low <= found.area.value <= found.area.high <= 1.0
    turned = area_under_curve(low, high)
    assert turned is not None
    assert turned.area.low == pytest.approx(1 - found.area.high, abs=2e-4)
    assert turned.area.high == pytest.approx(1 - found.area.low, abs=2e-4)


@given(SCORES, SCORES)
def test_the_area_is_the_one_under_the_points_of_the_curve(high: list[float], low: list[float]) -> None:
    points = roc(high, low)
    found = area_under_curve(high, low)
    assert found is not None
    area = np.trapezoid([p.sensitivity for p in points], [p.false_positive_rate for p in points])
    assert found.area.value == pytest.approx(area)
    assert (points[0].sensitivity, points[0].false_positive_rate) == (0.0, 0.0)
    assert (points[-1].sensitivity, points[-1].false_positive_rate) == (1.0, 1.0)


def test_delongs_variance_is_that_of_the_formula_for_pairs() -> None:
    rng = np.random.default_rng(1)
    high, low = rng.normal(1, 1, 15), rng.normal(0, 1, 22)
    above = np.array([np.mean(a > low) for a in high])
    below = np.array([np.mean(high > b) for b in low])
    area = above.mean()
    error = np.sqrt(above.var(ddof=1) / 15 + below.var(ddof=1) / 22)
    half = 1.959963984540054 * error / (area * (1 - area))
    expected = 1 / (1 + np.exp(-(np.log(area / (1 - area)) - half)))
    found = area_under_curve(list(high), list(low))
    assert found is not None and found.method.startswith("DeLong")
    assert found.area.low == pytest.approx(expected)


@pytest.mark.parametrize(("shift", "m", "n"), [(0.5, 30, 30), (1.5, 20, 60), (2.5, 15, 15), (3.5, 12, 12)])
def test_the_areas_interval_covers_the_truth_about_as_often_as_it_says(shift: float, m: int, n: int) -> None:
    truth = float(stats.norm.cdf(shift / np.sqrt(2)))
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(300):
        found = area_under_curve(rng.normal(shift, 1, m).tolist(), rng.normal(0, 1, n).tolist())
        assert found is not None
        covered += found.area.low <= truth <= found.area.high
    assert covered >= 0.91 * 300


def test_groups_wholly_apart_have_an_interval_that_admits_doubt() -> None:
    found = area_under_curve([0.9] * 10, [0.1] * 10)
    assert found is not None and found.method.startswith("Newcombe")
    assert found.area.value == found.area.high == 1.0 and 0.6 < found.area.low < 0.95
    more = area_under_curve([0.9] * 100, [0.1] * 100)
    assert more is not None and more.area.low > found.area.low


@settings(max_examples=40)
@given(COUNTS, COUNTS, COUNTS, COUNTS, st.floats(0.01, 0.99))
def test_predictive_values_are_bayes_rule_and_lie_in_their_intervals(
    tp: int, fn: int, tn: int, fp: int, prevalence: float
) -> None:
    ppv, npv = predictive_values(tp, fn, tn, fp, prevalence)
    if tp + fn == 0 or tn + fp == 0:
        assert ppv is None and npv is None
        return
    found, spared = tp / (tp + fn), tn / (tn + fp)
    flagged = found * prevalence + (1 - spared) * (1 - prevalence)
    assert (ppv is None) == (flagged == 0.0) and (npv is None) == (1 - flagged < 1e-12)
    if ppv is not None:
        assert ppv.value == pytest.approx(found * prevalence / flagged)
        assert 0.0 <= ppv.low <= ppv.value <= ppv.high <= 1.0
    if npv is not None:
        assert npv.value == pytest.approx(spared * (1 - prevalence) / (1 - flagged))
        assert 0.0 <= npv.low <= npv.value <= npv.high <= 1.0


@pytest.mark.parametrize(("found", "spared", "m", "n"), [(0.9, 0.95, 40, 40), (0.7, 0.8, 60, 100)])
def test_the_ppv_interval_covers_the_truth_about_as_often_as_it_says(
    found: float, spared: float, m: int, n: int
) -> None:
    prevalence = 0.1
    truth = found * prevalence / (found * prevalence + (1 - spared) * (1 - prevalence))
    rng = np.random.default_rng(3)
    hits, right = rng.binomial(m, found, 120), rng.binomial(n, spared, 120)
    covered = 0
    for tp, tn in zip(hits, right, strict=True):
        ppv, _ = predictive_values(int(tp), m - int(tp), int(tn), n - int(tn), prevalence)
        covered += ppv is not None and ppv.low <= truth <= ppv.high
    assert covered >= 0.9 * 120


def test_more_prevalence_means_more_ppv_and_less_npv() -> None:
    values = [predictive_values(90, 10, 80, 20, p) for p in (0.05, 0.2, 0.5)]
    ppv = [v[0].value for v in values if v[0]]
    npv = [v[1].value for v in values if v[1]]
    assert ppv == sorted(ppv) and npv == sorted(npv, reverse=True)
    with pytest.raises(ValueError, match="prevalence"):
        predictive_values(1, 1, 1, 1, 0.0)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=80))
def test_every_case_falls_in_one_bin_and_in_the_right_one(cases: list[tuple[float, bool]]) -> None:
    p, y = [c[0] for c in cases], [c[1] for c in cases]
    bins = reliability(p, y)
    assert sum(b.number for b in bins) == len(cases)
    assert sum(b.positives for b in bins) == sum(y)
    for b in bins:
        assert b.low - 1e-9 <= b.mean <= b.high + 1e-9
        assert b.observed.value == b.positives / b.number
    found = calibration(p, y)
    if not cases:
        assert found is None
        return
    assert found is not None
    assert found.brier == pytest.approx(np.mean((np.array(p) - np.array(y)) ** 2))
    assert found.ece == pytest.approx(
        sum(b.number * abs(b.mean - b.observed.value) for b in bins) / len(cases)
    )


def test_probabilities_that_mean_what_they_say_have_no_calibration_error() -> None:
    rng = np.random.default_rng(5)
    p = rng.random(20_000)
    y = rng.random(20_000) < p
    good = calibration(p.tolist(), y.tolist())
    bad = calibration((p**3).tolist(), y.tolist())
    assert good is not None and bad is not None
    assert good.ece < 0.02 < 0.1 < bad.ece and good.brier < bad.brier
    assert good.brier == pytest.approx(1 / 6, abs=0.01)


def test_weighting_to_a_prevalence_is_the_same_as_a_set_of_that_prevalence() -> None:
    p, y = [0.9, 0.6, 0.2, 0.1], [True, True, False, False]
    weighted = calibration(p, y, prevalence=0.2)
    repeated = calibration(p[:2] + p[2:] * 4, y[:2] + y[2:] * 4)
    assert weighted is not None and repeated is not None and repeated.prevalence == 0.2
    assert weighted.brier == pytest.approx(repeated.brier)
    assert weighted.ece == pytest.approx(repeated.ece)
    assert calibration([0.1], [False], prevalence=0.2) is None


def test_dice_and_means() -> None:
    one, other = np.zeros((2, 4, 4), bool), np.zeros((2, 4, 4), bool)
    assert dice(one, other) is None
    one[0, :2], other[0, 1:3] = True, True
    assert dice(one, other) == pytest.approx(0.5) and dice(one, one) == 1.0
    mean = mean_interval([0.5, 0.7, 0.9])
    assert mean is not None and mean.value == pytest.approx(0.7) and mean.low < 0.7 < mean.high
    assert mean_interval([]) is None


def test_measures_without_one_of_the_groups_do_not_exist() -> None:
    assert area_under_curve([], [0.1]) is None and area_under_curve([0.9], []) is None
    assert roc([0.5], []) == []
