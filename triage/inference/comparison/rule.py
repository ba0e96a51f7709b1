"""New, known or grown: a pure rule over volumes. In doubt it says what rings.

The thresholds are those by which trials call a hemorrhage expanded: a third more, or 6 mL more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

GROWN_SHARE: Final = 0.33
GROWN_ML: Final = 6.0
# A third of a very small bleed is less than two segmentations of the same one differ by.
LEAST_GROWTH_ML: Final = 0.5
# As much beyond the old outline is growth, even where another part went away meanwhile.
BEYOND_ML: Final = 3.0

State = Literal["new", "known", "grown"]


@dataclass(frozen=True)
class Group:
    """Parts of a finding and the parts of the earlier one that they lie on; all volumes in mL.

    Attributes:
        now_ml: volume now.
        before_ml: volume of the counterparts then; 0 where nothing was.
        beyond_ml: of what is there now, what lies clearly outside the old outline.
    """

    now_ml: float
    before_ml: float
    beyond_ml: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """The state, and volume now minus volume then of all parts that have a counterpart, in mL."""

    state: State
    growth_ml: float | None


def grew(before_ml: float, now_ml: float) -> bool:
    """True from a third more (at least 0.5 mL) or 6 mL more."""
    growth = now_ml - before_ml
    return growth >= GROWN_ML or (growth >= LEAST_GROWTH_ML and growth >= GROWN_SHARE * before_ml)


def judge(groups: Iterable[Group]) -> Verdict:
    """A part without a counterpart makes the finding new, else a grown part makes it grown.

    Raises:
        ValueError: there is nothing to judge.
    """
    parts = list(groups)
    if not parts:
        raise ValueError("a finding without a part cannot be compared")
    matched = [part for part in parts if part.before_ml > 0.0]
    growth = round(sum(p.now_ml - p.before_ml for p in matched), 2) if matched else None
    if len(matched) < len(parts):
        return Verdict("new", growth)
    if any(grew(p.before_ml, p.now_ml) or p.beyond_ml >= BEYOND_ML for p in parts):
        return Verdict("grown", growth)
    return Verdict("known", growth)
