"""How an alert moves: it ends acknowledged, or goes on escalating."""

from __future__ import annotations

from foundation.transitions import Machine
from worklist.alerts.models import AlertState

RAISED, ESCALATED = AlertState.RAISED.value, AlertState.ESCALATED.value
ACKNOWLEDGED = AlertState.ACKNOWLEDGED.value

ALERT = Machine(
    name="alert",
    table={
        (RAISED, "escalate"): ESCALATED,
        (ESCALATED, "escalate"): ESCALATED,
        (RAISED, "acknowledge"): ACKNOWLEDGED,
        (ESCALATED, "acknowledge"): ACKNOWLEDGED,
    },
    version_field="version",
)
