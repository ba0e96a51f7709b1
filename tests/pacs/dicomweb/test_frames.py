"""Frames come as they are stored, or decoded for clients that cannot decode."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_fragments, generate_frames
from pydicom.pixels import pixel_array
from pydicom.uid import CTImageStorage, HTJ2KLossless, JPEG2000Lossless, RLELossless

from tests.pacs.conftest import encoded, make_dataset
from tests.pacs.dicomweb.conftest import FRAME, address, body_of, parts_of, pydicom_file

DECODED = "multipart/related; type=application/octet-stream"

COMPRESSED = [
    ("MR_small_RLE.dcm", "image/dicom-rle"),
    ("SC_rgb_rle_2frame.dcm", "image/dicom-rle"),
    ("SC_rgb_jpeg_dcmtk.dcm", "image/jpeg"),
    ("JPEG-lossy.dcm", "image/jpeg"),
    ("SC_rgb_jpeg_gdcm.dcm", "image/jpeg"),
    ("MR_small_jpeg_ls_lossless.dcm", "image/jls"),
    ("JPEGLSNearLossless_16.dcm", "image/jls"),
    ("MR_small_jp2klossless.dcm", "image/jp2"),
    ("JPEG2000.dcm", "image/jp2"),
    ("examples_ybr_color.dcm", "image/jpeg"),
]


@pytest.mark.parametrize(("name", "kind"), COMPRESSED)
def test_every_compressed_frame_is_byte_equal_to_the_stored_fragment(name, kind, stored, ask):
    data = pydicom_file(name)
    dataset = dcmread(io.BytesIO(data))
    (instance,) = stored(data)
    count = int(dataset.get("NumberOfFrames") or 1)
    wanted = list(generate_frames(dataset.PixelData, number_of_frames=count))
    for number, frame in enumerate(wanted, 1):
        response = ask(address(instance, f"/frames/{number}"), accept=FRAME)
        assert response.status_code == 200
        ((content_type, body),) = parts_of(response)
        assert content_type == f"{kind}; transfer-syntax={dataset.file_meta.TransferSyntaxUID}"
        assert body == frame


@pytest.mark.parametrize(
    "name",
    [
        "MR_small_RLE.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "MR_small_jp2klossless.dcm",
        "SC_rgb_rle_2frame.dcm",
    ],
)
def test_a_client_that_takes_only_octets_gets_the_frame_decoded(name, stored, ask):
    data = pydicom_file(name)
    (instance,) = stored(data)
    for number in range(instance.number_of_frames):
        ((content_type, body),) = parts_of(ask(address(instance, f"/frames/{number + 1}"), accept=DECODED))
        assert content_type == "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
        assert body == pixel_array(io.BytesIO(data), index=number, raw=True).tobytes()


def test_a_frame_of_htj2k_is_named_as_such(stored, ask):
    source = dcmread(io.BytesIO(pydicom_file("MR_small_jp2klossless.dcm")))
    source.file_meta.TransferSyntaxUID = HTJ2KLossless
    (instance,) = stored(encoded(source))
    ((content_type, body),) = parts_of(ask(address(instance, "/frames/1"), accept=FRAME))
    assert content_type == "image/jphc; transfer-syntax=1.2.840.10008.1.2.4.201"
    assert body == next(generate_fragments(source.PixelData[8:]))


@pytest.mark.parametrize("name", ["MR_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm"])
def test_uncompressed_frames_are_little_endian_words_whatever_the_file(name, stored, ask):
    expected = dcmread(io.BytesIO(pydicom_file("MR_small.dcm"))).pixel_array
    (instance,) = stored(pydicom_file(name))
    ((content_type, body),) = parts_of(ask(address(instance, "/frames/1"), accept=FRAME))
    assert content_type == "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
    assert np.array_equal(np.frombuffer(body, "<i2").reshape(expected.shape), expected)


def test_several_frames_come_in_the_order_asked_for(stored, ask):
    pixels = np.arange(5 * 256, dtype="<u2").reshape(5, 256)
    (instance,) = stored(make_dataset(NumberOfFrames="5", PixelData=pixels.tobytes()))
    parts = parts_of(ask(address(instance, "/frames/4,1,2"), accept=FRAME))
    assert [np.frombuffer(body, "<u2")[0] // 256 for _, body in parts] == [3, 0, 1]


@pytest.mark.parametrize("number", ["0", "3", "1,3", "999999"])
def test_a_frame_that_does_not_exist_is_404(number, stored, ask):
    (instance,) = stored(make_dataset(NumberOfFrames="2", PixelData=bytes(1024)))
    response = ask(address(instance, f"/frames/{number}"), accept=FRAME)
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"


def _multi_fragment(kind: str) -> tuple[bytes, list[bytes]]:
    """Two frames of three fragments each, with a table of some kind, or with streams whose end can be seen."""
    ending = b"\xff\xd9" if kind == "none" else b"\0\0"
    frames = [bytes(range(1, 101)) + ending, bytes(range(101, 241)) + ending]
    dataset = make_dataset(NumberOfFrames="2")
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    dataset.PixelData = encapsulate(frames, fragments_per_frame=3, has_bot=kind == "basic")
    dataset["PixelData"].is_undefined_length = True
    if kind == "extended":
        second = sum(8 + len(part) for part in list(generate_fragments(dataset.PixelData[8:]))[:3])
        dataset.ExtendedOffsetTable = struct.pack("<2Q", 0, second)
        dataset.ExtendedOffsetTableLengths = struct.pack("<2Q", *map(len, frames))
    return encoded(dataset), frames


@pytest.mark.parametrize("kind", ["basic", "extended", "none"])
def test_frames_in_several_fragments_are_joined_by_whatever_table_there_is(kind, stored, ask):
    data, frames = _multi_fragment(kind)
    (instance,) = stored(data)
    for number, frame in enumerate(frames, 1):
        ((_, body),) = parts_of(ask(address(instance, f"/frames/{number}"), accept=FRAME))
        assert body == frame


def test_fragments_that_no_table_assigns_to_frames_are_refused_not_guessed(stored, ask):
    dataset = make_dataset(NumberOfFrames="2")
    dataset.file_meta.TransferSyntaxUID = RLELossless
    dataset.PixelData = encapsulate([b"\1" * 30, b"\2" * 30], fragments_per_frame=3, has_bot=False)
    dataset["PixelData"].is_undefined_length = True
    (instance,) = stored(encoded(dataset))
    assert ask(address(instance, "/frames/1"), accept=FRAME).status_code == 406


def test_one_bit_frames_that_begin_inside_a_byte_are_moved_to_its_start(stored, ask):
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 2, (3, 5 * 5), dtype=np.uint8)
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    dataset = make_dataset(
        NumberOfFrames="3",
        Rows=5,
        Columns=5,
        BitsAllocated=1,
        BitsStored=1,
        HighBit=0,
        PixelData=packed + b"\0" * (len(packed) % 2),
    )
    (instance,) = stored(dataset)
    for number in range(3):
        ((_, body),) = parts_of(ask(address(instance, f"/frames/{number + 1}"), accept=FRAME))
        assert np.array_equal(
            np.unpackbits(np.frombuffer(body, np.uint8), bitorder="little")[:25], bits[number]
        )


@pytest.mark.parametrize(
    ("accept", "status", "kind"),
    [
        ("", 200, "image/jls"),
        ("*/*", 200, "image/jls"),
        ('multipart/related; type="image/jls"', 200, "image/jls"),
        ('multipart/related; type="image/jls"; transfer-syntax=1.2.840.10008.1.2.4.80', 200, "image/jls"),
        ('multipart/related; type="image/jp2", multipart/related; type="application/octet-stream"', 200,
         "application/octet-stream"),
        ('multipart/related; type="image/jp2"; transfer-syntax=1.2.840.10008.1.2.4.90', 406, ""),
        ("application/dicom+json", 406, ""),
    ],
)  # fmt: skip
def test_the_frame_comes_in_the_best_form_the_client_takes(accept, status, kind, stored, ask):
    (instance,) = stored(pydicom_file("MR_small_jpeg_ls_lossless.dcm"))
    response = ask(address(instance, "/frames/1"), accept=accept)
    assert response.status_code == status
    if status == 200:
        assert parts_of(response)[0][0].startswith(kind)


@pytest.mark.parametrize("accept", ["image/jls", "application/octet-stream; transfer-syntax=*"])
def test_a_single_part_is_sent_to_clients_that_ask_for_one(accept, stored, ask):
    data = pydicom_file("MR_small_jpeg_ls_lossless.dcm")
    (instance,) = stored(data)
    response = ask(address(instance, "/frames/1"), accept=accept)
    assert response["Content-Type"] == "image/jls; transfer-syntax=1.2.840.10008.1.2.4.80"
    assert body_of(response) == next(generate_frames(dcmread(io.BytesIO(data)).PixelData, number_of_frames=1))


def test_a_frame_the_browser_holds_is_not_sent_again(stored, ask, client, token_headers):
    (instance,) = stored(make_dataset(SOPClassUID=CTImageStorage))
    first = ask(address(instance, "/frames/1"), accept=FRAME)
    assert first["Cache-Control"] == "private, max-age=86400, immutable"
    assert {"Authorization", "Cookie"} <= {name.strip() for name in first["Vary"].split(",")}
    again = client.get(
        address(instance, "/frames/1"),
        headers={"If-None-Match": first["ETag"]},
        **token_headers("radiologist"),
    )
    assert (again.status_code, again.content) == (304, b"")


def test_a_damaged_stream_is_a_problem_document_when_it_must_be_decoded(stored, ask):
    dataset = make_dataset()
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    dataset.PixelData = encapsulate([b"not a code stream at all"])
    dataset["PixelData"].is_undefined_length = True
    (instance,) = stored(encoded(dataset))
    assert ask(address(instance, "/frames/1"), accept=FRAME).status_code == 200
    response = ask(address(instance, "/frames/1"), accept=DECODED)
    assert (response.status_code, response["Content-Type"]) == (406, "application/problem+json")
