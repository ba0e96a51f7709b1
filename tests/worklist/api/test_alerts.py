"""`/api/alerts/` and the ER's wall."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from foundation.audit.models import AuditEvent
from pacs.models import Study
from tests.worklist.api.caller import Caller
from tests.worklist.api.schema import assert_matches
from tests.worklist.making import make_model, make_order, make_run, make_study
from triage.models import ModelVersion
from worklist.alerts import services
from worklist.alerts.models import Alert
from worklist.queue import claims, ranking
from worklist.queue.models import WorklistItem
from worklist.reports.models import Report

pytestmark = pytest.mark.django_db


@pytest.fixture
def nurse(make_user) -> Caller:
    return Caller(make_user("er_staff", username="nurse", display_name="Nurse N", department="ER"))


def _study(*, probability: float = 0.93, model: ModelVersion | None = None, **order: object) -> Study:
    study = make_study()
    make_order(study, **order)
    run = make_run(study, model or make_model(), probability=probability)
    services.raise_for_run(run_id=run.pk)
    ranking.place(study_id=study.pk, cause="test")
    return study


def test_an_alert_says_what_whom_when_and_what_comes_next(nurse):
    study = _study()
    (alert,) = nurse.get("/api/alerts/", state="open")["results"]
    assert_matches(alert, "Alert")
    finding = study.triage_runs.get().findings.get()
    assert alert["preview_url"] == (
        f"/dicom-web/studies/{study.study_instance_uid}/series/{finding.key_series_instance_uid}"
        f"/instances/{finding.key_sop_instance_uid}/rendered?window=40,80"
    )
    assert alert["caption"] == "not for diagnostic use"
    assert (alert["finding"]["probability"], alert["rung"], alert["location"]) == (0.93, 0, "ER bed 4")
    assert [(t["who"], t["channel"], t["outcome"]) for t in alert["told"]] == [
        ("ER staff of ER", "page", "nobody signed in")
    ]
    assert alert["next_step"] == {"at": alert["deadline_at"], "who": "all ER staff"}


def test_acknowledging_needs_a_name_and_a_read_back_and_the_first_answer_stands(nurse, reader):
    path = f"/api/alerts/{_study().alerts.get().pk}/acknowledge/"
    assert set(nurse.post(path, {"name": " ", "read_back": ""}, status=400)["errors"]) == {
        "name",
        "read_back",
    }
    answered = nurse.post(path, {"name": "Nurse N", "read_back": "bleed, bed 4"})
    assert_matches(answered, "Alert")
    assert (answered["state"], answered["next_step"], answered["deadline_at"]) == ("acknowledged", None, None)
    assert answered["acknowledged_by"] == {"username": "nurse", "display_name": "Nurse N"}
    again = reader.post(path, {"name": "Dr. Anna", "read_back": "me too"})
    assert (again["acknowledged_name"], again["read_back"]) == ("Nurse N", "bleed, bed 4")
    assert nurse.get("/api/alerts/", state="open")["count"] == 0
    assert nurse.get("/api/alerts/", state="acknowledged")["count"] == 1
    event = AuditEvent.objects.get(detail__what="critical result acknowledged")
    assert (event.username, event.channel) == ("nurse", "api")


def test_not_my_patient_goes_on_at_once_and_not_after_an_answer(nurse):
    base = f"/api/alerts/{_study().alerts.get().pk}"
    after = nurse.post(f"{base}/not-my-patient/", {"reason": "moved to ICU"})
    assert (after["state"], after["rung"]) == ("escalated", 1)
    assert after["told"][1]["outcome"] == "not my patient: moved to ICU"
    nurse.post(f"{base}/acknowledge/", {"name": "N", "read_back": "bleed"})
    problem = nurse.post(f"{base}/not-my-patient/", {"reason": "late"}, status=409)
    assert problem["detail"] == "N has answered this alert."


def test_an_alert_of_another_department_is_not_there_until_it_is_told_to_all(nurse):
    other = _study(department="ER south").alerts.get()
    assert nurse.get("/api/alerts/")["count"] == 0
    nurse.post(f"/api/alerts/{other.pk}/acknowledge/", {"name": "N", "read_back": "x"}, status=404)
    Alert.objects.update(deadline_at=timezone.now())
    services.escalate_due()
    assert nurse.get(f"/api/alerts/{other.pk}/")["rung"] == 1


def test_alerts_are_found_by_study(reader):
    study = _study()
    _study()
    found = reader.get("/api/alerts/", study_instance_uid=study.study_instance_uid)["results"]
    assert [a["study_instance_uid"] for a in found] == [study.study_instance_uid]


def test_the_wall_shows_each_patient_from_scan_to_report_with_ringing_ones_first(nurse, reader):
    quiet = make_study(complete=False)
    make_order(quiet)
    ranking.place(study_id=quiet.pk, cause="test")
    clean = _study(probability=0.1)
    elsewhere = _study(department="ER south", probability=0.1)
    rings = _study(priority="routine")
    outpatient = _study(location_class="outpatient", department="Clinic", probability=0.1)

    def wall(caller: Caller) -> dict[str, dict]:
        rows = caller.get("/api/er/patients/")["results"]
        for row in rows:
            assert_matches(row, "ErPatient")
        return {row["study_instance_uid"]: row for row in rows}

    rows = wall(nurse)
    assert next(iter(rows)) == rings.study_instance_uid
    assert set(rows) == {s.study_instance_uid for s in (quiet, clean, rings)}
    assert elsewhere.study_instance_uid in wall(reader) and outpatient.study_instance_uid not in wall(reader)
    assert rows[quiet.study_instance_uid]["stage"] == "scanned"
    assert rows[clean.study_instance_uid]["stage"] == "complete"
    assert rows[clean.study_instance_uid]["alert"] is None
    assert rows[clean.study_instance_uid]["preview_url"].endswith("/thumbnail")
    assert rows[rings.study_instance_uid]["alert"]["state"] == "raised"

    claims.claim(item_id=clean.worklist_item.pk, user=reader.user)
    assert wall(nurse)[clean.study_instance_uid]["stage"] == "being_read"
    report = Report.objects.create(
        study=clean,
        state="draft",
        sections=[{"key": "impression", "title": "Impression", "text": "Draft.", "suggestions": []}],
    )
    assert wall(nurse)[clean.study_instance_uid]["report"] is None, "a draft is nobody's to read"
    when = timezone.now()
    report.state, report.signed_by, report.signed_at = "final", reader.user, when
    report.signed_sections = [{"key": "impression", "title": "Impression", "text": "No hemorrhage."}]
    report.save()
    claims.mark_signed(study_id=clean.pk, signed_at=when)
    row = wall(nurse)[clean.study_instance_uid]
    assert (row["stage"], row["report"]["impression"]) == ("signed", "No hemorrhage.")
    assert row["report"]["signed_by"]["display_name"] == "Dr. Anna"
    WorklistItem.objects.filter(study=clean).update(signed_at=when - timedelta(hours=25))
    assert clean.study_instance_uid not in wall(nurse)


@pytest.mark.parametrize("number", [3, 20])
@pytest.mark.parametrize(("path", "budget"), [("/api/er/patients/", 11), ("/api/alerts/", 9)])
def test_the_lists_take_the_same_few_queries_however_long_they_are(
    nurse, number, path, budget, django_assert_max_num_queries
):
    model = make_model()
    for _ in range(number):
        _study(model=model)
    nurse.get(path)
    with django_assert_max_num_queries(budget):
        assert len(nurse.get(path)["results"]) == number
