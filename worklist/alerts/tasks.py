"""What workers do for alerts."""

from __future__ import annotations

from foundation.queueing import task
from worklist.alerts import delivering, services


# Shorter than a message's lease: whoever outlived it is killed before somebody else takes over.
@task(name="alerts.send", time_limit=50)
def send(delivery_id: int) -> None:
    """Send one message, if nobody else does; pass its alert on when it was the last hope of its round."""
    delivering.send(delivery_id=delivery_id)
    services.pass_on_unreached()
