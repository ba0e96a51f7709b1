"""Which waiting run a free worker takes: the more urgent first, and nobody is passed by for ever.

A pure rule over plain values. A run's place is the moment it came less the head start of its urgency: an
urgent run passes those that came up to its head start before it, and nobody who has waited longer. So a
routine run can be overtaken only by runs that arrive within `HEAD_START[STAT]` after it, however many
urgent ones come.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final

from pacs.models import LocationClass, OrderPriority


class Urgency(IntEnum):
    """As TriageRun.urgency counts it."""

    ROUTINE = 0
    ASAP = 1
    STAT = 2


HEAD_START: Final = {
    Urgency.ROUTINE: timedelta(0),
    Urgency.ASAP: timedelta(minutes=10),
    Urgency.STAT: timedelta(minutes=20),
}
# What a run loses for each attempt that came to nothing, so that one that kills its worker lets others by.
PENALTY: Final = timedelta(minutes=1)
# A slow model that confirms a quick one comes after the quick looks at those who come within this time.
SECOND_OPINION_AFTER: Final = timedelta(minutes=10)


def urgency_of(priority: str | None, location_class: str | None) -> Urgency:
    """Of an order's priority and the patient's place; without an order a study is routine."""
    if priority == OrderPriority.STAT or location_class == LocationClass.ER:
        return Urgency.STAT
    if priority == OrderPriority.ASAP or location_class == LocationClass.ICU:
        return Urgency.ASAP
    return Urgency.ROUTINE


def place(
    came_at: datetime, urgency: Urgency, attempts: int = 0, *, second_opinion: bool = False
) -> datetime:
    """Where a run stands in the queue: the earliest place is taken next."""
    later = SECOND_OPINION_AFTER if second_opinion else timedelta(0)
    return came_at - HEAD_START[urgency] + attempts * PENALTY + later
