"""How a worklist item moves. Version rises with every move, so that open pages see it."""

from __future__ import annotations

from foundation.transitions import Machine
from worklist.queue.models import ItemState

OPEN, CLAIMED, SIGNED = ItemState.OPEN.value, ItemState.CLAIMED.value, ItemState.SIGNED.value

ITEM = Machine(
    name="worklist item",
    table={
        (OPEN, "claim"): CLAIMED,
        (CLAIMED, "claim"): CLAIMED,
        (CLAIMED, "release"): OPEN,
        (CLAIMED, "expire"): OPEN,
        (OPEN, "sign"): SIGNED,
        (CLAIMED, "sign"): SIGNED,
    },
    version_field="version",
)
