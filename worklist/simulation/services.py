"""Ask for a simulation; wake the workers for those that the broker forgot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from foundation.accounts.models import User
from foundation.audit import services as audit
from foundation.queueing import enqueue
from worklist.simulation import tasks
from worklist.simulation.documents import as_document, parameters_of
from worklist.simulation.models import Simulation, SimulationState
from worklist.simulation.playing import LEASE, MOST_ATTEMPTS, end, free

MOST_UNFINISHED = 3
"""Of one person: a worker has other work too."""


class TooMany(ValueError):
    """The person already has as many unfinished simulations as one may have."""


def request_simulation(
    *, name: str, parameters: Mapping[str, Any], by: User, request: HttpRequest | None = None
) -> Simulation:
    """Write down what is to be played, and wake a worker.

    Raises:
        ValueError: parameters that cannot be, and what would do.
        TooMany: the person's others must end first.
    """
    checked = as_document(parameters_of(parameters))
    unfinished = (SimulationState.WAITING, SimulationState.RUNNING)
    if Simulation.objects.filter(requested_by=by, state__in=unfinished).count() >= MOST_UNFINISHED:
        raise TooMany(f"{MOST_UNFINISHED} simulations of yours are not finished yet. Wait for one to end.")
    simulation = Simulation.objects.create(name=name.strip(), parameters=checked, requested_by=by)
    audit.record(
        audit.Kind.APPLICATION_ACTIVITY,
        action="C",
        user=by,
        request=request,
        detail={"what": "simulation", "simulation": simulation.pk},
    )
    enqueue(tasks.play, simulation.pk)
    return simulation


def wake_waiting() -> int:
    """Queue what the broker forgot and what a dead worker left; give up what killed its workers."""
    now = timezone.now()
    woken = 0
    for simulation in Simulation.objects.filter(free(now)).order_by("pk")[:20]:
        if simulation.attempts >= MOST_ATTEMPTS:
            end(simulation, "fail", error="It ended its worker each time. Ask for fewer studies.")
        elif simulation.state == SimulationState.RUNNING or now - simulation.created_at > LEASE:
            enqueue(tasks.play, simulation.pk)
            woken += 1
    return woken
