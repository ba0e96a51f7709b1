"""Hostile bytes: each is filed or quarantined with a reason, nothing else happens."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

import pytest

from pacs.models import Instance, QuarantinedObject
from pacs.services import Outcome, part10
from tests.pacs.conftest import encoded, make_dataset

pytestmark = pytest.mark.django_db
EXPLICIT = "1.2.840.10008.1.2.1"


def _element(tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    size = len(value) if length is None else length
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    if vr in {b"OB", b"SQ", b"UN", b"UT"}:
        return head + struct.pack("<HL", 0, size) + value
    return head + struct.pack("<H", size) + value


def _file(body: bytes, syntax: str = EXPLICIT) -> bytes:
    return part10.header(sop_class_uid="1.2", sop_instance_uid="1.3", transfer_syntax_uid=syntax) + body


def test_fuzzed_files_are_filed_or_quarantined(store: Callable) -> None:
    source = random.Random(7)
    original = encoded(make_dataset(OtherPatientIDs="X", ImageComments="y" * 50))
    for _ in range(60):
        content = bytearray(original)
        match source.randrange(3):
            case 0:
                del content[source.randrange(len(content)) :]
            case 1:
                for _ in range(source.randrange(1, 20)):
                    content[source.randrange(len(content))] = source.randrange(256)
            case 2:
                at = source.randrange(132, len(content))
                content[at:at] = source.randbytes(source.randrange(1, 40))
        (result,) = store(bytes(content))
        assert result.outcome in {Outcome.STORED, Outcome.DUPLICATE, Outcome.QUARANTINED}
        assert (result.dimse_status == 0) is (result.outcome != Outcome.QUARANTINED)
        if result.outcome == Outcome.QUARANTINED:
            assert result.detail
    assert QuarantinedObject.objects.filter(detail="").count() == 0


@pytest.mark.parametrize(
    "body",
    [
        _element(0x00091001, b"OB", b"x" * 10, length=0xFFFFFFF0),
        _element(0x00091001, b"UN", b"", length=0xFFFFFFFF) * 5,
        _element(0x00081140, b"SQ", b"", length=0xFFFFFFFF)
        + (b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + _element(0x00081140, b"SQ", b"", length=0xFFFFFFFF)) * 3000,
        b"\xff" * 4096,
        _element(0x00080005, b"CS", b"ISO 2022 IR 999\\nonsense\\ISO_IR 6 "),
    ],
    ids=["four gigabytes", "undefined unknown", "deep nesting", "all ones", "unknown charset"],
)
def test_a_crafted_data_set_is_quarantined(store: Callable, body: bytes) -> None:
    (result,) = store(_file(body))
    assert (result.outcome, result.reason) == (Outcome.QUARANTINED, "invalid"), result
    assert Instance.objects.count() == 0


def test_a_private_value_of_four_gigabytes_in_a_good_instance_is_refused(store: Callable) -> None:
    content = encoded(make_dataset(PixelData=None, BitsAllocated=None))
    (result,) = store(content + _element(0x00291010, b"OB", b"x", length=0xF0000000))
    assert result.outcome == Outcome.QUARANTINED


def test_an_unknown_character_set_does_not_lose_the_instance(store: Callable) -> None:
    content = encoded(make_dataset()).replace(b"ISO_IR 192", b"ISO_IR 999")
    assert store(content)[0].outcome == Outcome.STORED


def test_file_meta_information_that_lies_about_its_length_is_quarantined(store: Callable) -> None:
    content = b"\0" * 128 + b"DICM" + struct.pack("<HH2sHL", 2, 1, b"OB", 0, 0xFFFFFFFF) + b"x" * 100
    assert store(content)[0].reason == "not_dicom"
