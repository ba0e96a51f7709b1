"""`/fhir/`: signed reports only, to those who may, in FHIR's own words."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from foundation.accounts.models import User
from foundation.audit.models import AuditEvent
from tests.worklist.api.caller import Caller
from tests.worklist.making import make_order, make_study
from worklist.reports import services
from worklist.reports.checks import Facts
from worklist.reports.models import Report

pytestmark = pytest.mark.django_db


@pytest.fixture
def report(make_user: Callable[..., User]) -> Report:
    study = make_study(accession_number="ACC-77")
    make_order(study)
    by = make_user("radiologist", username="reader", display_name="Dr. Ada Reader")
    draft = services.open_draft(study=study, by=by)
    draft = services.save(report_id=draft.pk, version=1, texts={"impression": "Bleed, left."}, by=by)
    Report.objects.filter(pk=draft.pk).update(
        conclusions=[
            {
                "code": "1386000",
                "scheme": "SCT",
                "meaning": "Intracranial hemorrhage",
                "value": "present",
                "required": True,
            }
        ]
    )
    return services.sign(report_id=draft.pk, version=2, overrides=[], facts=Facts(images_opened=True), by=by)


@pytest.fixture
def program(make_user: Callable[..., User]) -> Caller:
    return Caller(make_user("service", username="ehr"))


def addendum(report: Report, **fields: Any) -> None:
    assert report.signed_by is not None
    services.add_addendum(report_id=report.pk, text="Fracture.", by=report.signed_by, **fields)


def test_metadata_says_what_this_can_do_to_anybody() -> None:
    response = Client().get("/fhir/metadata")
    assert response["Content-Type"].startswith("application/fhir+json")
    said = response.json()
    assert (said["resourceType"], said["fhirVersion"]) == ("CapabilityStatement", "4.0.1")
    resource = said["rest"][0]["resource"][0]
    assert resource["type"] == "DiagnosticReport"
    assert {i["code"] for i in resource["interaction"]} == {"read", "search-type"}


def test_a_signed_report_is_read_whole(report: Report, program: Caller) -> None:
    resource = program.get(f"/fhir/DiagnosticReport/{report.pk}")
    assert (resource["resourceType"], resource["status"]) == ("DiagnosticReport", "final")
    assert resource["conclusion"] == "Bleed, left."
    assert resource["conclusionCode"][0]["coding"][0] == {
        "system": "http://snomed.info/sct",
        "code": "1386000",
        "display": "Intracranial hemorrhage",
    }
    assert resource["effectiveDateTime"] == "2026-11-24"
    assert resource["resultsInterpreter"] == [{"display": "Dr. Ada Reader"}]
    assert resource["imagingStudy"][0]["identifier"]["value"] == f"urn:oid:{report.study.study_instance_uid}"
    words = base64.b64decode(resource["presentedForm"][0]["data"]).decode()
    assert "Impression\nBleed, left." in words
    read = AuditEvent.objects.get(action="R")
    assert (read.username, read.study_instance_uid) == ("ehr", report.study.study_instance_uid)


def test_addenda_append_and_changed_conclusions_correct(report: Report, program: Caller) -> None:
    addendum(report)
    assert program.get(f"/fhir/DiagnosticReport/{report.pk}")["status"] == "appended"
    addendum(report, conclusions={"1386000": "absent"})
    resource = program.get(f"/fhir/DiagnosticReport/{report.pk}")
    assert resource["status"] == "corrected" and "conclusionCode" not in resource
    assert resource["meta"]["versionId"] == "5"


@pytest.mark.parametrize(
    "query",
    [
        {"identifier": "ACC-77"},
        {"identifier": "|ACC-77"},
        {"study": "{uid}"},
        {"study": "urn:oid:{uid}"},
        {"study": "urn:dicom:uid|urn:oid:{uid}", "identifier": "ACC-77"},
    ],
)
def test_a_report_is_found_by_accession_number_and_study(
    report: Report, program: Caller, query: dict[str, str]
) -> None:
    uid = report.study.study_instance_uid
    bundle = program.get("/fhir/DiagnosticReport", **{k: v.format(uid=uid) for k, v in query.items()})
    assert (bundle["type"], bundle["total"]) == ("searchset", 1)
    assert bundle["entry"][0]["resource"]["id"] == str(report.pk)
    assert bundle["entry"][0]["fullUrl"].endswith(f"/fhir/DiagnosticReport/{report.pk}")


def test_a_draft_does_not_exist_for_anybody(make_user: Callable[..., User]) -> None:
    reader = Caller(make_user("radiologist"))
    draft = services.open_draft(study=make_study(), by=reader.user)
    assert reader.get(f"/fhir/DiagnosticReport/{draft.pk}", 404)["resourceType"] == "OperationOutcome"
    found = reader.get("/fhir/DiagnosticReport", study=draft.study.study_instance_uid)
    assert found["total"] == 0 and "entry" not in found


@pytest.mark.parametrize("query", [{}, {"patient": "x"}, {"study": "1", "subject": "x"}])
def test_a_search_for_everything_or_by_what_is_not_supported_is_refused(
    report: Report, program: Caller, query: dict[str, str]
) -> None:
    outcome = program.get("/fhir/DiagnosticReport", 400, **query)
    assert outcome["issue"][0]["code"] == "invalid"


def test_only_roles_that_use_reports_read_them_and_only_what_they_may_see(
    report: Report, make_user: Callable[..., User]
) -> None:
    path = f"/fhir/DiagnosticReport/{report.pk}"
    for role, status in [
        ("radiologist", 200),
        ("er_staff", 200),
        ("qa_reviewer", 200),
        ("service", 200),
        ("pacs_administrator", 403),
    ]:
        Caller(make_user(role)).get(path, status)
    Caller(make_user("er_staff", username="surgery", department="Surgery")).get(path, 404)
    response = Client().get(path)
    assert response.status_code == 401
    assert response.json()["issue"][0]["code"] == "login"
    assert response["Content-Type"] == "application/fhir+json"


def test_nothing_can_be_written(report: Report, program: Caller) -> None:
    outcome = program.post("/fhir/DiagnosticReport", {}, 405)
    assert outcome["issue"][0]["code"] == "not-supported"
