"""Group commit: what several associations bring in the same few milliseconds shares one transaction.

Each association waits for its own answer, so a batch is as large as the number of senders that wait; the
cost of a commit (one sync of the database's log, one of the folder) is divided among them.
"""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future

import structlog
from django.db import connection

from pacs.services import statuses
from pacs.services.objects import Outcome, StoreResult
from pacs.services.prepare import Prepared, Rejected
from pacs.services.store import BATCH, commit

log = structlog.get_logger(__name__)

_Waiting = tuple[Prepared | Rejected, "Future[StoreResult]"]


class GroupCommit:
    """One thread that commits for all others."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
        self._thread.start()

    def submit(self, item: Prepared | Rejected) -> Future[StoreResult]:
        """Queue one object; the future is done after the commit that holds it, or after it failed."""
        future: Future[StoreResult] = Future()
        self._queue.put((item, future))
        return future

    def stop(self, timeout: float) -> None:
        """Commit what is queued, then end; waits at most `timeout` seconds."""
        self._queue.put(None)
        self._thread.join(timeout)

    def _run(self) -> None:
        stopping = False
        while not stopping:
            batch: list[_Waiting] = []
            waiting = self._queue.get()
            while True:
                if waiting is None:
                    stopping = True
                    break
                batch.append(waiting)
                if len(batch) >= BATCH or self._queue.empty():
                    break
                waiting = self._queue.get()
            self._commit(batch)
        connection.close()

    def _commit(self, batch: list[_Waiting]) -> None:
        try:
            results = commit([item for item, _ in batch])
        except Exception as error:  # whatever it was, no sender may wait for ever or believe in success
            log.exception("group_commit_failed", instances=len(batch), error=type(error).__name__)
            results = [_failure(item) for item, _ in batch]
        for (_, future), result in zip(batch, results, strict=True):
            future.set_result(result)


def _failure(item: Prepared | Rejected) -> StoreResult:
    return StoreResult(
        outcome=Outcome.REFUSED,
        dimse_status=statuses.PROCESSING_FAILURE,
        name=item.name,
        reason="internal",
        detail="The archive failed. Send it again later.",
    )
