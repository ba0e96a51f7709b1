"""DIMSE command sets (PS3.7 E): Implicit VR Little Endian, group 0000."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from pacs.dimse.wire import HEADER, PDV_HEADER, Pdu, ProtocolViolation

C_STORE_RQ: Final = 0x0001
C_ECHO_RQ: Final = 0x0030
C_CANCEL_RQ: Final = 0x0FFF
RESPONSE: Final = 0x8000
NO_DATA_SET: Final = 0x0101
UNRECOGNIZED_OPERATION: Final = 0x0211
_ELEMENT: Final = struct.Struct("<HHL")


@dataclass(frozen=True)
class Command:
    """What matters of a request's command set."""

    field: int
    message_id: int
    has_data_set: bool
    sop_class_uid: str
    sop_instance_uid: str


def decode(content: bytes) -> Command:
    """A request's command set.

    Raises:
        ProtocolViolation: not a command set, or without the elements every request has.
    """
    values: dict[int, bytes] = {}
    offset = 0
    while offset < len(content):
        if len(content) - offset < _ELEMENT.size:
            raise ProtocolViolation("A command set is cut off.")
        group, element, length = _ELEMENT.unpack_from(content, offset)
        offset += _ELEMENT.size
        if group != 0 or offset + length > len(content):
            raise ProtocolViolation("A command set holds what is no command element.")
        values[element] = content[offset : offset + length]
        offset += length
    return Command(
        field=_number(values, 0x0100),
        message_id=_number(values, 0x0110),
        has_data_set=_number(values, 0x0800) != NO_DATA_SET,
        sop_class_uid=_text(values.get(0x0002) or values.get(0x0003)),
        sop_instance_uid=_text(values.get(0x1000)),
    )


def response(command: Command, context_id: int, status: int, comment: str = "") -> bytes:
    """A response without a data set, as a whole P-DATA-TF.

    Args:
        command: the request it answers.
        comment: Error Comment (0000,0902), cut to 64 characters.
    """
    elements = []
    if command.sop_class_uid:
        elements.append(_element(0x0002, _padded(command.sop_class_uid, b"\0")))
    elements += [
        _element(0x0100, struct.pack("<H", command.field | RESPONSE)),
        _element(0x0120, struct.pack("<H", command.message_id)),
        _element(0x0800, struct.pack("<H", NO_DATA_SET)),
        _element(0x0900, struct.pack("<H", status)),
    ]
    if comment:
        elements.append(_element(0x0902, _padded(comment[:64], b" ")))
    if command.sop_instance_uid:
        elements.append(_element(0x1000, _padded(command.sop_instance_uid, b"\0")))
    body = b"".join(elements)
    body = _element(0x0000, struct.pack("<L", len(body))) + body
    value = PDV_HEADER.pack(len(body) + 2, context_id, 0x03) + body
    return HEADER.pack(Pdu.DATA, len(value)) + value


def _element(element: int, value: bytes) -> bytes:
    return _ELEMENT.pack(0, element, len(value)) + value


def _padded(text: str, padding: bytes) -> bytes:
    value = text.encode("ascii", "replace")
    return value + padding if len(value) % 2 else value


def _number(values: dict[int, bytes], element: int) -> int:
    value = values.get(element, b"")
    if len(value) != 2:
        raise ProtocolViolation(f"A command set lacks (0000,{element:04X}).")
    return int.from_bytes(value, "little")


def _text(value: bytes | None) -> str:
    return (value or b"").decode("ascii", "replace").strip("\0 ")
