"""Reading multipart/related (RFC 2046 5.1.1, RFC 2387) as it comes, without holding a part in memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

CHUNK: Final = 1024 * 1024
_LONGEST_HEAD: Final = 16 * 1024
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{1,200}")


class Malformed(Exception):
    """The body is no proper multipart; the message says why."""


@dataclass
class PartReader:
    """One part while it is read. `chunks` must be used up before the next part is asked for.

    Attributes:
        headers: lower-case names.
    """

    headers: dict[str, str]
    chunks: Iterator[bytes] = field(repr=False)


def read_parts(read: Callable[[int], bytes], boundary: str) -> Iterator[PartReader]:
    """Parts of a multipart body.

    Args:
        read: gives up to n bytes of the body, b"" at its end.
        boundary: from the Content-Type header, unquoted.

    Raises:
        Malformed: no first boundary, a broken head, or the body ends inside a part.
    """
    if not _BOUNDARY.fullmatch(boundary) or boundary.endswith(" "):
        raise Malformed("The boundary parameter is missing or malformed.")
    body = _Body(read, b"\r\n--" + boundary.encode("ascii"))
    body.skip_preamble()
    while body.next_part():
        part = PartReader(body.head(), body.until_delimiter())
        yield part
        for _ in part.chunks:
            pass


class _Body:
    def __init__(self, read: Callable[[int], bytes], delimiter: bytes) -> None:
        self._read = read
        self._delimiter = delimiter
        self._buffer = bytearray(b"\r\n")  # the first delimiter may stand at the very beginning

    def _fill(self) -> bool:
        chunk = self._read(CHUNK)
        self._buffer += chunk
        return bool(chunk)

    def skip_preamble(self) -> None:
        """Drop everything before the first delimiter and the delimiter itself."""
        for _ in self.until_delimiter("The body does not contain its boundary."):
            pass

    def next_part(self) -> bool:
        """After a delimiter: True when a part follows, False at the closing delimiter."""
        while True:
            end = self._buffer.find(b"\r\n")
            if self._buffer[:2] == b"--":
                return False
            if end >= 0:
                del self._buffer[: end + 2]
                return True
            if len(self._buffer) > _LONGEST_HEAD or not self._fill():
                raise Malformed("The body ends after a boundary.")

    def head(self) -> dict[str, str]:
        """The part's headers."""
        while True:
            if self._buffer[:2] == b"\r\n":
                del self._buffer[:2]
                return {}
            end = self._buffer.find(b"\r\n\r\n")
            if end >= 0:
                break
            if len(self._buffer) > _LONGEST_HEAD or not self._fill():
                raise Malformed("A part has no end of its headers.")
        text = bytes(self._buffer[:end]).decode("latin-1")
        del self._buffer[: end + 4]
        lines = (line.partition(":") for line in text.split("\r\n"))
        return {name.strip().lower(): value.strip() for name, _, value in lines}

    def until_delimiter(self, otherwise: str = "The body ends inside a part.") -> Iterator[bytes]:
        """The bytes before the next delimiter, which is consumed."""
        keep = len(self._delimiter) - 1
        start = 0
        while True:
            found = self._buffer.find(self._delimiter, start)
            if found >= 0:
                if found:
                    yield bytes(self._buffer[:found])
                del self._buffer[: found + len(self._delimiter)]
                return
            ready = len(self._buffer) - keep
            if ready > 0:
                yield bytes(self._buffer[:ready])
                del self._buffer[:ready]
            if not self._fill():
                raise Malformed(otherwise)
