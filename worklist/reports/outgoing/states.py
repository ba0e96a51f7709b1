"""How a delivery moves. Sent is sent; what was given up waits for a person."""

from __future__ import annotations

from foundation.transitions import Machine
from worklist.reports.outgoing.models import DeliveryState

WAITING, SENDING, SENT = DeliveryState.WAITING.value, DeliveryState.SENDING.value, DeliveryState.SENT.value
FAILED, DEAD = DeliveryState.FAILED.value, DeliveryState.DEAD.value
DISCARDED = DeliveryState.DISCARDED.value

DELIVERY = Machine(
    name="delivery",
    table={
        (WAITING, "take"): SENDING,
        (FAILED, "take"): SENDING,
        # Only when the lease of whoever sent it ran out.
        (SENDING, "take"): SENDING,
        (SENDING, "succeed"): SENT,
        (SENDING, "fail"): FAILED,
        (SENDING, "give_up"): DEAD,
        (FAILED, "retry"): WAITING,
        (DEAD, "retry"): WAITING,
        (FAILED, "discard"): DISCARDED,
        (DEAD, "discard"): DISCARDED,
    },
)
