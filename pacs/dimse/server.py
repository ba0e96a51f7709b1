"""The DICOM receiver: a listener, a thread for each connection, one thread that commits for all."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import structlog

from pacs.dimse.association import Acceptor
from pacs.dimse.limits import Limits
from pacs.dimse.peers import Peers
from pacs.dimse.wire import Wire
from pacs.services.group import GroupCommit

log = structlog.get_logger(__name__)


class Receiver:
    """Verification and Storage SCP on one address.

    Silent connections cannot shut others out: beyond the limit, the oldest of them is closed for the
    newest. Open associations beyond theirs cost the one that idles longest its place.
    """

    def __init__(self, host: str, port: int, limits: Limits | None = None) -> None:
        """Bind and listen; port 0 takes a free one (see `port`).

        Raises:
            OSError: the address is taken or not this machine's.
        """
        self.limits = limits or Limits()
        self.peers = Peers()
        self.group = GroupCommit()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._open: dict[Acceptor, threading.Thread] = {}
        self._stopping = threading.Event()
        self._accepting = threading.Thread(target=self._accept, name="accept", daemon=True)

    def start(self) -> None:
        """Begin to accept connections; returns at once."""
        self._accepting.start()

    def stop(self, timeout: float = 1.5) -> None:
        """Take no more, finish what is being committed, abort associations; at most `timeout` seconds."""
        deadline = time.monotonic() + timeout
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            waiting = list(self._open.items())
        for acceptor, _ in waiting:
            acceptor.ending = True
            if not acceptor.busy:
                acceptor.wire.interrupt()
        # A message that is being answered may end in peace; the others are cut off.
        for patience in (0.3, 1.0):
            for acceptor, thread in waiting:
                thread.join(max(0.0, min(patience * timeout, deadline - time.monotonic())))
                if thread.is_alive():
                    acceptor.wire.interrupt()
        self.group.stop(max(0.1, deadline - time.monotonic()))

    @property
    def connections(self) -> int:
        """How many are open, associated or not."""
        with self._lock:
            return len(self._open)

    def has_room_for(self, acceptor: Acceptor) -> bool:
        """May this connection become an association? If all places are taken, an idle one is freed."""
        with self._lock:
            established = [other for other in self._open if other.established]
            same_peer = [other for other in established if other.peer == acceptor.peer]
            if len(same_peer) >= self.limits.associations_per_peer:
                return self._evict(same_peer)
            if len(established) >= self.limits.associations:
                return self._evict(established)
        return True

    def _evict(self, candidates: list[Acceptor]) -> bool:
        idle = [other for other in candidates if not other.busy]
        longest = min(idle, key=lambda other: other.wire.last_activity, default=None)
        if longest is None or time.monotonic() - longest.wire.last_activity < self.limits.evict_idle:
            return False
        log.warning("idle_association_evicted", peer=longest.peer)
        longest.ending = True
        longest.wire.interrupt()
        return True

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, address = self._listener.accept()
            except OSError as error:
                if self._stopping.is_set():
                    return
                # Out of file descriptors: make room, then go on.
                log.error("accept_failed", error=type(error).__name__, errno=error.errno)
                self._close_oldest_pending(keep=0)
                time.sleep(0.05)
                continue
            self._close_oldest_pending(keep=self.limits.pending - 1)
            wire = Wire(connection, maximum_pdu=self.limits.maximum_pdu, pdu_timeout=self.limits.pdu)
            acceptor = Acceptor(self, wire, peer=str(address[0]))
            thread = threading.Thread(target=self._run, args=(acceptor,), name="association", daemon=True)
            with self._lock:
                self._open[acceptor] = thread
            thread.start()

    def _run(self, acceptor: Acceptor) -> None:
        try:
            acceptor.run()
        finally:
            with self._lock:
                self._open.pop(acceptor, None)

    def _close_oldest_pending(self, *, keep: int) -> None:
        with self._lock:
            pending = [other for other in self._open if not other.established and not other.ending]
        for acceptor in pending[: max(0, len(pending) - keep)]:
            acceptor.ending = True
            acceptor.wire.interrupt()
