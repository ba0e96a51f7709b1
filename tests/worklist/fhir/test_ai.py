"""`/fhir/` of AI: what live models say, unverified, valid by the standard's own schema, never a negative result."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.diagnosticreport import DiagnosticReport
from fhir.resources.R4B.observation import Observation
from fhir.resources.R4B.task import Task

from foundation.accounts.models import User
from foundation.audit.models import AuditEvent
from pacs.models import Study
from tests.worklist.api.caller import Caller
from tests.worklist.making import make_model, make_run, make_study
from triage.models import Comparison, Finding, ModelVersion, RunState, TriageRun

pytestmark = pytest.mark.django_db
KINDS = {
    "Observation": Observation,
    "DiagnosticReport": DiagnosticReport,
    "Task": Task,
    "Bundle": Bundle,
    "CapabilityStatement": CapabilityStatement,
}


@pytest.fixture
def program(make_user: Callable[..., User]) -> Caller:
    return Caller(make_user("service", username="ehr"))


@pytest.fixture
def model() -> ModelVersion:
    return make_model(name="bright")


@pytest.fixture
def study() -> Study:
    return make_study(accession_number="ACC-9")


def got(caller: Caller, path: str, **query: str) -> dict[str, Any]:
    """The resource, valid by FHIR R4B's schema."""
    resource = caller.get(path, **query)
    KINDS[resource["resourceType"]].model_validate_json(json.dumps(resource))
    return resource


def found(run: TriageRun) -> Finding:
    """A finding with all that can be told of one."""
    run.seg_sop_instance_uid, run.sr_sop_instance_uid = "2.25.701", "2.25.702"
    run.save()
    finding = run.findings.get()
    finding.probability_method, finding.subtype = "logistic on log volume and peak", "subdural"
    finding.largest_diameter_mm, finding.segment_number = 41.2, 1
    finding.midline_shift_mm, finding.midline_shift_uncertainty_mm = 6.2, 1.4
    finding.comparison, finding.growth_ml = Comparison.GROWN, 8.0
    finding.save()
    return finding


def parts(resource: dict[str, Any]) -> dict[str, Any]:
    """Components by code: value of the quantity, or the text."""
    return {
        part["code"]["coding"][0]["code"]: part["valueQuantity"]["value"]
        if "valueQuantity" in part
        else part["valueCodeableConcept"]["text"]
        for part in resource["component"]
    }


def test_a_finding_is_a_preliminary_observation_with_model_hash_measurements_and_sources(
    program: Caller, study: Study, model: ModelVersion
) -> None:
    finding = found(make_run(study, model, probability=0.93))
    resource = got(program, f"/fhir/Observation/{finding.pk}")
    assert resource["status"] == "preliminary"
    assert resource["code"]["coding"][0]["code"] == "1386000"
    assert resource["valueCodeableConcept"]["text"] == "possible, by bright 1.0"
    assert parts(resource) == {
        "122157": 0.93, "118565006": 31.0, "81827009": 41.2, "272741003": "Left", "subtype": "subdural",
        "midline-shift": 6.2, "midline-shift-uncertainty": 1.4, "growth": 8.0, "comparison": "Known, grown",
    }  # fmt: skip
    assert "logistic on log volume and peak" in resource["component"][0]["code"]["text"]
    assert resource["method"]["text"] == "logistic on log volume and peak"
    (device,) = resource["contained"]
    assert resource["device"]["reference"] == f"#{device['id']}"
    assert [(v["type"]["text"], v["value"]) for v in device["version"]] == [
        ("model", "1.0"),
        ("SHA-256 of the weights", "0" * 64),
    ]
    assert [(one["type"], one["identifier"]["value"]) for one in resource["derivedFrom"]] == [
        ("ImagingStudy", f"urn:oid:{study.study_instance_uid}"),
        ("DocumentReference", "urn:oid:2.25.701"),
    ]
    read = AuditEvent.objects.get(action="R")
    assert (read.username, read.study_instance_uid) == ("ehr", study.study_instance_uid)


def test_nothing_found_is_undetermined_and_says_that_it_is_no_negative_result(
    program: Caller, study: Study, model: ModelVersion
) -> None:
    run = make_run(study, model, probability=0.1)
    resource = got(program, f"/fhir/Observation/{run.findings.get().pk}")
    told = "nothing found by bright 1.0; not a negative result"
    assert resource["interpretation"] == [{"text": told}]
    assert resource["valueCodeableConcept"]["text"] == told
    assert resource["valueCodeableConcept"]["coding"][0]["display"] == "Undetermined"
    report = got(program, f"/fhir/DiagnosticReport/ai-{run.pk}")
    assert report["conclusion"] == "AI, not for diagnosis. bright 1.0: nothing found; not a negative result."
    assert "conclusionCode" not in report
    for text in (json.dumps(resource), json.dumps(report)):
        assert not any(word in text for word in ("Absent", "2667000", "Negative", "Normal"))


def test_a_classifiers_known_finding_is_not_said_to_be_not_grown(
    program: Caller, study: Study, model: ModelVersion
) -> None:
    finding = make_run(study, model, probability=0.93).findings.get()
    finding.volume_ml, finding.comparison = None, Comparison.KNOWN
    finding.save()
    told = parts(got(program, f"/fhir/Observation/{finding.pk}"))
    assert told["comparison"] == "Told of the prior too, place and size not compared"


