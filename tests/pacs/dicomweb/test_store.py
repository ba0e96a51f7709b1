"""STOW-RS: what is answered as stored can be had again byte for byte."""

from __future__ import annotations

import io
import json

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.uid import generate_uid

from foundation.audit.models import AuditEvent
from pacs import storage
from pacs.dicomweb.parts import Malformed, read_parts
from pacs.models import Instance, QuarantinedObject, Study
from tests.pacs.conftest import encoded, make_dataset, make_study
from tests.pacs.dicomweb.conftest import address, parts_of, stow_body


@pytest.fixture
def stow(client, token_headers):
    def go(*objects, path="/studies", role="service", body=None, kind=None):
        made, content_type = stow_body(*objects)
        return client.post(
            f"/dicom-web{path}", body if body is not None else made, content_type=kind or content_type,
            **token_headers(role),
        )  # fmt: skip

    return go


def incoming():
    folder = storage.root() / "incoming"
    return list(folder.iterdir()) if folder.is_dir() else []


def dataset_bytes(part10):
    file = io.BytesIO(part10)
    from pacs.services.part10 import read_meta

    return part10[read_meta(file).dataset_offset :]


def test_what_is_stowed_can_be_retrieved_byte_for_byte(stow, ask):
    sent = [encoded(dataset) for dataset in make_study(3)]
    response = stow(*sent)
    assert (response.status_code, response["Content-Type"]) == (200, "application/dicom+json")
    answer = response.json()
    assert len(answer["00081199"]["Value"]) == 3 and "00081198" not in answer
    path = answer["00081190"]["Value"][0].removeprefix("http://testserver")
    parts = parts_of(ask(path, accept='multipart/related; type="application/dicom"'))
    assert [dataset_bytes(body) for _, body in parts] == [dataset_bytes(data) for data in sent]
    assert incoming() == []
    assert Study.objects.get().source == "stow"


def test_the_same_object_twice_is_success_and_one_row(stow):
    data = encoded(make_dataset())
    assert stow(data).status_code == 200
    assert stow(data, data).status_code == 200
    assert Instance.objects.count() == 1


def test_some_stored_is_202_and_each_failure_has_its_reason(stow):
    good, bad = encoded(make_dataset()), encoded(make_dataset(PatientName="X"))
    uid = dcmread(io.BytesIO(good)).SOPInstanceUID
    other = make_dataset(SOPInstanceUID=uid, PatientName="Somebody^Else")
    response = stow(good, encoded(other), b"no dicom at all", bad)
    answer = response.json()
    assert response.status_code == 202
    assert len(answer["00081199"]["Value"]) == 2
    reasons = [item["00081197"]["Value"][0] for item in answer["00081198"]["Value"]]
    assert reasons == [0xC111, 0xC000]
    assert answer["00081198"]["Value"][0]["00081155"]["Value"] == [uid]
    assert QuarantinedObject.objects.count() == 2


def test_nothing_stored_is_409(stow):
    response = stow(b"no dicom at all")
    assert response.status_code == 409
    assert "00081199" not in response.json()


def test_a_study_address_takes_only_its_own_study(stow):
    mine, other = make_dataset(), make_dataset()
    response = stow(encoded(mine), encoded(other), path=f"/studies/{mine.StudyInstanceUID}")
    answer = response.json()
    assert response.status_code == 202
    assert answer["00081198"]["Value"][0]["00081155"]["Value"] == [other.SOPInstanceUID]
    assert Instance.objects.count() == 1 and QuarantinedObject.objects.count() == 0
    assert incoming() == []


def test_a_body_cut_off_stores_the_whole_parts_and_says_that_more_was_meant(stow):
    body, _ = stow_body(encoded(make_dataset()), encoded(make_dataset()))
    response = stow(body=body[:-300])
    assert response.status_code == 202
    assert len(response.json()["00081199"]["Value"]) == 1
    assert Instance.objects.count() == 1
    assert incoming() == []


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", None, 415),
        (b"junk", None, 400),
        (b"junk", 'multipart/related; type="application/dicom"', 400),
        (b"junk", "application/json", 415),
        (b"junk", 'multipart/related; type="application/dicom+json"; boundary=x', 415),
    ],
)
def test_a_request_that_is_no_stow_is_a_problem_document(body, kind, status, stow, db):
    response = stow(body=body, kind=kind)
    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json")


def test_a_full_disk_takes_nothing(stow, settings):
    settings.MINIMUM_FREE_DISK_MB = 10**9
    assert stow(encoded(make_dataset())).status_code == 507
    assert Instance.objects.count() == 0


def test_a_session_needs_its_csrf_token_to_store(make_user):
    user = make_user("radiologist")
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(user)
    body, kind = stow_body(encoded(make_dataset()))
    refused = browser.post("/dicom-web/studies", body, content_type=kind)
    assert (refused.status_code, refused["Content-Type"]) == (403, "application/problem+json")
    browser.cookies["csrftoken"] = "a" * 32
    taken = browser.post("/dicom-web/studies", body, content_type=kind, headers={"X-CSRFToken": "a" * 32})
    assert taken.status_code == 200


@pytest.mark.parametrize(
    ("role", "status"),
    [
        ("radiologist", 200),
        ("pacs_administrator", 200),
        ("service", 200),
        ("qa_reviewer", 403),
        ("er_staff", 403),
    ],
)
def test_only_those_who_bring_objects_may_store(role, status, stow):
    assert stow(encoded(make_dataset()), role=role).status_code == status


def test_storing_is_in_the_audit_trail_with_the_user(stow):
    dataset = make_dataset(StudyInstanceUID=generate_uid())
    stow(encoded(dataset))
    event = AuditEvent.objects.get(kind="110104")
    assert (event.study_instance_uid, event.action, event.channel) == (
        dataset.StudyInstanceUID,
        "C",
        "dicomweb",
    )
    assert event.username.startswith("service")


def test_the_retrieve_address_of_each_instance_works(stow, ask):
    response = stow(encoded(make_dataset()))
    item = response.json()["00081199"]["Value"][0]
    path = item["00081190"]["Value"][0].removeprefix("http://testserver")
    assert path == address(Instance.objects.select_related("series__study").get())
    assert json.loads(ask(path + "/metadata").content)


BYTES = st.lists(
    st.sampled_from([b"\r", b"\n", b"-", b"x", b"--XX", b"\r\n--X", b"\r\n--XX"[:-1]]), max_size=12
).map(b"".join)


@given(
    parts=st.lists(BYTES, max_size=4), size=st.integers(1, 9), preamble=st.sampled_from([b"", b"hello\r\n"])
)
def test_parts_are_read_the_same_however_the_body_is_cut_into_reads(parts, size, preamble):
    clean = [
        part
        for part in parts
        if b"\r\n--XX" not in b"\r\n" + part and b"\r\n--XX" not in part + b"\r\n--XX"[:-1]
    ]
    body = (
        preamble
        + b"".join(b"--XX\r\nContent-Type: a/b\r\n\r\n" + part + b"\r\n" for part in clean)
        + b"--XX--"
    )
    stream = io.BytesIO(body)
    found = [
        (part.headers["content-type"], b"".join(part.chunks))
        for part in read_parts(lambda _: stream.read(size), "XX")
    ]
    assert found == [("a/b", part) for part in clean]


@given(body=st.binary(max_size=200) | BYTES)
def test_any_body_is_read_or_refused_and_never_hangs(body):
    stream = io.BytesIO(body)
    try:
        for part in read_parts(stream.read, "XX"):
            list(part.chunks)
    except Malformed:
        pass
