"""Everything that is ever said over `/ws/`: the schema of the protocol, and nothing with patient data.

Server to client: `hello` once, `changed` after every commit, `ping` while it is quiet, `resync` when
the client must read everything anew. Client to server: `since`, to get what it missed.
`seq` is the number of the change: a hole in it tells a client that it missed something.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, ClassVar


class Topic(StrEnum):
    """What a change is about."""

    WORKLIST = "worklist"
    ALERTS = "alerts"
    REPORTS = "reports"
    QUALITY = "quality"
    ROTA = "rota"
    DESK = "desk"


class ProtocolError(ValueError):
    """The client said something that is not in the schema."""


@dataclass(frozen=True)
class ServerMessage:
    """What the server may say."""

    type: ClassVar[str]

    def as_json(self) -> dict[str, Any]:
        """The message as it goes over the wire."""
        return {"type": self.type, **asdict(self)}


@dataclass(frozen=True)
class Hello(ServerMessage):
    """The connection stands; `seq` is the latest change at this moment."""

    type: ClassVar[str] = "hello"
    seq: int


@dataclass(frozen=True)
class Changed(ServerMessage):
    """Row `key` of `topic` is now at `version`; fetch it if you show it."""

    type: ClassVar[str] = "changed"
    topic: Topic
    key: str
    version: int
    seq: int


@dataclass(frozen=True)
class Ping(ServerMessage):
    """Still here; `seq` is the latest change, so that a lost last message is noticed too."""

    type: ClassVar[str] = "ping"
    seq: int


@dataclass(frozen=True)
class Resync(ServerMessage):
    """What was missed is too much or too long ago: read everything anew."""

    type: ClassVar[str] = "resync"


@dataclass(frozen=True)
class Since:
    """The client asks for all changes after `seq`."""

    seq: int


def parse(message: object) -> Since:
    """What a client said; raises ProtocolError for everything that is not in the schema."""
    if not isinstance(message, Mapping) or message.get("type") != "since":
        raise ProtocolError("Only messages of type 'since' are understood.")
    seq = message.get("seq")
    if isinstance(seq, bool) or not isinstance(seq, int) or not 0 <= seq < 2**63:
        raise ProtocolError("'since' needs the number of the last change seen, as 'seq'.")
    return Since(seq=seq)
