"""A limit to what flags may cost others: pure rules over plain minutes.

A flag goes before everybody who, with it read first, is still expected to be read within a limit of their arrival. The
limit follows the usual wait of the department, so that a busy one allows more than a quiet one:

    limit    = min(longest, base + times * usual wait)
    expected = waited so far + (those before it + the flagged one + the one being read) * minutes between two reads

Whoever is expected beyond the limit is not passed, however soon the finding asks to be read; but a flag always counts
as if the study had come `head_start_minutes` earlier, so that a long list never makes it count for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """Minutes.

    Attributes:
        base_minutes, usual_times: the limit is the first plus the second times the usual wait.
        longest_minutes: the limit is never longer.
        head_start_minutes: what a flag always gains, whomever it passes.
        memory: the usual wait is the mean of all studies begun, the latest this many weighing most.
    """

    base_minutes: float = 150.0
    usual_times: float = 4.0
    longest_minutes: float = 1440.0
    head_start_minutes: float = 120.0
    memory: int = 10_000

    def minutes(self, usual: float) -> float:
        """The limit where studies usually wait `usual` minutes."""
        return min(self.longest_minutes, self.base_minutes + self.usual_times * usual)

    def remember(self, usual: float, seen: int, wait: float) -> float:
        """The usual wait after one more study, the `seen`th, waited `wait` minutes."""
        return usual + (wait - usual) / min(seen, self.memory)


def last_kept(waited: Iterable[float | None], *, limit_minutes: float, pace_minutes: float) -> int | None:
    """Index of the last study that a new flag must not pass; None where it may go first.

    Args:
        waited: minutes for which each study of the list has waited, in its order; None for one that is
            flagged itself, which a later flag never passes.
        limit_minutes: nobody is to be expected to wait longer through a flag.
        pace_minutes: between two reads of the whole department.
    """
    kept = None
    for index, minutes in enumerate(waited):
        if minutes is None or minutes + (index + 2) * pace_minutes > limit_minutes:
            kept = index
    return kept
