"""Templates in the database and over the API, and reports that are written by them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from foundation.accounts.models import User
from foundation.transitions import IllegalTransition
from tests.worklist.api.caller import Caller
from tests.worklist.api.schema import assert_matches
from tests.worklist.making import make_study
from tests.worklist.reports.conftest import READY, Case
from tests.worklist.reports.templates.test_mrrt import RENAL
from tests.worklist.reports.templates.test_rules import small
from worklist.fhir import resources
from worklist.reports import documents, services
from worklist.reports.checks import Facts, open_checks
from worklist.reports.editing import Verdict
from worklist.reports.facts import ai_facts
from worklist.reports.models import Report, ReportVersion
from worklist.reports.selectors import draft_of
from worklist.reports.templates import services as templates
from worklist.reports.templates.models import ReportTemplate

pytestmark = pytest.mark.django_db


def codes(report: Report, facts: Facts = READY) -> list[str]:
    return [c.code for c in open_checks(draft_of(report, ai_facts(report.study_id)), facts) if c.blocking]


def values(report: Report) -> dict[str, Any]:
    return {one["key"]: one["value"] for one in report.fields}


def save(case: Case, **said: Any) -> Report:
    case.report.refresh_from_db()
    return services.save(report_id=case.report.pk, version=case.report.version, by=case.reader, **said)


def decide(case: Case, verdict: Verdict | None) -> Report:
    case.report.refresh_from_db()
    return services.decide(
        report_id=case.report.pk,
        finding_id=case.finding.pk,
        decision=verdict,
        version=case.report.version,
        by=case.reader,
    )


def test_what_is_shipped_is_there_once_and_a_site_stays_master(make_user: Callable[..., User]) -> None:
    shipped = set(ReportTemplate.objects.filter(state="active").values_list("key", flat=True))
    assert {"ct-head", "chest-radiograph", "generic"} <= shipped
    assert templates.ensure_shipped() == 0
    by = make_user("pacs_administrator")
    own = templates.add_version(key="ct-head", name="CT head", content=small(), by=by)
    assert (own.version, own.state) == (2, "draft")
    templates.activate(template_id=own.pk, by=by, reason="Ours.")
    assert ReportTemplate.objects.get(key="ct-head", version=1).state == "retired"
    ReportTemplate.objects.filter(key="ct-head", version=1).update(name="An older text")
    assert templates.ensure_shipped() == 1
    latest = ReportTemplate.objects.get(key="ct-head", version=3)
    assert (latest.source, latest.state) == ("shipped", "draft")
    with pytest.raises(IllegalTransition):
        templates.activate(template_id=own.pk, by=by, reason="Again.")
    with pytest.raises(ValidationError):
        templates.retire(template_id=own.pk, by=by, reason=" ")


def test_a_report_takes_the_closest_template_and_the_next_version_leaves_it_alone(
    case: Case, make_user: Callable[..., User]
) -> None:
    assert case.report.template is not None and case.report.template.key == "ct-head"
    other = services.open_draft(study=make_study(modalities="US", body_part_examined=""), by=case.reader)
    assert other.template is not None and other.template.key == "generic"
    by = make_user("pacs_administrator")
    own = templates.add_version(key="ct-head", name="CT head", content=small(), by=by)
    templates.activate(template_id=own.pk, by=by, reason="Shorter.")
    report = save(case, fields={"hemorrhage": "present"})
    assert report.template is not None and report.template.version == 1


def test_field_conclusion_and_prose_are_one(case: Case) -> None:
    report = save(case, fields={"hemorrhage": "absent"})
    assert report.conclusions[0]["value"] == "absent"
    assert case.text("findings") == "No acute intracranial hemorrhage."
    report = save(case, conclusions={"1386000": "indeterminate"})
    assert values(report) == {"hemorrhage": "indeterminate"}
    assert case.text("findings") == "Acute intracranial hemorrhage cannot be excluded."
    report = save(case, fields={"hemorrhage": "unknown"})
    assert report.conclusions[0]["value"] == ""
    report = save(case, conclusions={"1386000": ""})
    assert values(report) == {} and case.text("findings") == ""


def test_an_accepted_finding_fills_empty_fields_and_leaves_with_its_decision(case: Case) -> None:
    assert values(case.report) == {} and "left" not in case.text("findings")
    report = decide(case, Verdict.ACCEPTED)
    assert values(report) == {"hemorrhage": "present", "side": "left", "size": 42.0}
    assert case.text("findings") == "Intracranial hemorrhage, about 31 mL, left."
    assert codes(report) == []
    report = decide(case, Verdict.REJECTED)
    assert values(report) == {"hemorrhage": "absent"}
    assert case.text("findings") == "", "rejecting what AI says denies nothing in words"
    report = decide(case, None)
    assert values(report) == {}


def test_what_the_reader_measured_stays_when_a_finding_is_accepted(case: Case) -> None:
    save(case, fields={"size": 38})
    assert values(decide(case, Verdict.ACCEPTED))["size"] == 38.0
    assert values(decide(case, None))["size"] == 38.0


def test_required_measurement_contradicting_side_and_places_to_fill_are_asked_for(case: Case) -> None:
    decide(case, Verdict.ACCEPTED)
    report = save(case, fields={"size": None})
    assert codes(report) == ["required_field_missing"]
    report = save(case, fields={"size": 40}, texts={"impression": "Hemorrhage on the right. Called [name]."})
    assert codes(report) == ["blank_left", "laterality"]


def test_answers_are_kept_with_the_signature_and_told_in_fhir_with_their_ids(case: Case) -> None:
    report = decide(case, Verdict.ACCEPTED)
    report = save(case, fields={"location": ["frontal", "temporal"]})
    services.sign(report_id=report.pk, version=report.version, overrides=[], facts=READY, by=case.reader)
    version = ReportVersion.objects.select_related("report__study__patient", "by", "template").get()
    assert [(one["cde"], one["shown"], one["unit"]) for one in version.fields] == [
        ("RDE1287", "present", ""),
        ("RDE1288", "left", ""),
        ("RDE1289", "42", "mm"),
        ("RDE1700", "frontal, temporal", ""),
    ]
    resource = resources.diagnostic_report(version)
    (structured,) = [one for one in resource["contained"] if one["id"] == "structured"]
    assert structured["code"]["coding"] == [{"system": "https://radelement.org", "code": "RDES194"}]
    assert [c["code"]["coding"][0]["code"] for c in structured["component"]] == [
        "RDE1287",
        "RDE1288",
        "RDE1289",
        "RDE1700",
    ]
    assert structured["component"][2]["valueQuantity"]["value"] == 42.0
    assert {"reference": "#structured"} in resource["result"]


def test_a_part_of_the_findings_has_its_title_in_the_document(
    case: Case, make_user: Callable[..., User]
) -> None:
    content = small()
    content["sections"].insert(1, {"key": "findings-bones", "title": "Bones", "text": "", "fields": []})
    by = make_user("pacs_administrator")
    own = templates.add_version(key="ct-head", name="CT head", content=content, by=by)
    templates.activate(template_id=own.pk, by=by, reason="With bones.")
    report = services.use_template(
        report_id=case.report.pk, template_id=own.pk, version=case.report.version, by=case.reader
    )
    assert "Fall, headache" in case.text("findings"), "no word is lost"
    report = services.save(
        report_id=report.pk,
        version=report.version,
        texts={"findings-bones": "Intact.", "impression": "No bleed."},
        conclusions={"1386000": "absent"},
        by=case.reader,
    )
    report = decide(case, Verdict.REJECTED)
    services.sign(report_id=report.pk, version=report.version, overrides=[], facts=READY, by=case.reader)
    version = ReportVersion.objects.select_related("report__study__patient", "by").get()
    assert "Bones\\r\\nIntact." in repr(documents.document_of(version))


def test_a_report_is_written_by_its_fields_over_the_api(case: Case) -> None:
    reader = Caller(case.reader)
    report = reader.get(f"/api/reports/{case.report.pk}/")
    assert_matches(report, "Report")
    assert report["template"]["key"] == "ct-head" and report["answers"] == []
    assert {one["key"]: one["value"] for one in report["offers"]} == {"side": "left", "size": 42.0}
    body = {"version": report["version"], "answers": [{"key": "side", "value": "left"}]}
    report = reader.patch(f"/api/reports/{case.report.pk}/", body)
    assert_matches(report, "Report")
    assert [one["key"] for one in report["answers"]] == ["side"]
    assert [one["key"] for one in report["offers"]] == ["size"]
    reader.patch(f"/api/reports/{case.report.pk}/", body, 409)
    for wrong in ({"key": "side", "value": "up"}, {"key": "x", "value": 1}):
        reader.patch(
            f"/api/reports/{case.report.pk}/", {"version": report["version"], "answers": [wrong]}, 400
        )


def test_administrators_write_templates_and_readers_choose_them(
    case: Case, make_user: Callable[..., User]
) -> None:
    admin, reader = Caller(make_user("pacs_administrator")), Caller(case.reader)
    new = {"name": "Knee MR", "content": small(), "modalities": ["mr"], "note": "First."}
    reader.post("/api/report-templates/", new, 403)
    Caller(make_user("er_staff")).get("/api/report-templates/", 403)
    made = admin.post("/api/report-templates/", new, 201)
    assert_matches(made, "TemplateDetail")
    assert (made["key"], made["version"], made["state"], made["modalities"]) == (
        "knee-mr",
        1,
        "draft",
        ["MR"],
    )
    wrong = admin.post("/api/report-templates/", {**new, "content": small(type="date")}, 422)
    assert_matches(wrong, "InvalidContent")
    shown = admin.post("/api/report-templates/preview/", {"content": small()})
    assert_matches(shown, "Preview")
    assert shown["sections"][0]["text"] == "Side: left."
    assert admin.post("/api/report-templates/preview/", {"content": []})["problems"]
    proposal = admin.post("/api/report-templates/read-mrrt/", {"html": RENAL})
    assert_matches(proposal, "MrrtProposal")
    admin.post("/api/report-templates/read-mrrt/", {"html": "<p>no</p>"}, 422)
    use = f"/api/reports/{case.report.pk}/template/"
    reader.post(use, {"version": 1, "template": int(made["id"])}, 400)
    admin.post(f"/api/report-templates/{made['id']}/activate/", {"reason": " "}, 400)
    admin.post(f"/api/report-templates/{made['id']}/activate/", {"reason": "Agreed."})
    admin.post(f"/api/report-templates/{made['id']}/activate/", {"reason": "Again."}, 409)
    report = reader.post(use, {"version": 1, "template": int(made["id"])})
    assert report["template"]["key"] == "knee-mr"
    retired = admin.post(f"/api/report-templates/{made['id']}/retire/", {"reason": "No."})
    assert retired["state"] == "retired"

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert_matches(reader.get("/api/report-templates/")["results"][0], "TemplateDocument")
        return len(seen)

    before = queries()
    admin.post("/api/report-templates/", new, 201)
    assert queries() == before
