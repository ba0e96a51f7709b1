"""How a simulation moves."""

from __future__ import annotations

from foundation.transitions import Machine
from worklist.simulation.models import SimulationState as S

SIMULATION = Machine(
    "simulation",
    {
        (S.WAITING, "take"): S.RUNNING,
        # Whoever ran it died, and its lease ran out.
        (S.RUNNING, "take"): S.RUNNING,
        (S.RUNNING, "finish"): S.DONE,
        (S.RUNNING, "fail"): S.FAILED,
    },
)
