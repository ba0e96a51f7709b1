"""Metadata, whole instances and bulk data."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian

from pacs import storage
from pacs.dicomweb import answers, metadata
from tests.pacs.conftest import encoded, make_dataset, make_study
from tests.pacs.dicomweb.conftest import JSON, address, body_of, parts_of, pydicom_file

DICOM = 'multipart/related; type="application/dicom"'


def test_metadata_holds_every_attribute_but_the_pixels_which_it_names(stored, ask):
    (instance,) = stored(make_dataset(ImageComments="ganz ähnlich"))
    response = ask(address(instance, "/metadata"), accept=JSON)
    (document,) = json.loads(body_of(response))
    assert response["Content-Type"] == JSON
    assert document["00204000"]["Value"] == ["ganz ähnlich"]
    assert document["7FE00010"] == {
        "vr": "OW",
        "BulkDataURI": f"http://testserver{address(instance)}/bulkdata/7FE00010",
    }
    pixels = body_of(ask(document["7FE00010"]["BulkDataURI"].removeprefix("http://testserver")))
    assert pixels == np.arange(256, dtype="<u2").tobytes()


def test_metadata_of_a_series_and_a_study_lists_their_instances_in_order(stored, ask):
    rows = stored(*reversed(make_study(5)))
    study = rows[0].series.study.study_instance_uid
    series = rows[0].series.series_instance_uid
    for path in (f"/studies/{study}/metadata", f"/studies/{study}/series/{series}/metadata"):
        documents = json.loads(body_of(ask(path)))
        assert [document["00200013"]["Value"][0] for document in documents] == [1, 2, 3, 4, 5]


def test_a_large_series_streams_the_same_metadata(stored, ask, monkeypatch):
    rows = stored(*make_study(7))
    path = f"/studies/{rows[0].series.study.study_instance_uid}/metadata"
    whole = body_of(ask(path))
    monkeypatch.setattr(metadata, "WHOLE", 3)
    monkeypatch.setattr(metadata, "BATCH", 2)
    response = ask(path)
    assert response.streaming
    assert body_of(response) == whole


@pytest.mark.parametrize("name", ["test-SR.dcm", "rtplan.dcm"])
def test_an_object_without_pixels_names_none(name, stored, ask):
    (instance,) = stored(pydicom_file(name))
    (document,) = json.loads(body_of(ask(address(instance, "/metadata"))))
    assert "7FE00010" not in document
    assert ask(address(instance, "/frames/1")).status_code == 404
    assert ask(address(instance, "/rendered")).status_code == 404


def test_long_binary_values_are_named_in_metadata_and_served_at_that_address(stored, ask):
    overlay, table = bytes(range(256)) * 8, np.arange(2048, dtype="<u2").tobytes()
    inner = Dataset()
    inner.LUTDescriptor = [2048, 0, 16]
    inner.add_new("LUTData", "OW", table)
    dataset = make_dataset(ModalityLUTSequence=[inner])
    dataset.add_new(0x60003000, "OW", overlay)
    (instance,) = stored(dataset)
    (document,) = json.loads(body_of(ask(address(instance, "/metadata"))))
    nested = document["00283000"]["Value"][0]["00283006"]
    for element, value in ((document["60003000"], overlay), (nested, table)):
        path = element["BulkDataURI"].removeprefix("http://testserver")
        assert body_of(ask(path)) == value
        assert [
            body
            for _, body in parts_of(ask(path, accept='multipart/related; type="application/octet-stream"'))
        ] == [value]
    assert ask(address(instance, "/bulkdata/00104000")).status_code == 404


def test_long_sequences_of_defined_length_are_in_the_metadata(stored, ask):
    frames = []
    for number in range(1500):
        frame, position = Dataset(), Dataset()
        position.ImagePositionPatient = [-100.5, -100.5, number * 1.25]
        frame.PlanePositionSequence = [position]
        frames.append(frame)
    dataset = make_dataset(PerFrameFunctionalGroupsSequence=frames)
    data = encoded(dataset)
    assert len(data) > 70_000
    (instance,) = stored(data)
    (document,) = json.loads(body_of(ask(address(instance, "/metadata"))))
    assert len(document["52009230"]["Value"]) == 1500


@pytest.mark.parametrize(
    "accept", ["*/*", DICOM, f"{DICOM}; transfer-syntax=*", f"application/json, {DICOM}"]
)
def test_a_series_comes_as_parts_byte_equal_to_the_stored_files(accept, stored, ask):
    rows = stored(*make_study(3))
    series = rows[0].series
    path = f"/studies/{series.study.study_instance_uid}/series/{series.series_instance_uid}"
    parts = parts_of(ask(path, accept=accept))
    assert [body for _, body in parts] == [storage.path_of(row).read_bytes() for row in rows]
    assert {kind for kind, _ in parts} == {"application/dicom; transfer-syntax=1.2.840.10008.1.2.1"}


@pytest.mark.parametrize("whole", [600, 2000])  # below and above one file, below all of them
def test_a_large_study_is_streamed_with_its_length_and_the_same_bytes(whole, stored, ask, monkeypatch):
    rows = stored(*make_study(4))
    monkeypatch.setattr(answers, "WHOLE", whole)
    monkeypatch.setattr(answers, "CHUNK", 100)
    response = ask(f"/studies/{rows[0].series.study.study_instance_uid}", accept=DICOM)
    assert response.streaming and response.is_async
    assert int(response["Content-Length"]) == len(body_of(response))
    response = ask(f"/studies/{rows[0].series.study.study_instance_uid}", accept=DICOM)
    assert [body for _, body in parts_of(response)] == [storage.path_of(row).read_bytes() for row in rows]


def test_one_instance_may_come_alone_and_has_no_preamble(stored, ask):
    (instance,) = stored(b"MZ" + b"\x90" * 126 + encoded(make_dataset())[128:])
    response = ask(address(instance), accept="application/dicom")
    assert response["Content-Type"].startswith("application/dicom; transfer-syntax=")
    assert body_of(response)[:132] == b"\0" * 128 + b"DICM"


@pytest.mark.parametrize(
    "name", ["MR_small_jpeg_ls_lossless.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm"]
)
def test_an_instance_is_decoded_for_a_client_that_names_explicit_little_endian(name, stored, ask):
    data = pydicom_file(name)
    (instance,) = stored(data)
    accept = f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.1"
    ((kind, body),) = parts_of(ask(address(instance), accept=accept))
    assert kind.endswith("=1.2.840.10008.1.2.1")
    got, sent = dcmread(io.BytesIO(body)), dcmread(io.BytesIO(data))
    assert np.array_equal(got.pixel_array, sent.pixel_array)
    assert (got.SOPInstanceUID, got.PatientName) == (sent.SOPInstanceUID, sent.PatientName)
    assert sent.file_meta.TransferSyntaxUID != ExplicitVRBigEndian or got.Rows == sent.Rows


@pytest.mark.parametrize(
    "accept",
    ["image/png", f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.4.50", "multipart/related; type=image/jpeg"],
)
def test_what_cannot_be_had_is_406_with_what_can(accept, stored, ask):
    (instance,) = stored(make_dataset())
    response = ask(address(instance), accept=accept)
    assert (response.status_code, response["Content-Type"]) == (406, "application/problem+json")


@pytest.mark.parametrize(
    "accept", ["application/dicom+xml", 'multipart/related; type="application/dicom+xml"']
)
def test_metadata_is_refused_only_to_those_who_want_nothing_but_xml(accept, stored, ask):
    (instance,) = stored(make_dataset())
    assert ask(address(instance, "/metadata"), accept=accept).status_code == 406
    assert ask(address(instance, "/metadata"), accept=f"{accept}, application/dicom+json").status_code == 200


@pytest.mark.parametrize(
    "rest", ["", "/metadata", "/frames/1", "/rendered", "/thumbnail", "/bulkdata/7FE00010"]
)
def test_uids_must_belong_together(rest, stored, ask):
    one, two = stored(make_dataset(), make_dataset(PatientID="P9"))
    path = address(one, rest).replace(
        one.series.study.study_instance_uid, two.series.study.study_instance_uid
    )
    assert ask(path).status_code == 404
