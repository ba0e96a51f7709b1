"""A receiver of HL7 over MLLP on a real socket, that behaves as a test says."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType

Behaviour = Callable[[socket.socket, str, "MllpPeer"], None]


class MllpPeer:
    """Listens on a free port; `received` are the messages as they came."""

    def __init__(self, behave: Behaviour | None = None, port: int = 0) -> None:
        self.behave = behave or answers("AA")
        self.received: list[str] = []
        self.stopped = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> MllpPeer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopped.set()
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join(5)
        self._listener.close()

    def _serve(self) -> None:
        while not self.stopped.is_set():
            connection, _ = self._listener.accept()
            with connection:
                message = self._message(connection)
                if message is not None:
                    self.received.append(message)
                    self.behave(connection, message, self)

    def _message(self, connection: socket.socket) -> str | None:
        connection.settimeout(1)
        data = b""
        while b"\x1c\r" not in data:
            try:
                piece = connection.recv(4096)
            except TimeoutError:
                return None
            if not piece or data[:1] not in (b"", b"\x0b"):
                return None
            data += piece
        assert data.startswith(b"\x0b") and data.endswith(b"\x1c\r")
        return data[1:-2].decode("utf-8")


def acknowledgement(code: str, message: str, text: str = "") -> bytes:
    """An ACK to `message`."""
    control = message.split("\r")[0].split("|")[9]
    msa = f"MSA|{code}|{control}" + (f"|{text}" if text else "")
    return f"MSH|^~\\&|RIS|HOSPITAL|FIRSTREAD|SITE|20261124133210||ACK^R01^ACK|9|P|2.5.1\r{msa}\r".encode()


def answers(code: str, text: str = "") -> Behaviour:
    def behave(connection: socket.socket, message: str, peer: MllpPeer) -> None:
        connection.sendall(b"\x0b" + acknowledgement(code, message, text) + b"\x1c\r")

    return behave


def in_pieces(connection: socket.socket, message: str, peer: MllpPeer) -> None:
    """Garbage first, then the acknowledgement in crumbs, its end mark cut in two."""
    for piece in (b"\r\n noise", b"\x0b", *_crumbs(acknowledgement("AA", message)), b"\x1c", b"\r"):
        connection.sendall(piece)
        time.sleep(0.005)


def _crumbs(data: bytes) -> list[bytes]:
    return [data[at : at + 40] for at in range(0, len(data), 40)]


def hangs(connection: socket.socket, message: str, peer: MllpPeer) -> None:
    peer.stopped.wait(10)


def hangs_up(connection: socket.socket, message: str, peer: MllpPeer) -> None:
    connection.sendall(b"\x0bMSH|^~")


def babbles(connection: socket.socket, message: str, peer: MllpPeer) -> None:
    connection.sendall(b"\x0bHTTP/1.1 400 Bad Request\x1c\r")


def floods(connection: socket.socket, message: str, peer: MllpPeer) -> None:
    try:
        for _ in range(100):
            connection.sendall(b"x" * 8192)
    except OSError:
        return


def answers_another(connection: socket.socket, message: str, peer: MllpPeer) -> None:
    connection.sendall(b"\x0b" + b"MSH|^~\\&|A|B|C|D|1||ACK|2|P|2.5.1\rMSA|AA|SOMETHING-ELSE\r" + b"\x1c\r")
