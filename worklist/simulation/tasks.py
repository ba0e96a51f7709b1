"""What workers do for simulations."""

from __future__ import annotations

from foundation.queueing import task
from worklist.simulation import playing


@task(name="simulation.play", time_limit=240)
def play(simulation_id: int) -> None:
    """Play one simulation, if nobody else does."""
    playing.play(simulation_id=simulation_id)
