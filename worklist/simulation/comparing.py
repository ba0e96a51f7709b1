"""Orderings side by side on the same studies: waiting times by group, breaches, minutes pushed back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from worklist.simulation.department import Department, Studies, draw
from worklist.simulation.engine import play
from worklist.simulation.orderings import FIFO, ORDERINGS, Ordering

GROUPS = ("all", "diseased", "others", "flagged", "unflagged")
WARM_UP = 0.1
"""Share of the studies at the start that is played and not counted: the list starts empty."""

Waits = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Mean:
    """A mean over the replications with its 95 % interval (Student); without one for a single replication."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class GroupResult:
    """How long a group of studies waited, in minutes.

    Attributes:
        studies: counted, over all replications.
        mean: mean of the replications' means.
        median, p95, p999, longest: over all counted studies.
        breached: share that waited longer than its order's target.
        mean_change, p999_change: against first in, first out on the same studies; -0.7 is 70 % shorter.
            None where there is nothing to compare with.
        waiting: share that still waits after each of `Comparison.minutes`; empty unless asked for.
    """

    studies: int
    mean: Mean
    median: float
    p95: float
    p999: float
    longest: float
    breached: float
    mean_change: Mean | None
    p999_change: float | None
    waiting: tuple[Mean, ...] = ()


@dataclass(frozen=True)
class OrderingResult:
    """One ordering.

    Attributes:
        groups: those of GROUPS that have a study in every replication.
        classes: the same for "all", "diseased" and "others" of each class of order, by "priority/location";
            empty where all studies come with one order.
        pushed_back: share of the studies that began later than under first in, first out.
        pushed_back_minutes: how much later these began, on average.
        pushed_back_longest: how much later at most.
    """

    name: str
    words: str
    groups: dict[str, GroupResult]
    classes: dict[str, dict[str, GroupResult]]
    pushed_back: float
    pushed_back_minutes: float
    pushed_back_longest: float


@dataclass(frozen=True)
class Comparison:
    """All orderings on the same studies; equal inputs give equal results.

    `minutes` are the points of the curves, from 0 to where one study in a hundred still waits under the
    slowest ordering; empty unless curves were asked for.
    """

    department: Department
    studies: int
    replications: int
    seed: int
    orderings: tuple[OrderingResult, ...]
    minutes: tuple[float, ...] = ()


def compare(
    department: Department,
    *,
    studies: int = 20_000,
    replications: int = 10,
    seed: int = 1,
    orderings: Sequence[Ordering] = ORDERINGS,
    curve_points: int = 0,
    progress: Callable[[float], None] = lambda share: None,
) -> Comparison:
    """Play `replications` draws of `studies` studies each under every ordering.

    Args:
        department: what is played.
        studies: in a replication; the first WARM_UP of them are not counted.
        replications: independent draws.
        seed: of all randomness.
        orderings: what to compare; first in, first out is played in any case.
        curve_points: how many points the curves of those who still wait have; 0 for none.
        progress: is told the share that is done, 0 to 1.

    Raises:
        ValueError: too few studies or replications.
    """
    if studies < 100 or replications < 1 or seed < 0:
        raise ValueError("Ask for at least 100 studies and 1 replication, and a seed of 0 or more.")
    played = (FIFO, *(o for o in orderings if o is not FIFO))
    waits: dict[str, list[Waits]] = {o.name: [] for o in played}
    draws: list[Studies] = []
    first = int(studies * WARM_UP)
    for number, stream in enumerate(np.random.SeedSequence(seed).spawn(replications)):
        drawn = draw(department, studies, stream)
        draws.append(_from(drawn, first))
        for at, ordering in enumerate(played):
            waits[ordering.name].append(play(department, drawn, ordering)[first:])
            progress((number * len(played) + at + 1) / (replications * len(played)))
    minutes: Waits = np.zeros(0)
    if curve_points:
        end = max(float(np.quantile(np.concatenate(of_one), 0.99)) for of_one in waits.values())
        minutes = np.linspace(0.0, end, curve_points)
    results = tuple(
        _result(o, department, draws, waits[o.name], waits[FIFO.name], minutes)
        for o in played
        if o in orderings
    )
    return Comparison(department, studies, replications, seed, results, tuple(minutes.tolist()))


