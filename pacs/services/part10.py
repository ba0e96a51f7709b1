"""DICOM files (PS3.10): reading the file meta information of anybody's, writing our own.

What is stored is always a zeroed preamble, file meta information made here, and the data set byte for
byte as it came. So a file that is also a program (a polyglot preamble) does not survive, and the hash of
the data set is the same whichever way the object came in.
"""

from __future__ import annotations

import hashlib
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from django.conf import settings

PREAMBLE: Final = b"\0" * 128 + b"DICM"
# A UID of our own below the UUID arc (PS3.5 B.2).
IMPLEMENTATION_CLASS_UID: Final = "2.25.288163790117361126412046017126137712541"
IMPLEMENTATION_VERSION_NAME: Final = f"FIRSTREAD_{settings.VERSION}"[:16]
MAXIMUM_META_BYTES: Final = 256 * 1024
CHUNK: Final = 1024 * 1024
_LONG_VRS: Final = {b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"SQ", b"UC", b"UN", b"UR", b"UT", b"SV", b"UV"}


class NotPart10(Exception):
    """The bytes are no DICOM file; the message says why."""


@dataclass(frozen=True)
class FileMeta:
    """What matters of the file meta information, and where the data set begins (bytes)."""

    transfer_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    dataset_offset: int


def read_meta(file: BinaryIO) -> FileMeta:
    """Read the preamble and group 0002 from the start of `file`.

    Raises:
        NotPart10: no DICM prefix, a broken group 0002, or no Transfer Syntax UID.
    """
    if file.read(132)[128:] != b"DICM":
        raise NotPart10("It has no DICM prefix at byte 128.")
    values: dict[int, bytes] = {}
    offset = 132
    while True:
        header = file.read(8)
        if len(header) < 8 or header[:2] != b"\x02\x00":
            break
        element, vr, length = struct.unpack("<2xH2sH", header)
        offset += 8
        if vr in _LONG_VRS:
            extension = file.read(4)
            if len(extension) < 4:
                raise NotPart10("Its file meta information is cut off.")
            length = int.from_bytes(extension, "little")
            offset += 4
        if offset + length > MAXIMUM_META_BYTES:
            raise NotPart10("Its file meta information is implausibly long.")
        value = file.read(length)
        if len(value) < length:
            raise NotPart10("Its file meta information is cut off.")
        values[element] = value
        offset += length
    meta = FileMeta(
        transfer_syntax_uid=_uid(values.get(0x0010)),
        sop_class_uid=_uid(values.get(0x0002)),
        sop_instance_uid=_uid(values.get(0x0003)),
        dataset_offset=offset,
    )
    if not meta.transfer_syntax_uid:
        raise NotPart10("Its file meta information names no transfer syntax.")
    return meta


def header(
    *, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, source_ae_title: str = ""
) -> bytes:
    """Preamble, prefix and file meta information (PS3.10 7.1) for a data set that follows."""
    elements = b"".join(
        [
            _element(0x0001, b"OB", b"\0\1"),
            _element(0x0002, b"UI", sop_class_uid.encode("ascii")),
            _element(0x0003, b"UI", sop_instance_uid.encode("ascii")),
            _element(0x0010, b"UI", transfer_syntax_uid.encode("ascii")),
            _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID.encode("ascii")),
            _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME.encode("ascii")),
            _element(0x0016, b"AE", source_ae_title.encode("ascii", "replace")[:16]),
        ]
    )
    return PREAMBLE + _element(0x0000, b"UL", struct.pack("<L", len(elements))) + elements


def write(target: Path, head: bytes, dataset: BinaryIO) -> tuple[str, int]:
    """Write `head` and the rest of `dataset` to `target`, synced.

    Returns:
        SHA-256 of the data set alone, and the file's size in bytes.
    """
    digest = hashlib.sha256()
    size = len(head)
    with target.open("xb") as file:
        file.write(head)
        while chunk := dataset.read(CHUNK):
            digest.update(chunk)
            file.write(chunk)
            size += len(chunk)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest(), size


def _element(element: int, vr: bytes, value: bytes) -> bytes:
    if len(value) % 2:
        value += b"\0" if vr in {b"UI", b"OB"} else b" "
    if vr == b"OB":
        return struct.pack("<HH2sHL", 0x0002, element, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", 0x0002, element, vr, len(value)) + value


def _uid(value: bytes | None) -> str:
    return (value or b"").rstrip(b"\0 ").decode("ascii", "replace").strip()
