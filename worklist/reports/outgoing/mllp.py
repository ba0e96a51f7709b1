"""HL7 over MLLP (HL7 v2 Transport, Release 1): one connection, one message, one acknowledgement.

Whatever the peer does, this ends: with its answer, or with an error that says what it did, within the
time given. A message may have been taken although no answer came; it goes again under the same control
id, and a receiver that keeps to the standard applies it once.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Final

START, END = b"\x0b", b"\x1c\r"
CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 30.0
LARGEST_ANSWER: Final = 64 * 1024


class NoAnswer(Exception):
    """The peer was not reached, or did not answer in HL7; the message says what it did, no patient text."""


@dataclass(frozen=True)
class Acknowledgement:
    """What MSA says.

    Attributes:
        code: AA, AE, AR or their commit forms CA, CE, CR.
        control_id: of the message it answers.
        text: MSA-3 and ERR-8, for people.
    """

    code: str
    control_id: str
    text: str


@dataclass(frozen=True)
class Peer:
    """Where to send.

    Attributes:
        ca_certificate: PEM of who vouches for the peer; "" for the system's authorities.
    """

    host: str
    port: int
    tls: bool = False
    ca_certificate: str = ""


def send(message: str, peer: Peer, *, answer_seconds: float) -> Acknowledgement:
    """Send a message and wait for its acknowledgement.

    Raises:
        NoAnswer: no connection, no answer in time, or one that is no acknowledgement.
    """
    try:
        with _connected(peer) as connection:
            deadline = time.monotonic() + answer_seconds
            connection.settimeout(answer_seconds)
            connection.sendall(START + message.encode() + END)
            return parse(_answer(connection, deadline))
    except ssl.SSLError as error:
        raise NoAnswer(
            f"{_name(peer)}: no TLS connection ({error.reason or type(error).__name__})."
        ) from None
    except TimeoutError:
        raise NoAnswer(f"{_name(peer)} did not answer in time.") from None
    except OSError as error:
        raise NoAnswer(f"{_name(peer)} is not reached ({error.strerror or type(error).__name__}).") from None


def connect(peer: Peer) -> None:
    """Connects and hangs up; raises NoAnswer as `send` does."""
    try:
        _connected(peer).close()
    except (ssl.SSLError, OSError) as error:
        raise NoAnswer(f"{_name(peer)} is not reached ({type(error).__name__}).") from None


def parse(answer: bytes) -> Acknowledgement:
    """The acknowledgement in an answer; raises NoAnswer when it is none."""
    text = answer.decode("utf-8", errors="replace").strip("\r\n\0 ")
    segments = [segment for segment in re.split(r"[\r\n]+", text) if segment]
    if not segments or not re.fullmatch(r"MSH[^\w\s].*", segments[0], re.DOTALL):
        raise NoAnswer("The answer is not HL7.")
    separator = segments[0][3]
    found = [segment.split(separator) for segment in segments]
    msa = next((fields for fields in found if fields[0] == "MSA"), None)
    if msa is None or len(msa) < 3 or not re.fullmatch(r"[AC][AER]", msa[1]):
        raise NoAnswer("The answer has no acknowledgement (MSA).")
    said = [msa[3] if len(msa) > 3 else ""]
    said += [fields[8] for fields in found if fields[0] == "ERR" and len(fields) > 8]
    return Acknowledgement(code=msa[1], control_id=msa[2], text="; ".join(one for one in said if one))


def _connected(peer: Peer) -> socket.socket:
    connection = socket.create_connection((peer.host, peer.port), timeout=CONNECT_SECONDS)
    if not peer.tls:
        return connection
    try:
        context = ssl.create_default_context(cadata=peer.ca_certificate or None)
        return context.wrap_socket(connection, server_hostname=peer.host)
    except BaseException:
        connection.close()
        raise


def _answer(connection: socket.socket, deadline: float) -> bytes:
    """The first whole block, in however many pieces it comes; what stands before it is skipped."""
    received = b""
    while True:
        begin = received.find(START)
        if begin >= 0 and (end := received.find(END, begin)) >= 0:
            return received[begin + 1 : end]
        if len(received) > LARGEST_ANSWER:
            raise NoAnswer("The answer is far too long for an acknowledgement.")
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        piece = b""
        with contextlib.suppress(ConnectionResetError):
            piece = connection.recv(8192)
        if not piece:
            raise NoAnswer("The peer hung up before it acknowledged.")
        received += piece


def _name(peer: Peer) -> str:
    return f"{peer.host}:{peer.port}"
