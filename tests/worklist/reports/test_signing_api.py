"""Co-signing, amending, the password, the patient on screen and what QA sees, over the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from foundation.accounts.models import User
from tests.worklist.api.caller import Caller
from tests.worklist.api.schema import assert_matches
from tests.worklist.making import make_order, make_study
from tests.worklist.reports.conftest import READY
from worklist.queue import claims, ranking
from worklist.reports import services
from worklist.reports.checks import Override
from worklist.reports.models import Report, ReportVersion

pytestmark = pytest.mark.django_db


@pytest.fixture
def resident(make_user: Callable[..., User]) -> User:
    return make_user("resident", username="resident", display_name="Dr. Rea Resident")


@pytest.fixture
def attending(make_user: Callable[..., User]) -> User:
    return make_user("radiologist", username="attending", display_name="Dr. Ata Attending")


def drafted(by: User) -> Report:
    study = make_study()
    make_order(study)
    item = ranking.place(study_id=study.pk, cause="test")
    claims.claim(item_id=item.pk, user=by)
    claims.record_opened(item_id=item.pk, user=by)
    report = services.open_draft(study=study, by=by)
    return services.save(report_id=report.pk, version=1, texts={"impression": "No fracture."}, by=by)


def url(report: Report, rest: str) -> str:
    return f"/api/reports/{report.pk}/{rest}"


def test_from_the_residents_signature_to_the_attendings_correction(
    resident: User, attending: User, make_user: Callable[..., User]
) -> None:
    report = drafted(resident)
    young, old, er = Caller(resident), Caller(attending), Caller(make_user("er_staff"))
    said = young.post(url(report, "sign/"), {"version": report.version})
    assert_matches(said, "Report")
    assert (said["state"], said["signed_by"]["username"]) == ("preliminary", "resident")
    (waiting,) = old.get("/api/reports/to-cosign/")["results"]
    assert_matches(waiting, "WaitingReport")
    assert (waiting["impression"], waiting["changed_since"]) == ("No fracture.", False)
    text = {"version": said["version"], "sections": [{"key": "impression", "text": "Fracture of C2."}]}
    said = old.patch(url(report, ""), text)
    assert old.get("/api/reports/to-cosign/")["results"][0]["changed_since"] is True
    assert er.get(url(report, ""))["sections"][4]["text"] == "No fracture."
    # No claim: the study has left the reading list.
    said = old.post(url(report, "sign/"), {"version": said["version"]})
    assert (said["state"], said["signed_by"]["username"]) == ("final", "attending")
    assert er.get(url(report, ""))["sections"][4]["text"] == "Fracture of C2."
    assert old.get("/api/reports/to-cosign/")["count"] == 0
    change = {
        "version": said["version"],
        "kind": "corrected",
        "reason": "Wrong level.",
        "sections": [{"key": "impression", "text": "Fracture of C3."}],
    }
    young.post(url(report, "amend/"), change, 403)
    said = old.post(url(report, "amend/"), change)
    assert_matches(said, "Report")
    assert (said["state"], said["sections"][-1]["text"]) == ("corrected", "Wrong level.")
    assert [entry["action"] for entry in said["history"]] == [
        "drafted",
        "preliminary",
        "cosigned",
        "corrected",
    ]
    old.post(url(report, "amend/"), change, 409)
    old.post(url(report, "amend/"), {**change, "version": said["version"], "kind": "unsigned"}, 400)


def test_who_may_see_what_waits_for_a_signature(resident: User, make_user: Callable[..., User]) -> None:
    for role, status in [("er_staff", 403), ("qa_reviewer", 403), ("service", 403), ("radiologist", 200)]:
        Caller(make_user(role, username=f"a-{role}")).get("/api/reports/to-cosign/", status)


def test_the_password_is_asked_again_where_the_site_says_so(
    attending: User, settings: Any, make_user: Callable[..., User]
) -> None:
    settings.SIGN_ASKS_PASSWORD = True
    attending.set_password("the-right-password")
    attending.save()
    report, caller = drafted(attending), Caller(attending)
    assert caller.get("/api/me/")["site"]["sign_asks_password"] is True
    body = {"version": report.version}
    assert caller.post(url(report, "sign/"), body, 403)["title"] == "Password needed"
    wrong = caller.post(url(report, "sign/"), {**body, "password": "not-it"}, 403)
    assert (wrong["title"], wrong["asks_password"]) == ("Wrong password", True)
    assert Report.objects.get().state == "draft"
    signed = caller.post(url(report, "sign/"), {**body, "password": "the-right-password"})
    assert signed["state"] == "final"
    caller.post(url(report, "addendum/"), {"text": "More."}, 403)
    caller.post(url(report, "addendum/"), {"text": "More.", "password": "the-right-password"})
    for _ in range(settings.AXES_FAILURE_LIMIT):
        caller.post(url(report, "addendum/"), {"text": "x", "password": "not-it"}, 403)
    caller.post(url(report, "addendum/"), {"text": "x", "password": "the-right-password"}, 403)


def test_signing_for_a_patient_who_became_another_needs_a_reason(attending: User) -> None:
    report, caller = drafted(attending), Caller(attending)
    shown = {"id": report.study.patient.patient_id, "name": report.study.patient.patient_name}
    report.study.patient = make_study().patient
    report.study.save(update_fields=["patient"])
    body = {"version": report.version, "patient": shown}
    (check,) = caller.post(url(report, "sign/"), body, 422)["checks"]
    assert (check["code"], check["overridable"]) == ("patient_changed", True)
    now = {"id": report.study.patient.patient_id, "name": report.study.patient.patient_name}
    assert caller.post(url(report, "sign/"), {**body, "patient": now})["state"] == "final"


def test_qa_sees_every_check_that_was_signed_over_with_its_reason(
    attending: User, make_user: Callable[..., User]
) -> None:
    def signed_over() -> None:
        report = drafted(attending)
        report = services.save(
            report_id=report.pk, version=report.version, texts={"impression": ""}, by=attending
        )
        reasons = [Override("empty_impression", "Technical failure, nothing to see.")]
        services.sign(
            report_id=report.pk, version=report.version, overrides=reasons, facts=READY, by=attending
        )

    signed_over()
    report = drafted(attending)
    services.sign(report_id=report.pk, version=report.version, overrides=[], facts=READY, by=attending)
    reviewer = Caller(make_user("qa_reviewer"))
    Caller(attending).get("/api/quality/signed-over/", 403)

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            reviewer.get("/api/quality/signed-over/")
        return len(seen)

    (one,) = reviewer.get("/api/quality/signed-over/")["results"]
    assert_matches(one, "SignedOver")
    assert one["by"]["username"] == "attending" and one["state"] == "signed"
    assert one["overrides"] == [
        {
            "code": "empty_impression",
            "text": "The impression is empty. Write it.",
            "reason": "Technical failure, nothing to see.",
        }
    ]
    before = queries()
    signed_over()
    assert queries() == before
    assert ReportVersion.objects.count() == 3
