"""Where the frames of a stored instance lie in its file (PS3.5 8, A.4), without decoding a pixel.

Files of the archive never change, so what was found once is remembered.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from pydicom.dataelem import RawDataElement
from pydicom.filereader import data_element_generator
from pydicom.uid import UID, ExplicitVRBigEndian, ImplicitVRLittleEndian

from pacs.services import part10

PIXEL_TAGS: Final = (0x7FE00008, 0x7FE00009, 0x7FE00010)
EXTENDED_OFFSETS: Final = 0x7FE00001
UNDEFINED: Final = 0xFFFFFFFF
_DEFERRED: Final = 4096  # bytes; longer values before the pixels are skipped, not read
_LONG_VRS: Final = frozenset({b"OB", b"OW", b"OF", b"OD", b"UN"})
# Ends of a JPEG, JPEG-LS or JPEG 2000 code stream; a pad byte may follow.
_END_OF_IMAGE: Final = b"\xff\xd9"

Span = tuple[int, int]  # offset in the file and length, bytes


class NoPixels(Exception):
    """The instance has no pixel data."""


class Unsplittable(Exception):
    """Its pixel data cannot be told apart into frames: a video, or fragments without a table."""


@dataclass(frozen=True)
class Layout:
    """Pixel data of one file.

    Attributes:
        vr: OB, OW, OF or OD as written; OW in implicit VR.
        value: the whole value, with encapsulation where there is one.
        frames: for each frame its fragments, without item headers. One span when not encapsulated.
        bits: of one frame when frames of a bit packed image do not begin at bytes, else 0.
        number_of_frames: as the instance says.
    """

    transfer_syntax_uid: str
    vr: str
    value: Span
    frames: tuple[tuple[Span, ...], ...]
    number_of_frames: int
    bits: int = 0

    @property
    def encapsulated(self) -> bool:
        """True when the pixel data is compressed and framed in items."""
        return UID(self.transfer_syntax_uid).is_encapsulated


@lru_cache(maxsize=2048)
def layout_of(path: Path) -> Layout:
    """Find the frames of a stored file.

    Raises:
        NoPixels: there is no pixel data element.
        Unsplittable: it cannot be split into frames.
    """
    with path.open("rb") as file:
        meta = part10.read_meta(file)
        syntax = meta.transfer_syntax_uid
        file.seek(meta.dataset_offset)
        little = syntax != ExplicitVRBigEndian
        numbers, offsets = _describe(file, implicit=syntax == ImplicitVRLittleEndian, little=little)
        vr, length = _element(file, implicit=syntax == ImplicitVRLittleEndian, little=little)
        start = file.tell()
        count = max(1, numbers["frames"])
        if not UID(syntax).is_encapsulated:
            return _native(syntax, vr, (start, length), numbers, count)
        fragments, end = _fragments(file)
        frames = _grouped(file, fragments, count, offsets)
    return Layout(syntax, vr, (start, end - start), frames, count)


def read_frame(path: Path, layout: Layout, index: int) -> bytes:
    """Frame `index` (from 0) as stored, fragments joined; pad bytes stay."""
    if layout.bits:
        return _bit_frame(path, layout, index)
    handle = os.open(path, os.O_RDONLY)
    try:
        return b"".join(os.pread(handle, length, offset) for offset, length in layout.frames[index])
    finally:
        os.close(handle)


def _describe(file: BinaryIO, *, implicit: bool, little: bool) -> tuple[dict[str, int], tuple[int, ...]]:
    """Numbers that size a frame, and the extended offset table; leaves `file` at the pixel element."""
    order = "<" if little else ">"
    shorts = {0x00280002: "samples", 0x00280010: "rows", 0x00280011: "columns", 0x00280100: "allocated"}
    numbers = {"samples": 1, "rows": 0, "columns": 0, "allocated": 0, "frames": 1, "subsampled": 0}
    table: Span | None = None
    found = data_element_generator(
        file,
        implicit,
        little,
        stop_when=lambda tag, vr, length: tag in PIXEL_TAGS,
        defer_size=_DEFERRED,
    )
    for element in found:
        tag = int(element.tag)
        if not isinstance(element, RawDataElement):
            continue
        value = element.value or b""
        if tag in shorts and len(value) >= 2:
            (numbers[shorts[tag]],) = struct.unpack(f"{order}H", value[:2])
        elif tag == 0x00280008:
            digits = value.split(b"\\")[0].strip(b" \0+")
            numbers["frames"] = int(digits) if digits.isdigit() else 1
        elif tag == 0x00280004:
            numbers["subsampled"] = int(value.strip(b" \0") in {b"YBR_FULL_422", b"YBR_PARTIAL_422"})
        elif tag == EXTENDED_OFFSETS:
            table = (element.value_tell, element.length)
    if table is None:
        return numbers, ()
    here = file.tell()
    file.seek(table[0])
    offsets = struct.unpack(f"{order}{table[1] // 8}Q", file.read(table[1] // 8 * 8))
    file.seek(here)
    return numbers, offsets


def _element(file: BinaryIO, *, implicit: bool, little: bool) -> tuple[str, int]:
    """VR and length of the pixel element; leaves `file` at its value."""
    order = "<" if little else ">"
    head = file.read(8)
    if len(head) < 8:
        raise NoPixels
    if implicit:
        return "OW", struct.unpack(f"{order}4xL", head)[0]
    vr = head[4:6]
    if vr not in _LONG_VRS:
        raise NoPixels
    (length,) = struct.unpack(f"{order}L", file.read(4))
    return vr.decode(), length


def _native(syntax: str, vr: str, value: Span, numbers: dict[str, int], count: int) -> Layout:
    start, length = value
    bits = numbers["rows"] * numbers["columns"] * numbers["samples"] * numbers["allocated"]
    if numbers["subsampled"]:
        bits = bits // 3 * 2
    if bits % 8 and count > 1:
        available = min(count, length * 8 // bits)
        return Layout(syntax, vr, value, ((value,),) * available, count, bits)
    size = (bits + 7) // 8
    if size == 0:
        raise Unsplittable
    available = min(count, length // size)
    frames = tuple(((start + index * size, size),) for index in range(available))
    return Layout(syntax, vr, value, frames, count)


def _fragments(file: BinaryIO) -> tuple[list[Span], int]:
    """All items, the first being the basic offset table, and where the value ends."""
    found: list[Span] = []
    while True:
        head = file.read(8)
        if len(head) < 8:
            raise Unsplittable
        group, element, length = struct.unpack("<HHL", head)
        if (group, element) != (0xFFFE, 0xE000) or length == UNDEFINED:
            break
        found.append((file.tell(), length))
        file.seek(length, os.SEEK_CUR)
    if not found:
        raise Unsplittable
    return found, file.tell()


def _grouped(
    file: BinaryIO, items: list[Span], count: int, extended: tuple[int, ...]
) -> tuple[tuple[Span, ...], ...]:
    """Fragments by frame: one each, or by an offset table, or by the ends of their code streams."""
    (table_start, table_length), fragments = items[0], items[1:]
    if count == 1:
        return (tuple(fragments),)
    if len(fragments) == count:
        return tuple((fragment,) for fragment in fragments)
    offsets = extended
    if not offsets and table_length >= 4 * count:
        file.seek(table_start)
        offsets = struct.unpack(f"<{table_length // 4}L", file.read(table_length // 4 * 4))
    if len(offsets) == count and fragments:
        origin = fragments[0][0] - 8
        begins = {fragment[0] - 8 - origin: number for number, fragment in enumerate(fragments)}
        firsts = [begins.get(offset) for offset in offsets]
        if None not in firsts and firsts[0] == 0:
            bounds = [first for first in firsts if first is not None] + [len(fragments)]
            if bounds == sorted(set(bounds)):
                return tuple(tuple(fragments[a:b]) for a, b in pairwise(bounds))
    grouped: list[tuple[Span, ...]] = []
    current: list[Span] = []
    for offset, length in fragments:
        current.append((offset, length))
        file.seek(offset + max(0, length - 4))
        if _END_OF_IMAGE in file.read(min(4, length)):
            grouped.append(tuple(current))
            current = []
    if current or len(grouped) != count:
        raise Unsplittable
    return tuple(grouped)


def _bit_frame(path: Path, layout: Layout, index: int) -> bytes:
    """A frame of one-bit pixels, moved to begin at a byte (PS3.5 8.1.1: least significant bit first)."""
    first = index * layout.bits
    start, _ = layout.value
    with path.open("rb") as file:
        file.seek(start + first // 8)
        data = file.read((first % 8 + layout.bits + 7) // 8)
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
    return np.packbits(bits[first % 8 : first % 8 + layout.bits], bitorder="little").tobytes()
