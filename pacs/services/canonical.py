"""Is it the same object in another encoding?

A sender may negotiate another transfer syntax the second time, or a toolkit may add group lengths or
padding. Only objects that collide by UID are ever compared, so this may cost a full read.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset

from pacs.services.header import PARSE_ERRORS
from pacs.services.syntaxes import UNCOMPRESSED

LARGEST_COMPARED: Final = 256 * 1024 * 1024  # bytes; larger objects are the same only by hash


def same_content(first: Path, first_syntax: str, second: Path, second_syntax: str) -> bool:
    """True when two Part 10 files hold the same attributes and pixels.

    Different compressed syntaxes are never the same: lossy ones differ, and decoding to find out is
    not this function's business.
    """
    native = {str(syntax) for syntax in UNCOMPRESSED}
    if first_syntax != second_syntax and not {first_syntax, second_syntax} <= native:
        return False
    if not second.is_file() or max(first.stat().st_size, second.stat().st_size) > LARGEST_COMPARED:
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _digest(first) == _digest(second)
        except PARSE_ERRORS:
            return False


def _digest(path: Path) -> bytes:
    dataset = dcmread(path)
    digest = hashlib.sha256()
    swap = not dataset.original_encoding[1]
    for part in _parts(dataset, swap=swap):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()


def _parts(dataset: Dataset, *, swap: bool) -> Iterable[bytes]:
    """Tags and values in order; group lengths and padding left out, words in little endian."""
    for element in dataset:
        if element.tag.element == 0 or element.tag == 0xFFFCFFFC:
            continue
        yield int(element.tag).to_bytes(4, "little")
        if element.VR == "SQ":
            for item in element.value:
                yield b"item"
                yield from _parts(item, swap=swap)
            yield b"end"
        else:
            yield _value(element.value, words=swap and element.VR == "OW")


def _value(value: Any, *, words: bool) -> bytes:
    if isinstance(value, bytes):
        if words and len(value) % 2 == 0:
            value = np.frombuffer(value, dtype=">u2").astype("<u2").tobytes()
        return value.rstrip(b"\0 ")
    if value is None:
        return b""
    if isinstance(value, str | int | float) or not isinstance(value, Iterable):
        return str(value).rstrip("\0 ").encode("utf-8", "replace")
    return "\\".join(str(item) for item in value).encode("utf-8", "replace")
