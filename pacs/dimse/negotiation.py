"""A-ASSOCIATE: what the peer asks for and what it gets (PS3.8 9.3.2 to 9.3.4, annex D)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pynetdicom import AllStoragePresentationContexts
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from pacs.dimse.wire import HEADER, Pdu, ProtocolViolation
from pacs.services.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from pacs.services.syntaxes import ACCEPTED

APPLICATION_CONTEXT: Final = "1.2.840.10008.3.1.1.1"
VERIFICATION: Final = str(Verification)
STORAGE_CLASSES: Final = frozenset(str(context.abstract_syntax) for context in AllStoragePresentationContexts)
IMPLICIT_VR: Final = "1.2.840.10008.1.2"
_ITEM: Final = struct.Struct(">BxH")


@dataclass(frozen=True)
class Proposed:
    """A presentation context as the peer proposes it."""

    context_id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True)
class Request:
    """An A-ASSOCIATE-RQ."""

    protocol_version: int
    called_ae_title: str
    calling_ae_title: str
    application_context: str
    contexts: tuple[Proposed, ...]


@dataclass(frozen=True)
class Context:
    """A presentation context that was agreed on."""

    context_id: int
    abstract_syntax: str
    transfer_syntax: str


@dataclass(frozen=True)
class Rejection:
    """Result, source and reason of an A-ASSOCIATE-RJ, PS3.8 table 9-21."""

    result: int
    source: int
    reason: int

    def encode(self) -> bytes:
        """The PDU."""
        return HEADER.pack(Pdu.ASSOCIATE_RJ, 4) + bytes([0, self.result, self.source, self.reason])


CALLED_AE_NOT_RECOGNISED: Final = Rejection(1, 1, 7)
APPLICATION_CONTEXT_NOT_SUPPORTED: Final = Rejection(1, 1, 2)
PROTOCOL_VERSION_NOT_SUPPORTED: Final = Rejection(1, 2, 2)
LOCAL_LIMIT_EXCEEDED: Final = Rejection(2, 3, 2)


def decode_request(body: bytes) -> Request:
    """An A-ASSOCIATE-RQ from what follows its header.

    Raises:
        ProtocolViolation: lengths do not add up, or context ids are even or used twice.
    """
    if len(body) < 68:
        raise ProtocolViolation("The A-ASSOCIATE-RQ is cut off.")
    (version,) = struct.unpack_from(">H", body)
    application, contexts = "", []
    for kind, content in _items(body[68:]):
        if kind == 0x10:
            application = _text(content)
        elif kind == 0x20:
            contexts.append(_proposed(content))
    ids = [context.context_id for context in contexts]
    if len(set(ids)) != len(ids) or any(number % 2 == 0 for number in ids):
        raise ProtocolViolation("Presentation context ids must be odd and used once.")
    return Request(version, _text(body[4:20]), _text(body[20:36]), application, tuple(contexts))


def negotiate(proposed: Proposed, *, may_store: bool) -> tuple[int, str]:
    """Result (PS3.8 table 9-18: 0, 1, 3 or 4) and transfer syntax for one context.

    The sender's order decides, except that explicit value representations go before implicit ones: in
    them private attributes keep their meaning.
    """
    if proposed.abstract_syntax != VERIFICATION:
        if proposed.abstract_syntax not in STORAGE_CLASSES:
            return 3, ""
        if not may_store:
            return 1, ""
    known = [syntax for syntax in proposed.transfer_syntaxes if syntax in ACCEPTED]
    if not known:
        return 4, ""
    return 0, next((syntax for syntax in known if syntax != IMPLICIT_VR), IMPLICIT_VR)


def answer(request: Request, *, maximum_pdu: int, may_store: bool) -> tuple[bytes, dict[int, Context]]:
    """The A-ASSOCIATE-AC, and the contexts agreed on by id."""
    agreed: dict[int, Context] = {}
    items = [_item(0x10, APPLICATION_CONTEXT.encode())]
    for proposed in request.contexts:
        result, syntax = negotiate(proposed, may_store=may_store)
        if result == 0:
            agreed[proposed.context_id] = Context(proposed.context_id, proposed.abstract_syntax, syntax)
        head = bytes([proposed.context_id, 0, result, 0])
        items.append(_item(0x21, head + _item(0x40, (syntax or IMPLICIT_VR).encode())))
    user = (
        _item(0x51, struct.pack(">L", maximum_pdu))
        + _item(0x52, IMPLEMENTATION_CLASS_UID.encode())
        + _item(0x55, IMPLEMENTATION_VERSION_NAME.encode())
    )
    items.append(_item(0x50, user))
    titles = request.called_ae_title.ljust(16) + request.calling_ae_title.ljust(16)
    body = struct.pack(">HH", 1, 0) + titles.encode("ascii", "replace") + b"\0" * 32 + b"".join(items)
    return HEADER.pack(Pdu.ASSOCIATE_AC, len(body)) + body, agreed


def _proposed(content: bytes) -> Proposed:
    if len(content) < 4:
        raise ProtocolViolation("A presentation context is cut off.")
    abstract, syntaxes = "", []
    for kind, value in _items(content[4:]):
        if kind == 0x30:
            abstract = _text(value)
        elif kind == 0x40:
            syntaxes.append(_text(value))
    return Proposed(content[0], abstract, tuple(syntaxes))


def _items(content: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset < len(content):
        if len(content) - offset < _ITEM.size:
            raise ProtocolViolation("An item of the A-ASSOCIATE-RQ is cut off.")
        kind, length = _ITEM.unpack_from(content, offset)
        offset += _ITEM.size
        if offset + length > len(content):
            raise ProtocolViolation("An item of the A-ASSOCIATE-RQ is longer than the PDU.")
        yield kind, content[offset : offset + length]
        offset += length


def _item(kind: int, content: bytes) -> bytes:
    return _ITEM.pack(kind, len(content)) + content


def _text(value: bytes) -> str:
    return value.decode("ascii", "replace").strip("\0 ")
