"""A department as numbers, and the studies that a seed draws for it. Minutes throughout."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worklist.queue.priority import DEFAULT_POLICY, LOCATIONS, PRIORITIES, OrderUrgency, Policy

READ_SHAPES = ("exponential", "lognormal")


@dataclass(frozen=True)
class StudyClass:
    """A share of the studies that come with the same order.

    Attributes:
        priority: of PRIORITIES.
        location: of LOCATIONS.
        share: of all studies; the shares of a department are scaled to 1.
    """

    priority: str
    location: str
    share: float = 1.0

    @property
    def order(self) -> OrderUrgency:
        return OrderUrgency(priority=self.priority, location=self.location)

    def target_minutes(self, policy: Policy) -> float:
        """Minutes from arrival within which `policy` wants it read; a longer wait is a breach."""
        return min(
            policy.target_minutes[self.priority][self.location], policy.maximum_wait_minutes[self.priority]
        )


@dataclass(frozen=True)
class Department:
    """What is played through.

    Attributes:
        load: share of the readers' time that reading takes, above 0 and below 1. Exactly one of `load` and
            `arrivals_per_hour` is given.
        arrivals_per_hour: studies, arriving at random (Poisson).
        readers: who read from one list, without pause.
        read_minutes: mean time to read a study.
        read_shape: of READ_SHAPES.
        read_variation: standard deviation of a lognormal read time over its mean.
        prevalence, sensitivity, specificity: 0 to 1, per study.
        ai_delay_minutes: from arrival to the AI's answer, the same for all.
        criticality: of the finding that a flag states.
        classes: the mix of orders; targets are those of `policy`.
        policy: Firstread's service levels; ranks by them under the ordering "firstread".

    Raises:
        ValueError: which number cannot be, and what would do.
    """

    load: float | None = 0.8
    arrivals_per_hour: float | None = None
    readers: int = 1
    read_minutes: float = 10.0
    read_shape: str = "exponential"
    read_variation: float = 0.5
    prevalence: float = 0.1
    sensitivity: float = 0.95
    specificity: float = 0.95
    ai_delay_minutes: float = 0.0
    criticality: str = "critical"
    classes: tuple[StudyClass, ...] = (StudyClass("routine", "inpatient"),)
    policy: Policy = DEFAULT_POLICY

    def __post_init__(self) -> None:
        if (self.load is None) == (self.arrivals_per_hour is None):
            raise ValueError("Give either the load or the arrivals per hour.")
        if self.readers < 1:
            raise ValueError("At least one reader must read.")
        for name in ("read_minutes", "read_variation"):
            if not _finite(getattr(self, name)) or getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0.")
        if self.read_shape not in READ_SHAPES:
            raise ValueError(f"read_shape must be one of {', '.join(READ_SHAPES)}.")
        for name in ("prevalence", "sensitivity", "specificity"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie between 0 and 1.")
        if not _finite(self.ai_delay_minutes) or self.ai_delay_minutes < 0:
            raise ValueError("ai_delay_minutes must not be below 0.")
        known = all(c.priority in PRIORITIES and c.location in LOCATIONS for c in self.classes)
        if not self.classes or not known or any(not _finite(c.share) or c.share <= 0 for c in self.classes):
            raise ValueError(
                f"Each class needs a priority of {', '.join(PRIORITIES)}, a location of "
                f"{', '.join(LOCATIONS)} and a share above 0."
            )
        if not 0 < self.utilisation < 1:
            raise ValueError(
                f"The load is {self.utilisation:.2f}; it must lie above 0 and below 1, or the list grows for "
                "ever. Ask for fewer arrivals, more readers or shorter reads."
            )

    @property
    def arrivals_per_minute(self) -> float:
        if self.arrivals_per_hour is not None:
            return self.arrivals_per_hour / 60
        assert self.load is not None
        return self.load * self.readers / self.read_minutes

    @property
    def utilisation(self) -> float:
        return self.arrivals_per_minute * self.read_minutes / self.readers


def _finite(number: float) -> bool:
    return math.isfinite(number)


@dataclass(frozen=True)
class Studies:
    """One draw of N studies in order of arrival; all arrays have shape (N,).

    Attributes:
        arrived: minutes from the start.
        reading: minutes that its reading takes, whoever reads it and whenever.
        diseased, flagged: bool.
        kind: index into `Department.classes`.
    """

    arrived: NDArray[np.float64]
    reading: NDArray[np.float64]
    diseased: NDArray[np.bool_]
    flagged: NDArray[np.bool_]
    kind: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.arrived)


def draw(department: Department, number: int, seed: np.random.SeedSequence) -> Studies:
    """`number` studies. Each quantity has a random stream of its own, so that a change of, say, the
    sensitivity leaves arrivals, read times and diseases as they were."""
    arrivals, reads, diseases, answers, kinds = (np.random.default_rng(s) for s in seed.spawn(5))
    gaps = arrivals.exponential(1 / department.arrivals_per_minute, number)
    if department.read_shape == "lognormal":
        spread = math.log1p(department.read_variation**2)
        reading = reads.lognormal(math.log(department.read_minutes) - spread / 2, math.sqrt(spread), number)
    else:
        reading = reads.exponential(department.read_minutes, number)
    diseased = diseases.random(number) < department.prevalence
    # Of the diseased, `sensitivity` are flagged; of the others, 1 - `specificity`.
    flagged = answers.random(number) < np.where(diseased, department.sensitivity, 1 - department.specificity)
    shares = np.array([c.share for c in department.classes])
    steps = np.cumsum(shares / shares.sum())[:-1]
    kind = np.searchsorted(steps, kinds.random(number), side="right")
    return Studies(np.cumsum(gaps), reading, diseased, flagged, kind.astype(np.int64))
