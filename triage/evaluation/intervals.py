"""Shares and their 95 % intervals. Plain arithmetic, nothing to import."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Final

Z_95: Final = 1.959963984540054
"""Standard normal quantile at 0.975."""


@dataclass(frozen=True)
class Proportion:
    """A value with its 95 % interval, all 0 to 1."""

    value: float
    low: float
    high: float


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
