"""How an alert moves: it ends acknowledged, or goes on escalating. What was not rung may still ring."""

from __future__ import annotations

from foundation.transitions import Machine
from worklist.alerts.models import AlertState

RAISED, ESCALATED = AlertState.RAISED.value, AlertState.ESCALATED.value
ACKNOWLEDGED, NOT_RUNG = AlertState.ACKNOWLEDGED.value, AlertState.NOT_RUNG.value

ALERT = Machine(
    name="alert",
    table={
        (NOT_RUNG, "ring"): RAISED,
        (RAISED, "escalate"): ESCALATED,
        (ESCALATED, "escalate"): ESCALATED,
        (RAISED, "acknowledge"): ACKNOWLEDGED,
        (ESCALATED, "acknowledge"): ACKNOWLEDGED,
    },
    version_field="version",
)
