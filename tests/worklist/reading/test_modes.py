"""Reading modes: who sees AI when, at every door of the API; and what is written down of it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from foundation.accounts.models import User
from foundation.audit.models import AuditEvent
from pacs.models import Study
from pacs.services import IncomingInstance, Source, store_derived, store_instances
from tests.worklist.api.caller import Caller
from tests.worklist.api.schema import assert_matches
from tests.worklist.making import make_model, make_order, make_run, make_study
from worklist.alerts import services as alerts
from worklist.alerts.models import Delivery
from worklist.queue import claims, ranking
from worklist.reading import selectors, services
from worklist.reading.models import Look, Mode, ReadingMode
from worklist.reports import services as reports
from worklist.reports.models import Report

pytestmark = pytest.mark.django_db
# Whatever of these words stands in an answer tells what AI said.
TELLTALE = ("ai_finding", "0.93", "31.0", "hemorrhage 0", "second_opinion", "ich_demo", "AI:")


@pytest.fixture
def admin(make_user: Callable[..., User]) -> Caller:
    return Caller(make_user("pacs_administrator", username="ida"))


@pytest.fixture
def study() -> Study:
    """A routine study of an outpatient that AI raised to the top."""
    study = make_study()
    make_order(study, priority="routine", location_class="outpatient")
    make_run(study, make_model(name="ich_demo"), probability=0.93)
    ranking.place(study_id=study.pk, cause="arrived")
    ranking.place(study_id=study.pk, cause="AI result", tell_anyway=True)
    return study


def set_mode(mode: Mode, user: User | None = None, by: User | None = None) -> None:
    services.set_mode(user=user, mode=mode, reason="a trial", by=by or User.objects.first())


def path(study: Study, rest: str = "") -> str:
    return f"/api/worklist/{study.study_instance_uid}/{rest}"


def test_without_a_mode_ai_is_visible_and_a_readers_own_mode_wins_over_the_sites(reader, other, make_user):
    assert selectors.mode_of(reader.user) == Mode.VISIBLE
    set_mode(Mode.HIDDEN)
    set_mode(Mode.AFTER_FIRST_LOOK, reader.user)
    assert selectors.mode_of(reader.user) == Mode.AFTER_FIRST_LOOK
    assert selectors.mode_of(other.user) == Mode.HIDDEN
    assert selectors.mode_of(make_user("qa_reviewer")) == Mode.VISIBLE
    assert other.get("/api/me/")["reading_mode"] == "hidden"


def test_there_is_one_mode_of_the_site(reader):
    set_mode(Mode.HIDDEN)
    with pytest.raises(IntegrityError), transaction.atomic():
        ReadingMode.objects.create(mode=Mode.VISIBLE, reason="twice", set_at=timezone.now())


@pytest.mark.parametrize("mode", [Mode.HIDDEN, Mode.AFTER_FIRST_LOOK])
def test_nothing_of_ai_is_in_what_a_blinded_reader_is_given_and_the_order_stays(
    reader, other, study, mode, make_user
):
    later = make_study()
    ranking.place(study_id=later.pk, cause="arrived")
    report = reports.open_draft(study=study, by=reader.user)
    seen = other.get("/api/worklist/")["results"]
    set_mode(mode, reader.user)
    page = reader.get("/api/worklist/")
    assert [one["id"] for one in page["results"]] == [one["id"] for one in seen]
    item = page["results"][0]
    assert_matches(item, "WorklistItem")
    assert (item["ai_status"], item["ai_hidden"], item["findings"]) == ("hidden", mode.value, [])
    assert item["due_at"] == item["due_without_ai_at"] == seen[0]["due_at"]
    answers = [
        page,
        reader.get(path(study)),
        reader.get(path(study, "history/")),
        reader.get("/api/worklist/summary/"),
        reader.get("/api/triage-runs/"),
        reader.get("/api/triage-plans/"),
        reader.get("/api/alerts/"),
        reader.get("/api/er/patients/"),
        reader.get(f"/api/reports/{report.pk}/"),
        reader.post(path(study, "opened/")),
        reader.post(path(study, "claim/")),
    ]
    for answer in answers:
        told = json.dumps(answer)
        assert not [word for word in TELLTALE if word in told], told
    assert reader.get("/api/worklist/", ai_flag="true")["count"] == 0
    assert reader.get("/api/worklist/", ai_flag="false")["count"] == 2
    assert reader.get("/api/worklist/", ai_status="done")["count"] == 0
    assert reader.get("/api/worklist/summary/")["ai_flags"] == 0
    # Others see it all the same.
    assert other.get(path(study))["findings"][0]["probability"] == 0.93
    assert other.get("/api/worklist/", ai_flag="true")["count"] == 1


@pytest.mark.parametrize(("mode", "status"), [(Mode.VISIBLE, 200), (Mode.HIDDEN, 404)])
def test_fhir_tells_a_blinded_reader_nothing_of_ai(reader, study, mode, status):
    set_mode(mode, reader.user)
    uid, run = study.study_instance_uid, study.triage_runs.get()
    found = reader.get("/fhir/Observation", study=f"urn:oid:{uid}")["total"]
    assert found == (1 if status == 200 else 0)
    assert reader.get("/fhir/Task", study=f"urn:oid:{uid}")["total"] == found
    reader.get(f"/fhir/Observation/{run.findings.get().pk}", status=status)


def test_ai_comes_with_the_committed_first_look_and_both_times_are_kept(reader, other, study):
    set_mode(Mode.AFTER_FIRST_LOOK)
    reader.post(path(study, "opened/"))
    before = reader.get(path(study, "reading/"))
    assert_matches(before, "Reading")
    assert (before["mode"], before["hidden"], before["ai_shown_at"]) == ("after_first_look", True, None)
    assert "impression" in reader.post(path(study, "first-look/"), {"impression": "  "}, status=400)["errors"]
    after = reader.post(path(study, "first-look/"), {"impression": "No bleed seen."})
    assert (after["hidden"], after["impression"]) == (False, "No bleed seen.")
    assert after["opened_at"] < after["first_look_at"] <= after["ai_shown_at"]
    assert reader.get(path(study))["findings"][0]["probability"] == 0.93
    # The first one stands, and it is nobody else's.
    again = reader.post(path(study, "first-look/"), {"impression": "A bleed after all."})
    assert again == after
    assert other.get(path(study))["ai_status"] == "hidden"
    assert AuditEvent.objects.filter(detail__what="first look committed").count() == 1


def test_ai_hidden_stays_hidden_until_the_signature(reader, study):
    set_mode(Mode.HIDDEN)
    assert reader.post(path(study, "first-look/"), {"impression": "x"}, status=409)["title"]
    report = reports.open_draft(study=study, by=reader.user)
    Report.objects.filter(pk=report.pk).update(state="final", signed_by=reader.user, signed_at=timezone.now())
    assert reader.get(path(study))["findings"][0]["probability"] == 0.93


def test_opening_says_when_ai_was_first_shown(reader, study):
    reader.get(path(study))
    assert not Look.objects.exists()
    reader.post(path(study, "opened/"))
    look = Look.objects.get()
    assert look.ai_shown_at == look.opened_at
    reader.post(path(study, "opened/"))
    assert Look.objects.get().ai_shown_at == look.ai_shown_at


def test_an_answer_that_comes_while_the_study_is_open_is_shown_then(reader):
    study = make_study()
    ranking.place(study_id=study.pk, cause="arrived")
    reader.post(path(study, "opened/"))
    assert Look.objects.get().ai_shown_at is None
    make_run(study, make_model(), probability=0.93)
    reader.get(path(study))
    look = Look.objects.get()
    assert look.ai_shown_at is not None and look.ai_shown_at > look.opened_at


def test_a_blinded_reader_cannot_answer_to_ai_and_signs_without_its_checks(reader, study):
    set_mode(Mode.HIDDEN)
    claims.claim(item_id=study.worklist_item.pk, user=reader.user)
    report = reports.open_draft(study=study, by=reader.user)
    finding = study.triage_runs.get().findings.get()
    body = {"decision": "accepted", "version": report.version}
    assert (
        reader.post(f"/api/reports/{report.pk}/findings/{finding.pk}/", body, 409)["title"] == "AI is hidden"
    )
    sid = next(s["id"] for section in report.sections for s in section["suggestions"])
    taken = {"state": "accepted", "version": report.version}
    reader.post(f"/api/reports/{report.pk}/suggestions/{sid}/", taken, 409)
    reader.post(path(study, "opened/"))
    changed = {
        "version": report.version,
        "sections": [{"key": "impression", "text": "Normal for age."}],
        "conclusions": [{"code": "1386000", "value": "absent"}],
    }
    document = reader.patch(f"/api/reports/{report.pk}/", changed)
    assert document["checks"] == []
    signed = reader.post(f"/api/reports/{report.pk}/sign/", {"version": document["version"]})
    assert signed["state"] == "final"


def test_signing_waits_for_the_first_look(reader, study):
    set_mode(Mode.AFTER_FIRST_LOOK)
    claims.claim(item_id=study.worklist_item.pk, user=reader.user)
    report = reports.open_draft(study=study, by=reader.user)
    codes = {check["code"] for check in reader.get(f"/api/reports/{report.pk}/")["checks"]}
    assert "first_look_missing" in codes and "undecided_finding" not in codes
    reader.post(path(study, "first-look/"), {"impression": "A left bleed."})
    codes = {check["code"] for check in reader.get(f"/api/reports/{report.pk}/")["checks"]}
    assert "first_look_missing" not in codes and "undecided_finding" in codes


def test_an_alert_told_to_a_blinded_reader_by_name_can_still_be_answered(reader, study):
    alerts.raise_for_run(run_id=study.triage_runs.get().pk)
    alert = study.alerts.get()
    set_mode(Mode.HIDDEN)
    assert reader.get("/api/alerts/")["count"] == 0
    Delivery.objects.create(
        alert=alert, rung=0, round=1, channel="sms", recipient="x", user=reader.user, label="Dr. Anna",
        next_attempt_at=timezone.now(),
    )  # fmt: skip
    assert reader.get("/api/alerts/")["count"] == 1


def test_modes_are_set_by_administrators_with_a_reason_and_stand_in_the_trail(admin, reader):
    page = admin.get("/api/reading-modes/")
    assert (page["results"][0]["reader"], page["results"][0]["mode"]) == (None, "visible")
    assert_matches(page["results"][1], "ModeRow")
    body = {"username": "anna", "mode": "after_first_look", "reason": "trial of first looks"}
    row = admin.post("/api/reading-modes/", body)
    assert (row["mode"], row["set_by"]["username"]) == ("after_first_look", "ida")
    assert reader.get("/api/me/")["reading_mode"] == "after_first_look"
    admin.post("/api/reading-modes/", {"username": "", "mode": "hidden", "reason": "trial"})
    admin.post("/api/reading-modes/", body | {"mode": None})
    assert reader.get("/api/me/")["reading_mode"] == "hidden"
    refused = admin.post("/api/reading-modes/", body | {"username": "nobody"}, status=400)
    assert refused["detail"] == "No radiologist here has this user name."
    admin.post("/api/reading-modes/", body | {"username": "", "mode": None}, status=400)
    reader.get("/api/reading-modes/", status=403)
    reader.post("/api/reading-modes/", body, status=403)
    assert AuditEvent.objects.filter(detail__what="reading mode").count() == 3


def test_looks_are_for_those_who_judge(admin, reader, study):
    reader.post(path(study, "opened/"))
    (row,) = admin.get("/api/looks/", study_instance_uid=study.study_instance_uid)["results"]
    assert_matches(row, "LookRow")
    assert (row["reader"]["username"], row["mode"]) == ("anna", "visible")
    reader.get("/api/looks/", status=403)


@pytest.mark.parametrize("number", [2, 12])
def test_a_blinded_list_takes_the_same_few_queries(reader, number, django_assert_max_num_queries):
    set_mode(Mode.AFTER_FIRST_LOOK)
    model = make_model()
    for _ in range(number):
        study = make_study()
        make_run(study, model, probability=0.9)
        ranking.place(study_id=study.pk, cause="test")
    reader.get("/api/worklist/")
    with django_assert_max_num_queries(15):
        assert len(reader.get("/api/worklist/")["results"]) == number


def dicom(study_uid: str, modality: str) -> Dataset:
    dataset = dcmread(get_testdata_file("CT_small.dcm"))
    dataset.StudyInstanceUID, dataset.Modality = study_uid, modality
    dataset.SeriesInstanceUID, dataset.SOPInstanceUID = generate_uid(), generate_uid()
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return dataset


@pytest.fixture
def archived(settings, tmp_path) -> Study:
    """A study of one CT series, with what AI and a reader put beside it."""
    settings.ARCHIVE_DIR = tmp_path / "archive"
    uid = generate_uid()
    buffer = io.BytesIO()
    dicom(uid, "CT").save_as(buffer, enforce_file_format=True)
    source = Source(label="test", channel="command")
    store_instances([IncomingInstance(data=buffer.getvalue())], source=source)
    store_derived([dicom(uid, "SEG"), dicom(uid, "SR")], "triage")
    store_derived([dicom(uid, "KO")], "reading")
    study = Study.objects.get(study_instance_uid=uid)
    ranking.place(study_id=study.pk, cause="arrived")
    return study


def test_dicomweb_knows_nothing_of_ais_series_while_they_are_hidden(reader, other, archived):
    set_mode(Mode.HIDDEN, reader.user)
    root = f"/dicom-web/studies/{archived.study_instance_uid}"
    ai = archived.series.get(modality="SEG")
    instance = ai.instances.get()

    def modalities(caller: Caller, **asked: str) -> list[str]:
        return [s["00080060"]["Value"][0] for s in caller.get(f"{root}/series", **asked)]

    assert sorted(modalities(other)) == ["CT", "KO", "SEG", "SR"]
    assert sorted(modalities(reader)) == ["CT", "KO"]
    assert modalities(reader, ModalitiesInStudy="SEG") == []
    assert len(reader.get(f"{root}/instances")) == 2
    assert len(reader.get(f"{root}/metadata")) == 2
    assert len(other.get(f"{root}/metadata")) == 4
    for gone in (
        f"/series/{ai.series_instance_uid}/metadata",
        f"/series/{ai.series_instance_uid}/thumbnail",
        f"/series/{ai.series_instance_uid}/instances/{instance.sop_instance_uid}/rendered",
        f"/series/{ai.series_instance_uid}/instances/{instance.sop_instance_uid}",
    ):
        reader.get(root + gone, status=404)
    (found,) = reader.get("/dicom-web/studies", StudyInstanceUID=archived.study_instance_uid)
    assert found["00080061"]["Value"] == ["CT", "KO"]
    assert (found["00201206"]["Value"], found["00201208"]["Value"]) == ([2], [2])
    assert reader.get("/dicom-web/studies", ModalitiesInStudy="SEG") == []
    assert len(other.get("/dicom-web/studies", ModalitiesInStudy="SEG")) == 1
    browsed = reader.get(f"/api/studies/{archived.study_instance_uid}/")
    assert (browsed["number_of_series"], len(browsed["series"]), browsed["modalities"]) == (
        2,
        2,
        ["CT", "KO"],
    )
    item = reader.get(path(archived))
    assert (item["number_of_series"], item["number_of_instances"]) == (2, 2)
    assert other.get(path(archived))["number_of_series"] == 4


def test_a_committed_first_look_opens_ais_series(reader, archived):
    set_mode(Mode.AFTER_FIRST_LOOK)
    root = f"/dicom-web/studies/{archived.study_instance_uid}/series"
    assert len(reader.get(root)) == 2
    reader.post(path(archived, "first-look/"), {"impression": "Nothing acute."})
    assert len(reader.get(root)) == 4
