"""How an alert moves: it ends acknowledged, or goes on escalating. What was not rung may still ring."""

from __future__ import annotations

from foundation.transitions import Machine
from worklist.alerts.models import AlertState, DeliveryState

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

WAITING, SENDING = DeliveryState.WAITING.value, DeliveryState.SENDING.value

# A message: whoever takes its lease sends it; what an answer overtakes is withdrawn.
DELIVERY = Machine(
    name="message of an alert",
    table={
        (WAITING, "take"): SENDING,
        (SENDING, "take"): SENDING,
        (SENDING, "succeed"): DeliveryState.SENT.value,
        (SENDING, "fail"): WAITING,
        (SENDING, "give_up"): DeliveryState.FAILED.value,
        (WAITING, "withdraw"): DeliveryState.WITHDRAWN.value,
        (SENDING, "withdraw"): DeliveryState.WITHDRAWN.value,
    },
)
