"""What workers do for the list."""

from __future__ import annotations

from foundation.queueing import enqueue, task
from worklist.queue import ranking


@task(name="queue.follow_policy", time_limit=300)
def follow_policy() -> None:
    """Rank the open list by the active policy, batch by batch, until nothing is left."""
    if ranking.follow_policy():
        enqueue(follow_policy)
