"""The queue of runs as a worker sees it: what it is woken for is not what it takes.

A message only says that there is work. The worker that gets it takes the most urgent run that waits, by the
database; so an urgent study does not stand behind the messages of others, a message that comes twice
finds nothing to do, and a message that is lost leaves its run to any later one.
"""

from __future__ import annotations

from django.db.models import Q

from triage import runs
from triage.agreement import SECOND_OPINION_TO
from triage.models import ACTIVE_RUN_STATES, TriageRun
from triage.urgency import place, urgency_of


def take_most_urgent(*, named: int) -> runs.Lease | None:
    """Hold the run that comes next, or None when none wants a worker.

    Orders are read now, not when the run was planned: one that comes late, or is raised to STAT, counts.
    A second opinion comes after the quick looks (triage/urgency.py).

    Args:
        named: the run that the message names; it counts even when nothing says that it was queued.
    """
    rows = TriageRun.objects.filter(
        Q(queued_at__isnull=False) | Q(pk=named), state__in=ACTIVE_RUN_STATES
    ).values_list(
        "pk",
        "created_at",
        "attempts",
        "study__order__priority",
        "study__order__location_class",
        f"model__config__{SECOND_OPINION_TO}",
    )
    waiting = [
        (place(created_at, urgency, attempts, second_opinion=bool(second)), pk, urgency)
        for pk, created_at, attempts, priority, location_class, second in rows
        for urgency in (urgency_of(priority, location_class),)
    ]
    for _, pk, urgency in sorted(waiting):
        # One that another worker holds, or took this instant, gives None: the next one then.
        if lease := runs.take(run_id=pk, urgency=urgency):
            return lease
    return None
