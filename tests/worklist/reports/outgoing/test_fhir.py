"""The DiagnosticReport that leaves, checked by fhir.resources."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.diagnosticreport import DiagnosticReport

from foundation.accounts.models import User
from tests.worklist.api.caller import Caller
from tests.worklist.reports.outgoing.conftest import Sign, plan
from worklist.fhir import resources
from worklist.reports import services
from worklist.reports.models import Report
from worklist.reports.outgoing import encapsulated

pytestmark = pytest.mark.django_db

ANSWER = {
    "code": "1386000",
    "scheme": "SCT",
    "meaning": "Intracranial hemorrhage",
    "value": "present",
    "required": True,
}


def concluded(report: Report) -> Report:
    Report.objects.filter(pk=report.pk).update(conclusions=[ANSWER])
    report.versions.update(conclusions=[ANSWER])
    report.refresh_from_db()
    return report


def test_every_state_validates_and_brings_answers_and_the_pdf(sign: Sign, reader: User) -> None:
    report = concluded(sign())
    services.add_addendum(report_id=report.pk, text="Fracture.", by=reader)
    services.add_addendum(
        report_id=report.pk, text="Calcification.", by=reader, conclusions={"1386000": "absent"}
    )
    plan(report)
    versions = list(report.versions.select_related("report__study__patient", "by").order_by("version"))
    said = []
    for version in versions:
        content = encapsulated.pdf_of(version)
        resource = resources.diagnostic_report(version, pdf=content)
        DiagnosticReport.model_validate(resource)
        (observation,) = resource["contained"]
        assert resource["result"] == [{"reference": f"#{observation['id']}"}]
        said.append((resource["status"], observation["status"], observation["valueCodeableConcept"]["text"]))
        form = resource["presentedForm"][1]
        assert base64.b64decode(form["data"]) == content and form["size"] == len(content)
        assert base64.b64decode(form["hash"]) == hashlib.sha1(content).digest()
    assert said == [
        ("final", "final", "Present"),
        ("appended", "final", "Present"),
        ("corrected", "corrected", "Absent"),
    ]


def test_endpoint_search_and_metadata_validate(sign: Sign, reader: User) -> None:
    report = concluded(sign())
    caller = Caller(reader)
    CapabilityStatement.model_validate(caller.get("/fhir/metadata"))
    resource = caller.get(f"/fhir/DiagnosticReport/{report.pk}")
    DiagnosticReport.model_validate(resource)
    assert base64.b64decode(resource["presentedForm"][1]["data"]).startswith(b"%PDF")
    bundle = caller.get("/fhir/DiagnosticReport", study=report.study.study_instance_uid)
    Bundle.model_validate(bundle)
    form = bundle["entry"][0]["resource"]["presentedForm"][1]
    assert "data" not in form and form["url"].endswith(f"/api/reports/{report.pk}/pdf/")


def test_a_notification_validates_and_says_nothing_of_the_patient(sign: Sign, reader: User) -> None:
    report = sign()
    services.add_addendum(report_id=report.pk, text="Fracture.", by=reader)
    first, second = report.versions.order_by("version")
    told = resources.notification(first, "https://reading.example")
    Bundle.model_validate(told)
    assert told["entry"][0]["fullUrl"] == f"https://reading.example/fhir/DiagnosticReport/{report.pk}"
    answers = [resources.notification(one, "https://x")["entry"][0]["response"] for one in (first, second)]
    assert [one["status"] for one in answers] == ["201", "200"]
    assert not any(word in json.dumps(told) for word in ("Müller", "P1", "Bleed"))
