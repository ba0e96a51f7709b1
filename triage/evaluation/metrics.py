"""How good answers are, with honest intervals: pure functions over arrays of probabilities and truths.

Sensitivity and specificity have Wilson intervals (intervals.py). Values that depend on how common the
finding is are computed for a chosen prevalence, never for that of the test set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from triage.evaluation.intervals import Z_95, Proportion, wilson

Floats = NDArray[np.float64]
DRAWS: Final = 40_000
BINS: Final = 10


@dataclass(frozen=True)
class Curve:
    """Area under the ROC curve with its interval and the method of the latter."""

    area: Proportion
    method: str


@dataclass(frozen=True)
class RocPoint:
    """Shares flagged among positives and negatives when everything from `threshold` on is flagged."""

    threshold: float
    sensitivity: float
    false_positive_rate: float


@dataclass(frozen=True)
class Bin:
    """Cases whose probability lies in [low, high): how many, their mean probability, how many had it."""

    low: float
    high: float
    number: int
    positives: int
    mean: float
    observed: Proportion


@dataclass(frozen=True)
class Calibration:
    """Do probabilities mean what they say?

    Attributes:
        brier: mean squared difference of probability and truth; 0 is perfect.
        ece: expected calibration error, the mean distance of a bin's mean probability from its share.
        prevalence: share of positives to which the two figures apply.
    """

    brier: float
    ece: float
    prevalence: float


def area_under_curve(positives: Sequence[float], negatives: Sequence[float]) -> Curve | None:
    """Probability that a positive is rated above a negative (ties count half), with a 95 % interval.

    DeLong's variance (1988) on the logit scale; where the groups are wholly apart, or nearly, it is zero and
    says nothing, and Newcombe's score interval (2006, method 5) takes its place.
    """
    high, low = np.sort(np.asarray(positives, float)), np.sort(np.asarray(negatives, float))
    if not len(high) or not len(low):
        return None
    above = _wins(high, low)  # for each positive: the share of negatives below it
    below = 1.0 - _wins(low, high)
    area = float(above.mean())
    variance = _variance(above) / len(high) + _variance(below) / len(low)
    if 0.0 < area < 1.0 and variance > 0.0 and min(len(high), len(low)) > 1:
        logit, half = np.log(area / (1 - area)), Z_95 * np.sqrt(variance) / (area * (1 - area))
        low_end, high_end = (float(1 / (1 + np.exp(-x))) for x in (logit - half, logit + half))
        return Curve(Proportion(area, low_end, high_end), "DeLong, logit scale")
    return Curve(_newcombe(area, len(high), len(low)), "Newcombe's score interval")


def roc(positives: Sequence[float], negatives: Sequence[float]) -> list[RocPoint]:
    """Every point of the empirical curve, from "nothing is flagged" to "everything is"."""
    high, low = np.asarray(positives, float), np.asarray(negatives, float)
    if not len(high) or not len(low):
        return []
    thresholds = np.unique(np.concatenate([high, low]))[::-1]
    points = [RocPoint(float("inf"), 0.0, 0.0)]
    return points + [
        RocPoint(float(t), float((high >= t).mean()), float((low >= t).mean())) for t in thresholds
    ]


def predictive_values(
    tp: int, fn: int, tn: int, fp: int, prevalence: float
) -> tuple[Proportion | None, Proportion | None]:
    """PPV and NPV where a share `prevalence` of those examined has the finding.

    The interval comes from draws of sensitivity and specificity from their Jeffreys posteriors (Beta with
    counts + 1/2), which holds at the edges, too, where the delta method gives none.

    Raises:
        ValueError: prevalence outside (0, 1), or a negative count.
    """
    if not 0.0 < prevalence < 1.0 or min(tp, fn, tn, fp) < 0:
        raise ValueError(f"prevalence {prevalence} must lie between 0 and 1, counts at 0 or above")
    if tp + fn == 0 or tn + fp == 0:
        return None, None
    rng = np.random.default_rng(20260105)
    found = rng.beta(tp + 0.5, fn + 0.5, DRAWS)
    spared = rng.beta(tn + 0.5, fp + 0.5, DRAWS)
    sensitivity, specificity = tp / (tp + fn), tn / (tn + fp)
    ppv = _share(
        sensitivity * prevalence,
        (1 - specificity) * (1 - prevalence),
        _ratio(found * prevalence, (1 - spared) * (1 - prevalence)),
    )
    npv = _share(
        specificity * (1 - prevalence),
        (1 - sensitivity) * prevalence,
        _ratio(spared * (1 - prevalence), (1 - found) * prevalence),
    )
    return ppv, npv


def reliability(probabilities: Sequence[float], truths: Sequence[bool], bins: int = BINS) -> list[Bin]:
    """Bins of equal width that hold at least one case, by rising probability; the last includes 1."""
    p, y = np.asarray(probabilities, float), np.asarray(truths, bool)
    if len(p) and (p.min() < 0.0 or p.max() > 1.0):
        raise ValueError("probabilities must lie between 0 and 1")
    place = np.minimum((p * bins).astype(int), bins - 1)
    found = []
    for index in range(bins):
        here = place == index
        number, positives = int(here.sum()), int(y[here].sum())
        observed = wilson(positives, number)
        if observed is not None:
            found.append(
                Bin(index / bins, (index + 1) / bins, number, positives, float(p[here].mean()), observed)
            )
    return found


def calibration(
    probabilities: Sequence[float],
    truths: Sequence[bool],
    prevalence: float | None = None,
    bins: int = BINS,
) -> Calibration | None:
    """Brier score and expected calibration error; None without cases.

    With `prevalence`, positives and negatives are weighted as if that share of the cases were positive: a
    test set with half of its cases positive says little about probabilities meant for a department.
    """
    p, y = np.asarray(probabilities, float), np.asarray(truths, bool)
    if not len(p) or (prevalence is not None and (y.all() or not y.any())):
        return None
    share = float(y.mean())
    weight = np.full(len(p), 1.0 / len(p))
    if prevalence is not None:
        weight = np.where(y, prevalence / share, (1 - prevalence) / (1 - share)) / len(p)
    place = np.minimum((p * bins).astype(int), bins - 1)
    ece = sum(abs(float((weight * (p - y))[place == index].sum())) for index in range(bins))
    return Calibration(
        brier=float((weight * (p - y) ** 2).sum()),
        ece=ece,
        prevalence=share if prevalence is None else prevalence,
    )


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float | None:
    """Twice the overlap over the sum of both masks; None where both are empty."""
    total = int(one.sum()) + int(other.sum())
    return 2.0 * int((one & other).sum()) / total if total else None


def mean_interval(values: Sequence[float]) -> Proportion | None:
    """Mean of values between 0 and 1 with a bootstrap percentile interval; None without values."""
    array = np.asarray(values, float)
    if not len(array):
        return None
    rng = np.random.default_rng(20260105)
    means = array[rng.integers(0, len(array), (4000, len(array)))].mean(axis=1)
    low, high = (float(v) for v in np.quantile(means, [0.025, 0.975]))
    return Proportion(float(array.mean()), low, high)


def _wins(ours: Floats, theirs: Floats) -> Floats:
    """For each of `ours`: the share of the sorted `theirs` below it, ties counting half."""
    below = np.searchsorted(theirs, ours, side="left")
    up_to = np.searchsorted(theirs, ours, side="right")
    wins: Floats = (below + up_to) / (2.0 * len(theirs))
    return wins


def _variance(values: Floats) -> float:
    return float(values.var(ddof=1)) if len(values) > 1 else 0.0


def _newcombe(area: float, m: int, n: int) -> Proportion:
    """Areas that the one found does not contradict: |area - t| <= z * sqrt(V(t))."""
    t = np.linspace(0.0, 1.0, 20_001)
    middle = (m + n) / 2 - 1
    spread = t * (1 - t) * (1 + middle * (1 - t) / (2 - t) + middle * t / (1 + t)) / (m * n)
    kept = t[np.abs(t - area) <= Z_95 * np.sqrt(spread) + 1e-12]
    return Proportion(area, float(kept.min()), float(kept.max()))


def _ratio(right: Floats, wrong: Floats) -> Floats:
    shares: Floats = right / (right + wrong)
    return shares


def _share(right: float, wrong: float, draws: Any) -> Proportion | None:
    if right + wrong == 0.0:
        return None  # nothing is ever flagged (or spared): there is no such value
    low, high = (float(v) for v in np.quantile(draws, [0.025, 0.975]))
    value = right / (right + wrong)
    return Proportion(value, min(low, value), max(high, value))
