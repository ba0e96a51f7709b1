"""How a review moves."""

from __future__ import annotations

from foundation.transitions import Machine
from worklist.quality.models import ReviewState

PENDING, AGREED = ReviewState.PENDING.value, ReviewState.AGREED.value
DISAGREED, ADJUDICATED = ReviewState.DISAGREED.value, ReviewState.ADJUDICATED.value

REVIEW = Machine(
    name="review",
    table={
        (PENDING, "agree"): AGREED,
        (PENDING, "disagree"): DISAGREED,
        (PENDING, "adjudicate"): ADJUDICATED,
        (AGREED, "adjudicate"): ADJUDICATED,
        (DISAGREED, "adjudicate"): ADJUDICATED,
    },
    version_field="version",
)
