"""Accuracy with honest intervals. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from triage.evaluation.intervals import Proportion, wilson

__all__ = ["SMALL_SAMPLE", "Proportion", "Table", "wilson"]

SMALL_SAMPLE: Final = 30


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