def test_the_result_of_a_run_is_a_partial_report_that_leads_to_its_findings(
    program: Caller, study: Study, model: ModelVersion
) -> None:
    finding = found(make_run(study, model, probability=0.93))
    report = got(program, f"/fhir/DiagnosticReport/ai-{finding.run_id}")
    assert report["status"] == "partial"
    assert report["conclusion"] == "AI, not for diagnosis. bright 1.0: possible intracranial hemorrhage."
    assert report["result"] == [{"reference": f"Observation/{finding.pk}"}]
    assert {one["value"] for one in report["identifier"]} == {"urn:oid:2.25.701", "urn:oid:2.25.702", "ACC-9"}


def test_who_searches_for_reports_gets_those_of_ai_only_on_asking_for_partial_ones(
    program: Caller, study: Study, model: ModelVersion
) -> None:
    run = make_run(study, model, probability=0.93)
    uid = study.study_instance_uid
    assert got(program, "/fhir/DiagnosticReport", study=uid)["total"] == 0
    partial = got(program, "/fhir/DiagnosticReport?status=partial&study=" + uid)
    assert [one["resource"]["id"] for one in partial["entry"]] == [f"ai-{run.pk}"]
    assert partial["entry"][0]["fullUrl"].endswith(f"/fhir/DiagnosticReport/ai-{run.pk}")
    assert (
        program.get("/fhir/DiagnosticReport?status=final&study=" + uid, 400)["issue"][0]["code"] == "invalid"
    )


@pytest.mark.parametrize(
    ("state", "status", "reason"),
    [
        (RunState.WAITING, "requested", ""),
        (RunState.RUNNING, "in-progress", ""),
        (RunState.FAILED, "failed", "the model's process died (SIGSEGV)"),
        (RunState.NOT_ANALYSED, "rejected", "12 years of age, outside 18 to 120"),
        (RunState.STALE, "cancelled", "more images arrived; another run answers for them"),
    ],
)
def test_a_run_is_a_task_with_its_reason(
    state: str, status: str, reason: str, program: Caller, study: Study, model: ModelVersion
) -> None:
    run = make_run(study, model, state=state, reason=reason)
    task = got(program, f"/fhir/Task/{run.pk}")
    assert task["status"] == status and task.get("statusReason", {}).get("text", "") == reason
    assert "output" not in task
    program.get(f"/fhir/DiagnosticReport/ai-{run.pk}", 404)


def test_a_done_task_leads_to_report_and_findings(program: Caller, study: Study, model: ModelVersion) -> None:
    run = make_run(study, model, probability=0.93)
    (entry,) = got(program, "/fhir/Task", study=f"urn:oid:{study.study_instance_uid}")["entry"]
    assert entry["resource"]["status"] == "completed"
    assert [one["valueReference"]["reference"] for one in entry["resource"]["output"]] == [
        f"DiagnosticReport/ai-{run.pk}",
        f"Observation/{run.findings.get().pk}",
    ]


def test_shadow_stale_and_half_looks_are_told_to_nobody(
    program: Caller, study: Study, model: ModelVersion
) -> None:
    shadow = make_run(study, make_model("shadow"), probability=0.93)
    stale = make_run(study, model, probability=0.93, state=RunState.STALE)
    half = make_run(study, model, probability=0.1, provisional=True)
    for run in (shadow, stale, half):
        program.get(f"/fhir/Observation/{run.findings.get().pk}", 404)
        program.get(f"/fhir/DiagnosticReport/ai-{run.pk}", 404)
    program.get(f"/fhir/Task/{shadow.pk}", 404)
    uid = study.study_instance_uid
    assert program.get("/fhir/Observation", study=uid)["total"] == 0
    assert program.get("/fhir/DiagnosticReport?status=partial&study=" + uid)["total"] == 0
    assert program.get("/fhir/Task", study=uid)["total"] == 2


def test_a_search_takes_as_many_queries_for_many_findings_as_for_one(
    program: Caller, study: Study, model: ModelVersion, django_assert_max_num_queries: Any
) -> None:
    for _ in range(4):
        found(make_run(study, model, probability=0.93))
    for path in ("/fhir/Observation", "/fhir/Task"):
        with django_assert_max_num_queries(15):
            assert got(program, path, study=study.study_instance_uid)["total"] == 4


@pytest.mark.parametrize("path", ["/fhir/Observation", "/fhir/Task"])
@pytest.mark.parametrize("query", [{}, {"patient": "x"}, {"study": "1", "code": "x"}])
def test_a_search_for_everything_is_refused(program: Caller, path: str, query: dict[str, str]) -> None:
    assert program.get(path, 400, **query)["issue"][0]["code"] == "invalid"


def test_only_roles_that_use_ai_read_it(
    study: Study, model: ModelVersion, make_user: Callable[..., User]
) -> None:
    run = make_run(study, model, probability=0.93)
    paths = [
        f"/fhir/Observation/{run.findings.get().pk}",
        f"/fhir/Task/{run.pk}",
        f"/fhir/DiagnosticReport/ai-{run.pk}",
    ]
    for role, status in (
        ("radiologist", 200),
        ("qa_reviewer", 200),
        ("service", 200),
        ("er_staff", 403),
        ("pacs_administrator", 403),
    ):
        caller = Caller(make_user(role))
        for path in [*paths, f"/fhir/DiagnosticReport?status=partial&study={study.study_instance_uid}"]:
            caller.get(path, status)
    for path in [*paths, "/fhir/DiagnosticReport?status=partial&study=1"]:
        assert Client().get(path).status_code == 401


def test_the_capability_statement_names_them(program: Caller) -> None:
    said = got(program, "/fhir/metadata")
    assert [one["type"] for one in said["rest"][0]["resource"]] == ["DiagnosticReport", "Observation", "Task"]
