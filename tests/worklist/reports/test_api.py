"""`/api/reports/`: its documents, its refusals, and who may call it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from foundation.accounts.models import User
from foundation.audit.models import AuditEvent
from tests.worklist.api.caller import Caller
from tests.worklist.api.schema import assert_matches
from tests.worklist.making import make_model, make_order, make_run, make_study
from tests.worklist.reports.conftest import Case
from worklist.queue import claims, ranking
from worklist.reports import services

pytestmark = pytest.mark.django_db
ROLES = ("radiologist", "er_staff", "qa_reviewer", "pacs_administrator", "service")


@pytest.fixture
def caller(case: Case) -> Caller:
    item = ranking.place(study_id=case.study.pk, cause="test")
    claims.claim(item_id=item.pk, user=case.reader)
    return Caller(case.reader)


def url(case: Case, rest: str = "") -> str:
    return f"/api/reports/{case.report.pk}/{rest}"


def test_a_draft_is_opened_once_and_its_document_is_as_the_schema_says(caller: Caller) -> None:
    study = make_study()
    made = caller.post("/api/reports/", {"study_instance_uid": study.study_instance_uid})
    assert_matches(made, "Report")
    again = caller.post("/api/reports/", {"study_instance_uid": study.study_instance_uid})
    assert again["id"] == made["id"]
    found = caller.get("/api/reports/", study_instance_uid=study.study_instance_uid)["results"]
    assert [report["id"] for report in found] == [made["id"]]
    assert_matches(found[0], "Report")
    assert caller.post("/api/reports/", {"study_instance_uid": "1.2.3"}, 404)["status"] == 404


def test_reading_to_the_signature_and_an_addendum(case: Case, caller: Caller) -> None:
    report = caller.get(url(case))
    assert [check["code"] for check in report["checks"] if check["blocking"]] == [
        "undecided_finding",
        "conclusion_missing",
        "empty_impression",
        "images_not_opened",
    ]
    report = caller.post(
        url(case, f"findings/{case.finding.pk}/"), {"decision": "accepted", "version": report["version"]}
    )
    assert report["decisions"] == {str(case.finding.pk): "accepted"}
    assert report["conclusions"][0]["value"] == "present"
    report = caller.patch(
        url(case),
        {"version": report["version"], "sections": [{"key": "findings", "text": "  Mine.\n"}]},
    )
    assert report["sections"][3]["text"] == "  Mine.\n"
    refused = caller.post(url(case, "sign/"), {"version": report["version"], "overrides": []}, 422)
    assert_matches(refused, "NotReady")
    blocking = [check for check in refused["checks"] if check["blocking"]]
    assert {check["code"] for check in blocking} == {"critical_not_communicated", "images_not_opened"}
    reasons = [{"code": check["code"], "reason": "Phoned, read back"} for check in blocking]
    report = caller.post(url(case, "sign/"), {"version": report["version"], "overrides": reasons})
    assert_matches(report, "Report")
    assert (report["state"], report["signed_by"]["display_name"]) == ("final", "Dr. Ada Reader")
    assert report["checks"] == [] and not any(s["suggestions"] for s in report["sections"])
    report = caller.post(url(case, "addendum/"), {"text": "Fracture."})
    assert_matches(report, "Report")
    assert (report["state"], report["sections"][-1]["text"]) == ("addendum", "Fracture.")
    assert [entry["action"] for entry in report["history"]] == ["drafted", "signed", "addendum"]


def test_who_comes_too_late_gets_the_current_text(case: Case, caller: Caller) -> None:
    caller.patch(url(case), {"version": 1, "sections": [{"key": "findings", "text": "First."}]})
    late = {"version": 1, "sections": [{"key": "findings", "text": "Second."}]}
    refused = caller.patch(url(case), late, 409)
    assert_matches(refused, "ReportConflict")
    assert refused["current"]["sections"][3]["text"] == "First."
    for path, body in [
        (f"findings/{case.finding.pk}/", {"decision": "accepted", "version": 1}),
        (f"suggestions/findings-{case.finding.pk}/", {"state": "accepted", "version": 1}),
        ("sign/", {"version": 1, "overrides": []}),
    ]:
        assert caller.post(url(case, path), body, 409)["current"]["version"] == 2


def test_a_suggestion_can_be_taken_and_left(case: Case, caller: Caller) -> None:
    path = url(case, f"suggestions/impression-{case.finding.pk}/")
    report = caller.post(path, {"state": "accepted", "version": 1})
    assert report["sections"][4]["text"] == "Intracranial hemorrhage, about 31 mL, left."
    assert report["sections"][4]["suggestions"][0]["state"] == "accepted"
    report = caller.post(path, {"state": "rejected", "version": 2})
    assert report["sections"][4]["text"] == ""


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("findings/999999/", {"decision": "accepted", "version": 1}),
        ("suggestions/impression-999999/", {"state": "accepted", "version": 1}),
        ("findings/1/", {"decision": "maybe", "version": 1}),
        ("sign/", {"version": "x"}),
        ("sign/", {"version": 1, "overrides": [{"code": "laterality"}]}),
        ("addendum/", {"text": "  "}),
        ("addendum/", {"text": ["x"]}),
    ],
)
def test_what_makes_no_sense_is_a_problem_document(
    case: Case, caller: Caller, path: str, body: dict[str, Any]
) -> None:
    assert caller.post(url(case, path), body, 400)["status"] == 400


def test_unknown_sections_and_conclusions_are_refused(case: Case, caller: Caller) -> None:
    caller.patch(url(case), {"version": 1, "sections": [{"key": "x", "text": ""}]}, 400)
    caller.patch(url(case), {"version": 1, "conclusions": [{"code": "0", "value": "absent"}]}, 400)
    said = caller.patch(url(case), {"version": 1, "conclusions": [{"code": "1386000", "value": "absent"}]})
    assert said["conclusions"][0]["value"] == "absent"
    caller.patch(url(case), {"version": 2, "conclusions": [{"code": "1386000", "value": ""}]})


def test_signing_needs_the_claim(case: Case, make_user: Callable[..., User]) -> None:
    item = ranking.place(study_id=case.study.pk, cause="test")
    caller = Caller(case.reader)
    assert caller.post(url(case, "sign/"), {"version": 1}, 409)["holder"] is None
    claims.claim(item_id=item.pk, user=make_user("radiologist", username="bert", display_name="Dr. Bert"))
    refused = caller.post(url(case, "sign/"), {"version": 1}, 409)
    assert_matches(refused, "Taken")
    assert refused["holder"]["display_name"] == "Dr. Bert"


def test_each_role_reads_and_writes_what_it_may(case: Case, make_user: Callable[..., User]) -> None:
    item = ranking.place(study_id=case.study.pk, cause="test")
    people = {role: Caller(make_user(role, username=f"a-{role}")) for role in ROLES}
    writes = [
        ("post", "/api/reports/", {"study_instance_uid": case.study.study_instance_uid}),
        ("patch", url(case), {"version": 1, "sections": []}),
        ("post", url(case, f"findings/{case.finding.pk}/"), {"decision": "accepted", "version": 2}),
        ("post", url(case, f"suggestions/findings-{case.finding.pk}/"), {"state": "accepted", "version": 2}),
        ("post", url(case, "sign/"), {"version": 2}),
        ("post", url(case, "addendum/"), {"text": "x"}),
    ]
    for role in ROLES[1:]:
        for method, path, body in writes:
            getattr(people[role], method)(path, body, 403)
    drafts = {
        role: person.client.get(url(case), **person.headers).status_code for role, person in people.items()
    }
    assert drafts == {
        "radiologist": 200,
        "er_staff": 404,
        "qa_reviewer": 404,
        "pacs_administrator": 403,
        "service": 404,
    }
    claims.claim(item_id=item.pk, user=case.reader)
    reader = Caller(case.reader)
    reader.post(url(case, f"findings/{case.finding.pk}/"), {"decision": "accepted", "version": 1})
    reasons = [{"code": c, "reason": "told"} for c in ("critical_not_communicated", "images_not_opened")]
    reader.post(url(case, "sign/"), {"version": 2, "overrides": reasons})
    for role in ("er_staff", "qa_reviewer", "service"):
        signed = people[role].get(url(case))
        assert_matches(signed, "Report")
        assert signed["checks"] == []
    other = Caller(make_user("er_staff", username="surgery", department="Surgery"))
    other.get(url(case), 404)
    assert other.get("/api/reports/")["count"] == 0


def test_reading_a_report_is_in_the_trail(case: Case, caller: Caller) -> None:
    caller.get("/api/reports/", study_instance_uid=case.study.study_instance_uid)
    read = AuditEvent.objects.get(action="R", study_instance_uid=case.study.study_instance_uid)
    assert read.username == "reader" and read.detail["what"] == "report"


def test_a_list_takes_the_same_number_of_queries_however_long_it_is(case: Case, caller: Caller) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            caller.get("/api/reports/")
        return len(seen)

    queries()
    before = queries()
    for _ in range(4):
        study = make_study()
        make_order(study)
        make_run(study, make_model(), probability=0.9)
        services.open_draft(study=study, by=case.reader)
    assert queries() == before
