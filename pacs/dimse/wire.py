"""PDUs on a socket (PS3.8 9.3), read with a blocking thread, a deadline and a cap.

pynetdicom's reactor polls and believes any length a PDU claims; this reader waits in the kernel and
refuses a length before it allocates anything.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Iterator
from enum import IntEnum
from typing import Final

HEADER: Final = struct.Struct(">BxL")
PDV_HEADER: Final = struct.Struct(">LBB")


class Pdu(IntEnum):
    """PDU types, PS3.8 9.3.1."""

    ASSOCIATE_RQ = 1
    ASSOCIATE_AC = 2
    ASSOCIATE_RJ = 3
    DATA = 4
    RELEASE_RQ = 5
    RELEASE_RP = 6
    ABORT = 7


class ConnectionLost(Exception):
    """The peer closed, fell silent, or the network failed."""


class ProtocolViolation(Exception):
    """The peer sent what the protocol or our limits do not allow; the answer is A-ABORT.

    Attributes:
        reason: A-ABORT reason when the source is the UL service provider, PS3.8 9.3.8.
    """

    def __init__(self, message: str, reason: int = 6) -> None:
        super().__init__(message)
        self.reason = reason


class Wire:
    """One connection. Only its own thread reads and writes; `close` may come from any thread."""

    def __init__(self, connection: socket.socket, *, maximum_pdu: int, pdu_timeout: float) -> None:
        self._socket = connection
        self._pdu_timeout = pdu_timeout
        self._maximum_pdu = maximum_pdu
        self._buffer = bytearray()
        self.last_activity = time.monotonic()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read_header(self, *, timeout: float) -> tuple[Pdu, int]:
        """Wait for the next PDU; its type and the length of what follows, unchecked.

        Raises:
            ConnectionLost: nothing came in time, or the peer closed.
            ProtocolViolation: no PDU type.
        """
        head = self.read_body(HEADER.size, timeout=timeout)
        kind, length = HEADER.unpack(head)
        try:
            return Pdu(kind), length
        except ValueError:
            raise ProtocolViolation("This is no DICOM PDU.", reason=1) from None

    def read_body(self, length: int, *, timeout: float | None = None) -> memoryview:
        """The next `length` bytes, valid until the next read; the caller has checked the length."""
        if len(self._buffer) < length:
            self._buffer = bytearray(max(length, 4096))
        view = memoryview(self._buffer)[:length]
        deadline = time.monotonic() + (self._pdu_timeout if timeout is None else timeout)
        received = 0
        while received < length:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise ConnectionLost("The peer fell silent.")
            try:
                self._socket.settimeout(remaining)
                count = self._socket.recv_into(view[received:])
            except OSError as error:
                raise ConnectionLost(type(error).__name__) from None
            if count == 0:
                raise ConnectionLost("The peer closed the connection.")
            received += count
        self.last_activity = time.monotonic()
        return view

    def read_values(self, length: int) -> Iterator[tuple[int, bool, bool, memoryview]]:
        """Presentation data values of a P-DATA-TF: context id, is command, is last, fragment.

        Raises:
            ProtocolViolation: longer than we offered, or lengths that do not add up.
        """
        if length > self._maximum_pdu:
            raise ProtocolViolation(f"A P-DATA-TF of {length} bytes is longer than was agreed.")
        body = self.read_body(length)
        self._acknowledge()
        offset = 0
        while offset < length:
            if length - offset < PDV_HEADER.size:
                raise ProtocolViolation("A presentation data value is cut off.")
            size, context_id, control = PDV_HEADER.unpack_from(body, offset)
            end = offset + 4 + size
            if size < 2 or end > length:
                raise ProtocolViolation("A presentation data value has a wrong length.")
            yield context_id, bool(control & 1), bool(control & 2), body[offset + 6 : end]
            offset = end

    def send(self, content: bytes) -> None:
        """Send a whole PDU; raises ConnectionLost when the peer does not take it."""
        try:
            self._socket.settimeout(self._pdu_timeout)
            self._socket.sendall(content)
        except OSError as error:
            raise ConnectionLost(type(error).__name__) from None
        self.last_activity = time.monotonic()

    def abort(self, *, source: int, reason: int) -> None:
        """Send A-ABORT (PS3.8 9.3.8) if the peer still listens."""
        with contextlib.suppress(ConnectionLost):
            self.send(HEADER.pack(Pdu.ABORT, 4) + bytes([0, 0, source, reason]))

    def finish(self, *, timeout: float) -> None:
        """Say that nothing more comes, and wait for the peer to close: it shall close first (AR-4)."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            deadline = time.monotonic() + timeout
            while (remaining := deadline - time.monotonic()) > 0:
                self._socket.settimeout(remaining)
                if not self._socket.recv(4096):
                    break
        self.close()

    def close(self) -> None:
        """End the connection; a thread that reads from it wakes up."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def interrupt(self) -> None:
        """From another thread: make the connection's own thread stop, which then closes it."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _acknowledge(self) -> None:
        # A sender with Nagle's algorithm on waits for our delayed acknowledgement after each PDU.
        if hasattr(socket, "TCP_QUICKACK"):
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
