"""What an unfriendly network may do to the receiver, and that a C-ECHO is answered all the same."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pynetdicom import AE

from pacs.dimse import messages, scu
from pacs.dimse.negotiation import Proposed, negotiate
from pacs.dimse.server import Receiver
from pacs.dimse.wire import ProtocolViolation
from tests.pacs.dimse.conftest import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


def _echo(receiver: Receiver) -> float:
    return scu.echo("127.0.0.1", receiver.port, called_aet="FIRSTREAD", calling_aet="ECHO")


def _connect(receiver: Receiver) -> socket.socket:
    return socket.create_connection(("127.0.0.1", receiver.port), timeout=5)


def _item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(content)) + content


def _request(called: str = "FIRSTREAD", context_id: int = 1) -> bytes:
    context = _item(0x30, CT.encode()) + _item(0x40, EXPLICIT.encode())
    items = (
        _item(0x10, b"1.2.840.10008.3.1.1.1")
        + _item(0x20, bytes([context_id, 0, 0, 0]) + context)
        + _item(0x50, _item(0x51, struct.pack(">L", 16384)))
    )
    body = struct.pack(">HH", 1, 0) + called.ljust(16).encode() + b"ATTACKER".ljust(16) + b"\0" * 32 + items
    return struct.pack(">BxL", 1, len(body)) + body


def _associated(receiver: Receiver) -> socket.socket:
    connection = _connect(receiver)
    connection.sendall(_request())
    assert connection.recv(4096)[0] == 2
    return connection


def _answer(connection: socket.socket) -> bytes:
    """Everything the receiver says until it closes."""
    connection.settimeout(5)
    heard = b""
    try:
        while chunk := connection.recv(4096):
            heard += chunk
    except ConnectionResetError:
        pass
    return heard


def test_a_hundred_silent_connections_do_not_block_an_echo(receiver: Receiver) -> None:
    silent = [_connect(receiver) for _ in range(100)]
    assert _echo(receiver) < 2
    assert wait_until(lambda: receiver.connections <= receiver.limits.pending, 0.8)
    for connection in silent:
        connection.close()


def test_a_silent_connection_is_closed_after_the_artim_time(receiver: Receiver) -> None:
    connection = _connect(receiver)
    began = time.monotonic()
    assert _answer(connection) == b""
    assert 0.5 < time.monotonic() - began < 3


def test_a_connection_that_drips_its_request_is_closed(receiver: Receiver) -> None:
    connection = _connect(receiver)
    request = _request()
    began = time.monotonic()
    with pytest.raises(OSError):
        for byte in request:
            connection.sendall(bytes([byte]))
            time.sleep(0.05)
            if time.monotonic() - began > 10:
                break
    assert time.monotonic() - began < 6


def test_a_pdu_that_claims_four_gigabytes_is_refused_before_anything_is_allocated(receiver: Receiver) -> None:
    connection = _connect(receiver)
    connection.sendall(struct.pack(">BxL", 1, 0xFFFFFFFF))
    assert _answer(connection)[0] == 7
    connection = _associated(receiver)
    connection.sendall(struct.pack(">BxL", 4, 0xFFFFFFF0) + b"\0" * 100)
    assert _answer(connection)[0] == 7
    assert _echo(receiver) < 2


@pytest.mark.parametrize(
    "content",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        struct.pack(">BxL", 4, 10) + b"\0" * 10,
        struct.pack(">BxL", 1, 4) + b"\0" * 4,
        _request(context_id=2),
    ],
    ids=["http", "tls", "data first", "short request", "even context id"],
)
def test_what_is_no_association_request_is_aborted(receiver: Receiver, content: bytes) -> None:
    connection = _connect(receiver)
    connection.sendall(content)
    assert _answer(connection)[:1] == b"\x07"


@pytest.mark.parametrize(
    "values",
    [
        struct.pack(">LBB", 2, 9, 3),
        struct.pack(">LBB", 0, 1, 3),
        struct.pack(">LBB", 5000, 1, 3) + b"\0" * 20,
        b"\0\0",
        struct.pack(">LBB", 6, 1, 2) + b"\0" * 4,
        struct.pack(">LBB", 10, 1, 3) + b"\xff" * 8,
    ],
    ids=["unknown context", "too short", "too long", "cut off", "data set first", "no command"],
)
def test_a_broken_message_aborts_its_association_alone(receiver: Receiver, values: bytes) -> None:
    connection = _associated(receiver)
    connection.sendall(struct.pack(">BxL", 4, len(values)) + values)
    assert _answer(connection)[:1] == b"\x07"
    assert _echo(receiver) < 2


def test_a_command_without_end_is_cut_off(receiver: Receiver) -> None:
    connection = _associated(receiver)
    value = struct.pack(">LBB", 1026, 1, 1) + b"\0" * 1024
    with pytest.raises(OSError):
        for _ in range(1000):
            connection.sendall(struct.pack(">BxL", 4, len(value)) + value)
            time.sleep(0.002)


def test_an_object_that_never_ends_is_stopped_at_the_limit_and_leaves_nothing(
    start_receiver: Callable[..., Receiver], archive: Path
) -> None:
    receiver = start_receiver(maximum_object=100_000)
    connection = _associated(receiver)
    elements = [
        (0x0002, CT.encode() + b"\0"),
        (0x0100, struct.pack("<H", messages.C_STORE_RQ)),
        (0x0110, struct.pack("<H", 7)),
        (0x0800, struct.pack("<H", 0)),
        (0x1000, b"1.2.3.40"),
    ]
    command = b"".join(struct.pack("<HHL", 0, tag, len(value)) + value for tag, value in elements)
    value = struct.pack(">LBB", len(command) + 2, 1, 3) + command
    connection.sendall(struct.pack(">BxL", 4, len(value)) + value)
    for number in range(200):
        value = struct.pack(">LBB", 1026, 1, 2 if number == 199 else 0) + b"\1" * 1024
        connection.sendall(struct.pack(">BxL", 4, len(value)) + value)
    answer = connection.recv(4096)
    assert struct.pack("<HHLH", 0, 0x0900, 2, 0xA700) in answer
    assert [path for path in archive.rglob("*") if path.is_file()] == []


def test_a_sender_that_dies_in_the_middle_leaves_nothing(receiver: Receiver, archive: Path) -> None:
    connection = _associated(receiver)
    elements = [
        (0x0002, CT.encode() + b"\0"),
        (0x0100, struct.pack("<H", messages.C_STORE_RQ)),
        (0x0110, struct.pack("<H", 7)),
        (0x0800, struct.pack("<H", 0)),
        (0x1000, b"1.2.3.40"),
    ]
    command = b"".join(struct.pack("<HHL", 0, tag, len(value)) + value for tag, value in elements)
    value = struct.pack(">LBB", len(command) + 2, 1, 3) + command
    connection.sendall(struct.pack(">BxL", 4, len(value)) + value)
    value = struct.pack(">LBB", 1026, 1, 0) + b"\1" * 1024
    connection.sendall(struct.pack(">BxL", 4, len(value)) + value)
    incoming = archive / "incoming"
    assert wait_until(lambda: incoming.is_dir() and len(list(incoming.iterdir())) == 1)
    connection.close()
    assert wait_until(lambda: list(incoming.iterdir()) == [])


@pytest.mark.parametrize("limit", ["associations", "associations_per_peer"])
def test_idle_associations_give_way_to_a_new_one(start_receiver: Callable[..., Receiver], limit: str) -> None:
    receiver = start_receiver(**{limit: 4})
    entity = AE(ae_title="IDLER")
    entity.add_requested_context("1.2.840.10008.1.1")
    idle = [entity.associate("127.0.0.1", receiver.port, ae_title="FIRSTREAD") for _ in range(4)]
    assert all(association.is_established for association in idle)
    time.sleep(0.3)
    assert _echo(receiver) < 2
    for association in idle:
        association.abort()


def test_explicit_syntaxes_go_before_implicit_ones_in_the_senders_order() -> None:
    proposed = Proposed(1, CT, ("1.2.840.10008.1.2", "1.2.840.10008.1.2.4.90", EXPLICIT))
    assert negotiate(proposed, may_store=True) == (0, "1.2.840.10008.1.2.4.90")
    assert negotiate(proposed, may_store=False)[0] == 1
    assert negotiate(Proposed(1, "1.2.3", (EXPLICIT,)), may_store=True)[0] == 3
    assert negotiate(Proposed(1, CT, ("1.2.840.10008.1.2.1.99",)), may_store=True)[0] == 4


def test_an_unknown_operation_is_answered_as_such(receiver: Receiver) -> None:
    connection = _associated(receiver)
    elements = [
        (0x0100, struct.pack("<H", 0x0020)),
        (0x0110, struct.pack("<H", 7)),
        (0x0800, struct.pack("<H", 0x0101)),
    ]
    command = b"".join(struct.pack("<HHL", 0, tag, len(value)) + value for tag, value in elements)
    value = struct.pack(">LBB", len(command) + 2, 1, 3) + command
    connection.sendall(struct.pack(">BxL", 4, len(value)) + value)
    assert struct.pack("<HHLH", 0, 0x0900, 2, 0x0211) in connection.recv(4096)


def test_a_command_set_that_is_cut_off_is_a_violation() -> None:
    with pytest.raises(ProtocolViolation):
        messages.decode(b"\0\0\0\1\2\0\0\0\1")
