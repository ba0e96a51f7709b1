"""Play a simulation, once, by whoever takes its lease."""

from __future__ import annotations

import dataclasses
import time
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db.models import F, Q
from django.utils import timezone

from foundation.transitions import LostRace
from worklist.simulation.comparing import compare
from worklist.simulation.documents import parameters_of, result_document
from worklist.simulation.models import Simulation, SimulationState
from worklist.simulation.orderings import FIRSTREAD, ORDER, ORDERINGS, STRICT, head_start
from worklist.simulation.states import SIMULATION

log = structlog.get_logger(__name__)

LEASE = timedelta(minutes=2)
"""Renewed while it is played; who died is replaced after it."""
MOST_ATTEMPTS = 3
CURVE_POINTS = 41
FRONTIER = tuple(head_start(minutes) for minutes in (30, 60, 120, 180, 240, 360, 480))
PROGRESS_SECONDS = 0.5


class _Superseded(Exception):
    """Somebody else plays this simulation now."""


def play(*, simulation_id: int) -> None:
    """Play a simulation that waits or whose player died; everything else is left as it is."""
    simulation = _take(simulation_id)
    if simulation is None:
        return
    try:
        result = _compare(simulation)
    except _Superseded:
        log.warning("simulation_lease_lost", simulation=simulation_id)
        return
    except ValueError as error:
        end(simulation, "fail", error=str(error)[:300])
        return
    end(simulation, "finish", result=result, progress=1.0)


def free(now: datetime) -> Q:
    """Simulations that anybody may take at that moment."""
    return Q(state=SimulationState.WAITING) | Q(state=SimulationState.RUNNING, lease_until__lte=now)


def _take(simulation_id: int) -> Simulation | None:
    now = timezone.now()
    simulation = Simulation.objects.filter(free(now), pk=simulation_id, attempts__lt=MOST_ATTEMPTS).first()
    if simulation is None:
        return None
    try:
        SIMULATION.apply(
            simulation,
            "take",
            expected={"attempts": simulation.attempts},
            guard=free(now),
            attempts=F("attempts") + 1,
            lease_until=now + LEASE,
        )
    except LostRace:
        return None
    simulation.refresh_from_db()
    return simulation


def _compare(simulation: Simulation) -> dict[str, Any]:
    parameters = parameters_of(simulation.parameters)
    told = time.monotonic()

    def progress(share: float) -> None:
        nonlocal told
        if time.monotonic() - told < PROGRESS_SECONDS:
            return
        told = time.monotonic()
        # The number of the attempt is the fence: who was taken for dead writes nothing any more.
        mine = Simulation.objects.filter(
            pk=simulation.pk, state=SimulationState.RUNNING, attempts=simulation.attempts
        )
        if not mine.update(progress=share, lease_until=timezone.now() + LEASE):
            raise _Superseded

    comparison = compare(
        parameters.department,
        studies=parameters.studies,
        replications=parameters.replications,
        seed=parameters.seed,
        orderings=(*ORDERINGS, *FRONTIER),
        curve_points=CURVE_POINTS,
        progress=progress,
    )
    side_by_side = tuple(o for o in comparison.orderings if o.name in {one.name for one in ORDERINGS})
    frontier_names = {one.name for one in (*FRONTIER, ORDER, STRICT, FIRSTREAD)}
    frontier = tuple(o for o in comparison.orderings if o.name in frontier_names)
    return result_document(dataclasses.replace(comparison, orderings=side_by_side), frontier)


def end(simulation: Simulation, event: str, **values: Any) -> None:
    """The simulation ends, unless somebody else has taken it over."""
    try:
        SIMULATION.apply(
            simulation,
            event,
            expected={"attempts": simulation.attempts},
            finished_at=timezone.now(),
            lease_until=None,
            **values,
        )
    except LostRace:
        log.warning("simulation_lease_lost", simulation=simulation.pk)