def _from(drawn: Studies, first: int) -> Studies:
    return Studies(
        drawn.arrived[first:],
        drawn.reading[first:],
        drawn.diseased[first:],
        drawn.flagged[first:],
        drawn.kind[first:],
    )


def _masks(drawn: Studies) -> dict[str, Mask]:
    return {
        "all": np.ones(len(drawn), dtype=np.bool_),
        "diseased": drawn.diseased,
        "others": ~drawn.diseased,
        "flagged": drawn.flagged,
        "unflagged": ~drawn.flagged,
    }


def _result(
    ordering: Ordering,
    department: Department,
    draws: list[Studies],
    waits: list[Waits],
    fifo: list[Waits],
    minutes: Waits,
) -> OrderingResult:
    masks = [_masks(drawn) for drawn in draws]
    targets = np.array([c.target_minutes(department.policy) for c in department.classes])
    breaches = [w > targets[drawn.kind] for w, drawn in zip(waits, draws, strict=True)]

    def groups(chosen: list[dict[str, Mask]], points: Waits) -> dict[str, GroupResult]:
        return {
            name: _group(
                [m[name] for m in chosen], waits, fifo, breaches, points, compared=ordering is not FIFO
            )
            for name in chosen[0]
            if all(m[name].any() for m in chosen)
        }

    classes = {}
    if len(department.classes) > 1:
        for kind, one in enumerate(department.classes):
            of_kind = [
                {name: m[name] & (drawn.kind == kind) for name in ("all", "diseased", "others")}
                for m, drawn in zip(masks, draws, strict=True)
            ]
            classes[f"{one.priority}/{one.location}"] = groups(of_kind, np.zeros(0))
    later = np.concatenate(waits) - np.concatenate(fifo)
    # Sums of minutes in another order differ by rounding; nobody waits a microsecond.
    back = later[later > 1e-6]
    return OrderingResult(
        name=ordering.name,
        words=ordering.words,
        groups=groups(masks, minutes),
        classes=classes,
        pushed_back=len(back) / len(later),
        pushed_back_minutes=float(back.mean()) if len(back) else 0.0,
        pushed_back_longest=float(back.max()) if len(back) else 0.0,
    )


def _group(
    masks: list[Mask],
    waits: list[Waits],
    fifo: list[Waits],
    breaches: list[Mask],
    minutes: Waits,
    *,
    compared: bool,
) -> GroupResult:
    mine = [w[m] for w, m in zip(waits, masks, strict=True)]
    theirs = [w[m] for w, m in zip(fifo, masks, strict=True)]
    pooled = np.concatenate(mine)
    median, p95, p999 = (float(q) for q in np.quantile(pooled, (0.5, 0.95, 0.999)))
    means = np.array([w.mean() for w in mine])
    fifo_means = np.array([w.mean() for w in theirs])
    fifo_p999 = float(np.quantile(np.concatenate(theirs), 0.999))
    return GroupResult(
        studies=len(pooled),
        mean=_mean(means),
        median=median,
        p95=p95,
        p999=p999,
        longest=float(pooled.max()),
        breached=float(np.concatenate([b[m] for b, m in zip(breaches, masks, strict=True)]).mean()),
        mean_change=_ratio(means, fifo_means) if compared and fifo_means.sum() > 0 else None,
        p999_change=p999 / fifo_p999 - 1 if compared and fifo_p999 > 0 else None,
        waiting=tuple(_mean(np.array([(w > after).mean() for w in mine])) for after in minutes),
    )


def _mean(values: NDArray[np.float64]) -> Mean:
    number = len(values)
    middle = float(values.mean())
    if number < 2:
        return Mean(middle, None, None)
    half = float(stdtrit(number - 1, 0.975) * values.std(ddof=1) / np.sqrt(number))
    return Mean(middle, middle - half, middle + half)


def _ratio(values: NDArray[np.float64], base: NDArray[np.float64]) -> Mean:
    """Ratio of the means less 1; its interval by linearisation, from pairs on the same studies."""
    ratio = float(values.mean() / base.mean())
    spread = _mean((values - ratio * base) / base.mean())
    if spread.low is None or spread.high is None:
        return Mean(ratio - 1, None, None)
    return Mean(ratio - 1, ratio - 1 + spread.low, ratio - 1 + spread.high)
