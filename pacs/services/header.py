"""What the archive reads from an object: everything before the pixels, defensively.

The bytes come from anybody. Reading never allocates more than the file holds, never inflates, never
follows a length past the end of the file, and turns every fault of the data into InvalidObject.
"""

from __future__ import annotations

import json
import math
import mmap
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import pydicom.config
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

VALID_UID: Final = re.compile(r"[0-9]+(\.[0-9]+)*")
LARGE_VALUE: Final = 64 * 1024  # bytes; longer values stay in the file alone
LARGE_SEQUENCE: Final = 16 * 1024 * 1024  # bytes; per-frame functional groups of long series stay below
INLINE_BINARY: Final = 1024  # bytes; longer binary values stay in the file alone
UNDEFINED: Final = 0xFFFFFFFF
BINARY_VRS: Final = frozenset({"OB", "OW", "OF", "OD", "OL", "OV", "UN", "OB or OW"})
LONG_VRS: Final = frozenset({"OB", "OW", "OF", "OD", "OL", "OV", "SQ", "UC", "UN", "UR", "UT", "SV", "UV"})
# What pydicom raises on hostile input, found by fuzzing.
PARSE_ERRORS: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BytesLengthException,
    EOFError,
    InvalidDicomError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)

# Values that break a VR's rules are common in the field; they are kept as they came.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE


class InvalidObject(Exception):
    """The object cannot be filed. The message says what is wrong, without patient text."""


@dataclass(frozen=True)
class Header:
    """An instance's attributes without bulk data.

    Attributes:
        json: DICOM JSON model (PS3.18 F), text in Unicode, bulk data left out.
    """

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    transfer_syntax_uid: str
    json: dict[str, Any]

    def text(self, tag: str, limit: int = 255) -> str:
        """First value of a text attribute by its eight hex digits, cut to `limit` characters."""
        value = self._first(tag)
        return "" if value is None else str(value).strip()[:limit]

    def name(self, tag: str) -> str:
        """A person name with its component groups joined by `=`."""
        value = self._first(tag)
        if not isinstance(value, dict):
            return ""
        groups = [str(value.get(group, "")) for group in ("Alphabetic", "Ideographic", "Phonetic")]
        return "=".join(groups).rstrip("=")[:324]

    def number(self, tag: str, *, minimum: int = -(2**31), maximum: int = 2**31 - 1) -> int | None:
        """First value of an integer attribute, or None when absent, malformed or out of range."""
        value = self._first(tag)
        try:
            number = int(value)
        except (TypeError, ValueError, OverflowError):
            return None
        return number if minimum <= number <= maximum else None

    def packed(self) -> bytes:
        """zlib of the JSON, as Instance.metadata keeps it."""
        return zlib.compress(json.dumps(self.json, ensure_ascii=False, separators=(",", ":")).encode(), 3)

    def _first(self, tag: str) -> Any:
        values = self.json.get(tag, {}).get("Value") or [None]
        return values[0]


def read_header(path: Path, *, offset: int, transfer_syntax_uid: str) -> Header:
    """Read the data set that begins at byte `offset` of the file, up to its pixels, and check it.

    Raises:
        InvalidObject: unreadable, cut off, or without valid SOP, series and study UIDs.
    """
    if transfer_syntax_uid == DeflatedExplicitVRLittleEndian:
        raise InvalidObject("Deflated data sets are not taken: send it without deflate.")
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
                view.seek(offset)
                dataset, has_pixels = _read(view, transfer_syntax_uid)
                content = _to_json(dataset)
        except PARSE_ERRORS as error:
            raise InvalidObject(f"The data set cannot be read ({type(error).__name__}).") from error
    header = _checked(content, transfer_syntax_uid)
    if not has_pixels and _is_image(header):
        raise InvalidObject("It is an image without pixel data, perhaps cut off.")
    return header


def _is_image(header: Header) -> bool:
    """An image by its class or its pixel description, unless its pixels lie elsewhere (PS3.3 C.7.6.3)."""
    if "00287FE0" in header.json:
        return False
    return "Image Storage" in UID(header.sop_class_uid).name or "00280100" in header.json


def _read(view: mmap.mmap, transfer_syntax_uid: str) -> tuple[Dataset, bool]:
    """The data set before its pixels, and whether pixels follow."""
    implicit = transfer_syntax_uid == ImplicitVRLittleEndian
    little = transfer_syntax_uid != ExplicitVRBigEndian
    dataset = read_dataset(
        cast(BinaryIO, view),
        implicit,
        little,
        stop_when=lambda tag, vr, length: tag in {0x7FE00008, 0x7FE00009, 0x7FE00010},
        defer_size=LARGE_VALUE,
    )
    size = len(view)
    for element in dataset.values():
        if (
            isinstance(element, RawDataElement)
            and element.length != UNDEFINED
            and element.value_tell + element.length > size
        ):
            raise InvalidObject("The data set is cut off.")
    remaining = size - view.tell()
    if 0 < remaining < 8:
        raise InvalidObject("The data set is cut off.")
    if remaining:
        _check_pixels(view, implicit=implicit, little=little)
    _load_sequences(view, dataset)
    return dataset, remaining > 0


