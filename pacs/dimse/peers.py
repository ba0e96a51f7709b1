"""Which peers may store here."""

from __future__ import annotations

import threading
import time

import structlog
from django.conf import settings
from django.db import DatabaseError, connection

from pacs.models import RemoteNode

log = structlog.get_logger(__name__)

FRESH_SECONDS = 5.0


class Peers:
    """The registered nodes, asked from the database at most every few seconds.

    A database that is down does not keep peers from an answer: the last known list holds.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._may_store: dict[str, bool] = {}
        self._read_at = -FRESH_SECONDS

    def may_store(self, calling_ae_title: str) -> bool:
        """A registered node by its own switch, any other by the site's."""
        with self._lock:
            if time.monotonic() - self._read_at >= FRESH_SECONDS:
                self._read()
            return self._may_store.get(calling_ae_title, bool(settings.DICOM_ACCEPT_UNKNOWN_PEERS))

    def _read(self) -> None:
        self._read_at = time.monotonic()
        found: dict[str, bool] = {}
        try:
            for title, active, may_store in RemoteNode.objects.values_list("ae_title", "active", "may_store"):
                found[title] = found.get(title, False) or (active and may_store)
            self._may_store = found
        except DatabaseError as error:
            log.warning("nodes_not_read", error=type(error).__name__)
        finally:
            if not connection.in_atomic_block:
                connection.close()
