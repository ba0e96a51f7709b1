"""The archive browser, quarantine and nodes over the API."""

from __future__ import annotations

import socket

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from foundation.audit import services as audit
from foundation.audit.models import AuditEvent
from pacs.models import Instance, QuarantinedObject, RemoteNode, Study
from tests.pacs.conftest import make_dataset, make_study


@pytest.fixture
def api(client, token_headers, monkeypatch):
    monkeypatch.setattr(audit, "_recent", audit._Recent())
    known = {}

    def go(method, path, role="pacs_administrator", **parameters):
        if role not in known:
            known[role] = token_headers(role)
        return getattr(client, method)(f"/api{path}", parameters, **known[role])

    return go


def names(response):
    assert response.status_code == 200, response.content
    return [study["patient"]["name"] for study in response.json()["results"]]


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("", ["Doe^John", "Müller^Jürgen"]),
        ("MÜLLER", ["Müller^Jürgen"]),
        ("john doe", ["Doe^John"]),
        ("p7", ["Doe^John"]),
        ("ACC-2", ["Doe^John"]),
        ("knee", ["Doe^John"]),
        ("john head", []),
        (".*", []),
        ("\x00", ["Doe^John", "Müller^Jürgen"]),
    ],
)
def test_studies_are_found_by_any_of_their_words(search, expected, store, api, db):
    store(make_dataset(AccessionNumber="ACC-1"))
    store(
        make_dataset(PatientName="Doe^John", PatientID="P7", AccessionNumber="ACC-2", StudyDescription="Knee")
    )
    assert names(api("get", "/studies/", search=search)) == expected


def test_a_study_is_shown_with_its_series(store, api, db):
    store(*make_study(3, PatientAge="071Y"))
    uid = Study.objects.get().study_instance_uid
    study = api("get", f"/studies/{uid}/").json()
    assert study["patient"] == {
        "id": "P1", "name": "Müller^Jürgen", "birth_date": "1950-01-01", "age": "71 Y", "sex": "M",
    }  # fmt: skip
    assert (study["study_date"], study["modalities"], study["number_of_instances"]) == (
        "2026-01-02",
        ["CT"],
        3,
    )
    assert study["series"][0]["number_of_instances"] == 3 and study["series"][0]["derived"] is False
    assert AuditEvent.objects.get(study_instance_uid=uid, kind="110110").patient_id == "P1"
    assert api("get", "/studies/1.2.3/").status_code == 404


def test_a_page_of_studies_takes_the_same_number_of_queries_however_long_it_is(store, api, db):
    def queries():
        api("get", "/studies/")
        with CaptureQueriesContext(connection) as captured:
            api("get", "/studies/")
        return len(captured)

    store(make_dataset())
    first = queries()
    for number in range(10):
        store(make_dataset(PatientID=f"Q{number}"))
    assert queries() == first


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/studies/", {"radiologist", "qa_reviewer", "pacs_administrator", "service"}),
        ("/quarantine/", {"pacs_administrator"}),
        ("/nodes/", {"pacs_administrator"}),
    ],
)
def test_lists_are_for_those_who_work_with_them(path, allowed, api, client, db):
    for role in ("radiologist", "qa_reviewer", "pacs_administrator", "service", "er_staff"):
        assert api("get", path, role=role).status_code == (200 if role in allowed else 403), role
    response = client.get(f"/api{path}")
    assert (response.status_code, response["Content-Type"]) == (401, "application/problem+json")


@pytest.fixture
def conflict(store, db):
    """A quarantined object: the same UID with other content."""
    first = make_dataset()
    store(first)
    store(make_dataset(SOPInstanceUID=first.SOPInstanceUID, StudyDescription="Other"))
    return QuarantinedObject.objects.get()


def test_a_quarantined_object_is_listed_and_can_be_discarded_once(conflict, api):
    (row,) = api("get", "/quarantine/").json()["results"]
    assert (row["id"], row["reason"], row["source"]) == (str(conflict.pk), "uid_conflict", "TEST")
    answer = api("post", f"/quarantine/{conflict.pk}/discard/")
    assert (answer.status_code, answer.json()["resolved_at"] is None) == (200, False)
    assert api("post", f"/quarantine/{conflict.pk}/discard/").status_code == 409
    assert api("post", f"/quarantine/{conflict.pk}/release/").status_code == 409
    assert api("get", "/quarantine/").json()["count"] == 0
    assert api("get", "/quarantine/", resolved="true").json()["count"] == 1


def test_a_release_files_the_object_when_nothing_stands_in_its_way_any_more(conflict, api):
    still = api("post", f"/quarantine/{conflict.pk}/release/").json()
    assert (still["outcome"], still["reason"]) == ("quarantined", "uid_conflict")
    Instance.objects.all().delete()
    assert api("post", f"/quarantine/{conflict.pk}/release/").json()["outcome"] == "stored"
    assert api("get", "/quarantine/").json()["count"] == 0


@pytest.mark.parametrize("action", ["discard", "release"])
def test_only_an_administrator_decides(action, conflict, api):
    assert api("post", f"/quarantine/{conflict.pk}/{action}/", role="radiologist").status_code == 403
    assert api("post", f"/quarantine/999999/{action}/").status_code == 404


def test_a_node_that_does_not_answer_is_a_result_and_is_remembered(api, db):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        node = RemoteNode.objects.create(
            name="Scanner", ae_title="SCANNER", host="127.0.0.1", port=unused.getsockname()[1]
        )
        answer = api("post", f"/nodes/{node.pk}/echo/").json()
    assert answer["ok"] is False and "SCANNER" in answer["detail"]
    (row,) = api("get", "/nodes/").json()["results"]
    assert row["last_echo_ok"] is False and row["last_echo_at"].endswith("Z")


def test_a_node_that_answers_says_so(api, db):
    from pynetdicom import AE, evt
    from pynetdicom.sop_class import Verification

    entity = AE("PEER")
    entity.add_supported_context(Verification)
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_ECHO, lambda event: 0)]
    )
    try:
        port = server.socket.getsockname()[1]
        node = RemoteNode.objects.create(name="Peer", ae_title="PEER", host="127.0.0.1", port=port)
        assert api("post", f"/nodes/{node.pk}/echo/").json()["ok"] is True
    finally:
        server.shutdown()


def test_the_schema_names_every_field_of_these_documents(db):
    from drf_spectacular.generators import SchemaGenerator

    schemas = SchemaGenerator().get_schema(public=True)["components"]["schemas"]
    assert set(schemas["UploadResult"]["required"]) >= {"received", "stored", "quarantined", "studies"}
    assert "series" in schemas["ArchiveStudyDetail"]["properties"]
