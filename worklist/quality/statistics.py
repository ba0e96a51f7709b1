"""Accuracy with honest intervals. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Final

Z_95: Final = 1.959963984540054
"""Standard normal quantile at 0.975."""
SMALL_SAMPLE: Final = 30


@dataclass(frozen=True)
class Proportion:
    """A share with its 95 % interval, all 0 to 1."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Table:
    """A two by two table: results against truth."""

    tp: int = 0
    fp: int = 0
    tn: int = 0
    fn: int = 0

    @property
    def n(self) -> int:
        """How many results were compared."""
        return self.tp + self.fp + self.tn + self.fn

    @property
    def sensitivity(self) -> Proportion | None:
        """Found of those with the finding."""
        return wilson(self.tp, self.tp + self.fn)

    @property
    def specificity(self) -> Proportion | None:
        """Left alone of those without it."""
        return wilson(self.tn, self.tn + self.fp)

    @property
    def ppv(self) -> Proportion | None:
        """Right of those flagged."""
        return wilson(self.tp, self.tp + self.fp)

    @property
    def npv(self) -> Proportion | None:
        """Right of those not flagged."""
        return wilson(self.tn, self.tn + self.fn)

    @property
    def small_sample(self) -> bool:
        """Too few to say much."""
        return self.n < SMALL_SAMPLE


def wilson(successes: int, number: int) -> Proportion | None:
    """Wilson's score interval (1927) without continuity correction; None where there is nothing to divide by.

    Raises:
        ValueError: counts that cannot be.
    """
    if not 0 <= successes <= number:
        raise ValueError(f"{successes} of {number} is no share.")
    if number == 0:
        return None
    share, square = successes / number, Z_95**2
    centre = (share + square / (2 * number)) / (1 + square / number)
    half = Z_95 * sqrt(share * (1 - share) / number + square / (4 * number**2)) / (1 + square / number)
    return Proportion(
        value=share,
        low=0.0 if successes == 0 else max(0.0, centre - half),
        high=1.0 if successes == number else min(1.0, centre + half),
    )