def _load_sequences(view: mmap.mmap, dataset: Dataset) -> None:
    """Read the long sequences that were skipped: viewers need them, other long values not."""
    for tag, raw in list(dataset.items()):
        if (
            isinstance(raw, RawDataElement)
            and raw.value is None
            and LARGE_VALUE < raw.length <= LARGE_SEQUENCE
            and _vr(raw) == "SQ"
        ):
            view.seek(raw.value_tell)
            dataset._dict[tag] = raw._replace(value=view.read(raw.length))


def _check_pixels(view: mmap.mmap, *, implicit: bool, little: bool) -> None:
    """The pixel element, and each fragment when encapsulated, must end within the file (PS3.5 A.4)."""
    order = "<" if little else ">"
    head = view.read(8)
    if implicit:
        (length,) = struct.unpack(f"{order}4xL", head)
    elif head[4:6].decode("latin-1") in LONG_VRS:
        (length,) = struct.unpack(f"{order}L", view.read(4))
    else:
        raise InvalidObject("The pixel data element has an impossible value representation.")
    if length != UNDEFINED:
        if view.tell() + length > len(view):
            raise InvalidObject("The pixel data is cut off.")
        return
    while True:
        item = view.read(8)
        if len(item) < 8:
            raise InvalidObject("The pixel data is cut off.")
        group, element, length = struct.unpack(f"{order}HHL", item)
        if (group, element) == (0xFFFE, 0xE0DD):
            return
        if (group, element) != (0xFFFE, 0xE000) or view.tell() + length > len(view):
            raise InvalidObject("The pixel data is cut off or not made of items.")
        view.seek(length, 1)


def _checked(content: dict[str, Any], transfer_syntax_uid: str) -> Header:
    uids: dict[str, str] = {}
    for tag, name in (
        ("00080016", "SOP Class UID"),
        ("00080018", "SOP Instance UID"),
        ("0020000D", "Study Instance UID"),
        ("0020000E", "Series Instance UID"),
    ):
        values = content.get(tag, {}).get("Value") or [""]
        uid = str(values[0]).strip()
        if not uid:
            raise InvalidObject(f"{name} is missing.")
        if len(values) != 1 or len(uid) > 64 or not VALID_UID.fullmatch(uid):
            raise InvalidObject(f"{name} is no valid UID.")
        uids[tag] = uid
    header = Header(
        sop_class_uid=uids["00080016"],
        sop_instance_uid=uids["00080018"],
        series_instance_uid=uids["0020000E"],
        study_instance_uid=uids["0020000D"],
        transfer_syntax_uid=transfer_syntax_uid,
        json=content,
    )
    for tag, name in (("00100020", "Patient ID"), ("00100021", "Issuer of Patient ID")):
        if len(header.text(tag, 10_000)) > 64:
            raise InvalidObject(f"{name} is longer than 64 characters.")
    return header


def _to_json(dataset: Dataset) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for tag, element in _elements(dataset):
        converted = (
            _left_out(_vr(element)) if isinstance(element, RawDataElement) else _element_to_json(element)
        )
        if converted is not None:
            content[f"{tag:08X}"] = converted
    if "00080005" in content:
        # PS3.18 F.2: JSON is UTF-8, whatever the character set of the file.
        content["00080005"] = {"vr": "CS", "Value": ["ISO_IR 192"]}
    return content


def _elements(dataset: Dataset) -> Iterator[tuple[int, DataElement | RawDataElement]]:
    """Elements in order; raw ones are those whose value was not read."""
    for tag, raw in sorted(dataset.items(), key=lambda entry: entry[0]):
        if tag.element == 0 or tag == 0xFFFCFFFC:
            continue  # group lengths and trailing padding say nothing
        if isinstance(raw, RawDataElement) and raw.value is None and raw.length > LARGE_VALUE:
            yield int(tag), raw
            continue
        try:
            yield int(tag), dataset[tag]
        except PARSE_ERRORS:
            continue  # one malformed value does not hide the others; the file keeps it as it came


def _element_to_json(element: DataElement) -> dict[str, Any] | None:
    if element.VR == "SQ":
        return {"vr": "SQ", "Value": [_to_json(item) for item in element.value]}
    if element.VR in BINARY_VRS and len(element.value or b"") > INLINE_BINARY:
        return _left_out(element.VR)
    try:
        converted = element.to_json_dict(None, INLINE_BINARY)
    except PARSE_ERRORS:
        return None
    return cast(dict[str, Any], _clean(converted))


def _left_out(vr: str) -> dict[str, Any] | None:
    """A value that stays in the file: its address (PS3.18 F.2.6) is filled in when the JSON is served."""
    return None if vr == "SQ" else {"vr": vr[:2], "BulkDataURI": ""}


def _vr(raw: RawDataElement) -> str:
    if raw.VR is not None:
        return raw.VR
    try:
        return dictionary_VR(raw.tag)
    except KeyError:
        return "UN"


def _clean(value: Any) -> Any:
    """Without what a JSON column cannot hold: NUL, lone surrogates, NaN and infinities."""
    if isinstance(value, str):
        if "\0" in value:
            value = value.replace("\0", "")
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    if isinstance(value, int | bool) or value is None:
        return value
    return str(value)
