"""The requests OHIF 3.13.2 makes, in its order and its words, from opening a study to saving a measurement."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from django.test import Client
from pydicom import dcmread
from pydicom.uid import generate_uid

from tests.pacs.conftest import encoded, make_dataset, make_study
from tests.pacs.dicomweb.conftest import parts_of, stow_body

FIELDS = "00081030,00080060,00080090,00100030"
JSON = "application/dicom+json, multipart/related; type=application/octet-stream"


@pytest.fixture
def browser(make_user):
    """A signed-in browser with CSRF checks, as the viewer's requests come."""
    made = Client(enforce_csrf_checks=True)
    made.force_login(make_user("radiologist"))
    made.cookies["csrftoken"] = "c" * 32
    return made


def objects():
    """A prior, and a CT with a SEG in a series of its own."""
    prior = make_dataset(StudyDate="20250101", PatientID="OHIF1")
    images = make_study(4, PatientID="OHIF1", StudyDate="20260601", PatientBirthDate="19500101")
    mask = make_dataset(
        StudyInstanceUID=images[0].StudyInstanceUID, PatientID="OHIF1", Modality="SEG", SeriesNumber=9,
        SOPClassUID="1.2.840.10008.5.1.4.1.1.66.4",
    )  # fmt: skip
    return prior, images, mask


@pytest.fixture
def study(stored):
    prior, images, mask = objects()
    stored(prior, *images, mask)
    return prior, images, mask


def test_the_viewer_gets_an_answer_to_every_request_it_makes(browser, study):
    prior, images, mask = study
    uid, first = images[0].StudyInstanceUID, images[0]

    def get(path, accept):
        response = browser.get(f"/dicom-web{path}", headers={"Accept": accept})
        assert response.status_code == 200, (path, response.content)
        return response

    listed = get(
        f"/studies?limit=101&offset=0&fuzzymatching=false&includefield={FIELDS}&StudyInstanceUID={uid}", JSON
    ).json()
    assert [item["0020000D"]["Value"][0] for item in listed] == [uid]
    assert {"00081030", "00080090", "00100030", "00080061", "00201206", "00201208"} <= set(listed[0])
    assert listed[0]["00100030"]["Value"] == ["19500101"]

    priors = get(
        f"/studies?limit=101&offset=0&fuzzymatching=false&includefield={FIELDS}&00100020=OHIF1", JSON
    ).json()
    assert [item["0020000D"]["Value"][0] for item in priors] == [uid, prior.StudyInstanceUID]

    series = get(f"/studies/{uid}/series?includefield=00080021,00080031,0008103E,00200011", JSON).json()
    assert [item["00080060"]["Value"][0] for item in series] == ["CT", "SEG"]
    assert [item["00201209"]["Value"][0] for item in series] == [4, 1]

    metadata = get(f"/studies/{uid}/series/{first.SeriesInstanceUID}/metadata", JSON).json()
    assert [item["00080018"]["Value"][0] for item in metadata] == [image.SOPInstanceUID for image in images]
    for item in metadata:
        assert {"00280010", "00280011", "00280100", "00280103", "0020000D", "00200013", "7FE00010"} <= set(
            item
        )

    for image in images:
        response = get(
            f"/studies/{uid}/series/{image.SeriesInstanceUID}/instances/{image.SOPInstanceUID}/frames/1",
            "multipart/related; type=application/octet-stream; transfer-syntax=*",
        )
        ((kind, body),) = parts_of(response)
        assert kind == "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
        assert np.array_equal(np.frombuffer(body, "<u2").reshape(16, 16), image.pixel_array)

    response = get(
        f"/studies/{uid}/series/{mask.SeriesInstanceUID}/instances/{mask.SOPInstanceUID}",
        'multipart/related; type="application/dicom"',
    )
    ((_, body),) = parts_of(response)
    assert dcmread(io.BytesIO(body)).SOPInstanceUID == mask.SOPInstanceUID

    picture = get(
        f"/studies/{uid}/series/{first.SeriesInstanceUID}/instances/{first.SOPInstanceUID}/thumbnail?accept=image/jpeg",
        "image/jpeg",
    )
    assert picture["Content-Type"] == "image/jpeg"


def test_a_saved_measurement_is_taken_and_found_at_once(browser, study):
    _, images, _ = study
    report = make_dataset(
        StudyInstanceUID=images[0].StudyInstanceUID, PatientID="OHIF1", Modality="SR", SOPInstanceUID=generate_uid(),
        SOPClassUID="1.2.840.10008.5.1.4.1.1.88.34", Rows=None, Columns=None, PixelData=None, BitsAllocated=None,
        BitsStored=None, HighBit=None, PixelRepresentation=None, SamplesPerPixel=None, PhotometricInterpretation=None,
    )  # fmt: skip
    body, kind = stow_body(encoded(report))
    response = browser.post(
        "/dicom-web/studies", body, content_type=kind,
        headers={"X-CSRFToken": "c" * 32, "Accept": "application/dicom+json"},
    )  # fmt: skip
    assert response.status_code == 200, response.content
    found = browser.get(f"/dicom-web/studies/{images[0].StudyInstanceUID}/series?Modality=SR").json()
    assert [item["0020000E"]["Value"][0] for item in found] == [report.SeriesInstanceUID]


def test_the_priors_of_a_patient_without_an_id_are_not_everybodys(browser, study):
    response = browser.get(
        f"/dicom-web/studies?limit=101&offset=0&fuzzymatching=false&includefield={FIELDS}&00100020="
    )
    assert response.json() == []


def test_an_empty_search_is_an_empty_list_with_a_body(browser, db):
    response = browser.get("/dicom-web/studies?StudyInstanceUID=1.2.3", headers={"Accept": JSON})
    assert (response.status_code, json.loads(response.content)) == (200, [])
