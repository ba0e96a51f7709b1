"""`/api/worklist/`: exact documents, filters, claims, and a constant number of queries."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from foundation.audit.models import AuditEvent
from pacs.models import Study
from tests.worklist.api.schema import assert_matches
from tests.worklist.making import make_model, make_order, make_run, make_study
from worklist.quality.models import Review
from worklist.queue import claims, ranking
from worklist.queue.models import WorklistItem
from worklist.reports.models import FindingDecision, Report
from worklist.rota.models import Membership, ReadingGroup

pytestmark = pytest.mark.django_db


def _placed(*, order: dict | None = None, probability: float | None = None, model=None, **fields) -> Study:
    study = make_study(**fields)
    if order is not None:
        make_order(study, **order)
    if probability is not None:
        make_run(study, model or make_model(), probability=probability)
    ranking.place(study_id=study.pk, cause="test")
    return study


def _uids(page) -> list[str]:
    return [item["study_instance_uid"] for item in page["results"]]


def test_a_row_has_exactly_the_fields_of_its_schema(reader):
    study = _placed(order={}, probability=0.93)
    make_study(patient=study.patient, study_date="20250101")
    item = reader.get("/api/worklist/")["results"][0]
    assert_matches(item, "WorklistItem")
    order = study.order
    assert item["patient"] == {
        "id": study.patient.patient_id,
        "name": study.patient.patient_name,
        "birth_date": "1955-03-15",
        "age": "71 Y",
        "sex": "F",
    }
    assert (item["modality"], item["study_date"], item["prior_count"]) == ("CT", "2026-11-24", 1)
    assert (item["location"], item["reason_for_exam"]) == (order.location, order.reason_for_exam)
    assert item["due_at"] < item["due_without_ai_at"] and item["due_at"].endswith("Z")
    assert [r["code"] for r in item["reasons"]] == ["order", "ai_finding"]
    finding = item["findings"][0]
    assert (finding["presence"], finding["probability"], finding["volume_ml"]) == ("present", 0.93, 31.0)
    assert (finding["model_state"], finding["ppv"], finding["decision"]) == ("live", None, None)


def test_a_row_without_order_ai_or_dates_fits_the_schema_too(reader):
    _placed(complete=False, study_date="", accession_number="", modalities="")
    assert_matches(reader.get("/api/worklist/")["results"][0], "WorklistItem")


def test_nothing_found_is_one_absent_finding_and_shadow_models_show_nothing(reader):
    study = _placed(probability=0.1)
    make_run(study, make_model("shadow"), probability=0.99)
    item = reader.get(f"/api/worklist/{study.study_instance_uid}/")
    assert [f["presence"] for f in item["findings"]] == ["absent"]


def test_a_flag_shows_what_it_is_worth_here_and_what_the_reader_said(reader, make_user):
    model = make_model()
    study = _placed(probability=0.93, model=model)
    run = study.triage_runs.get()
    for n, result in enumerate(["positive", "positive", "negative", "uncertain"]):
        Review.objects.create(
            study=study, run=run, report_id=n, report_version=1, ai_result="positive", reader_result=result,
            concordance="concordant", sampled="random", signed_at=timezone.now(),
        )  # fmt: skip
    report = Report.objects.create(study=study)
    FindingDecision.objects.create(
        report=report, finding=run.findings.get(), decision="accepted", by=make_user("radiologist")
    )
    item = reader.get(f"/api/worklist/{study.study_instance_uid}/")
    assert_matches(item, "WorklistItem")
    finding = item["findings"][0]
    assert finding["decision"] == "accepted"
    assert (item["report_id"], item["report_state"]) == (str(report.pk), "draft")
    ppv = finding["ppv"]
    assert (ppv["flags"], ppv["true_flags"], round(ppv["value"], 3)) == (3, 2, 0.667)
    assert 0.2 < ppv["low"] < ppv["value"] < ppv["high"] < 0.95


def test_the_list_is_ordered_by_deadline_and_ties_by_arrival(reader):
    now = timezone.now()
    later = _placed(received_at=now - timedelta(minutes=1))
    earlier = _placed(received_at=now - timedelta(minutes=2))
    flagged = _placed(probability=0.9)
    stat = _placed(order={}, received_at=now - timedelta(minutes=29))
    expected = [stat, flagged, earlier, later]
    assert _uids(reader.get("/api/worklist/")) == [s.study_instance_uid for s in expected]
    WorklistItem.objects.update(due_at=now, due_without_ai_at=now + timedelta(hours=1))
    by_arrival = [stat, earlier, later, flagged]
    assert _uids(reader.get("/api/worklist/")) == [s.study_instance_uid for s in by_arrival]


def test_each_filter_finds_its_study_and_no_other(reader):
    mine = _placed(order={"reason_for_exam": "Thunderclap headache"}, probability=0.9)
    _placed(modalities="CR", accession_number="OTHER")
    reader.post(f"/api/worklist/{mine.study_instance_uid}/claim/")
    item = mine.worklist_item
    wanted = {
        "study_instance_uid": mine.study_instance_uid,
        "accession_number": mine.accession_number,
        "patient_id": mine.patient.patient_id,
        "modality": "CT",
        "priority_class": "stat",
        "location_class": "er",
        "state": "claimed",
        "ai_status": "done",
        "ai_flag": "true",
        "mine": "true",
        "id": str(item.pk),
        "search": "thunderclap SYNTHETIC",
    }
    for name, value in wanted.items():
        assert _uids(reader.get("/api/worklist/", **{name: value})) == [mine.study_instance_uid], name
    assert len(_uids(reader.get("/api/worklist/", modality="SR"))) == 1
    assert _uids(reader.get("/api/worklist/", search="nothing like it")) == []
    assert "state" in reader.get("/api/worklist/", status=400, state="lost")["errors"]


def test_signed_studies_show_only_when_asked_for(reader):
    study = _placed()
    claims.mark_signed(study_id=study.pk, signed_at=timezone.now())
    open_one = _placed()
    assert _uids(reader.get("/api/worklist/")) == [open_one.study_instance_uid]
    both = reader.get("/api/worklist/", state=["open", "claimed", "signed"])
    assert both["count"] == 2
    assert _uids(reader.get("/api/worklist/", state="signed")) == [study.study_instance_uid]


def test_pages_are_as_long_as_asked_for(reader):
    for _ in range(5):
        _placed()
    page = reader.get("/api/worklist/", page_size=2)
    assert (page["count"], len(page["results"]), page["previous"]) == (5, 2, None)
    assert "page=2" in page["next"]


@pytest.mark.parametrize("number", [5, 50])
def test_the_list_takes_the_same_few_queries_however_long_it_is(
    reader, number, django_assert_max_num_queries
):
    model = make_model()
    for n in range(number):
        study = _placed(order={}, probability=0.9 if n % 2 else 0.1, model=model)
        if n % 3 == 0:
            claims.claim(item_id=study.worklist_item.pk, user=reader.user)
    reader.get("/api/worklist/")
    with django_assert_max_num_queries(12):
        assert len(reader.get("/api/worklist/")["results"]) == number


def test_summary_counts_what_the_head_of_the_list_shows(reader):
    _placed(order={}, received_at=timezone.now() - timedelta(minutes=10))
    mine = _placed(probability=0.9)
    signed = _placed()
    claims.claim(item_id=mine.worklist_item.pk, user=reader.user)
    claims.mark_signed(study_id=signed.pk, signed_at=timezone.now())
    summary = reader.get("/api/worklist/summary/")
    assert_matches(summary, "WorklistSummary")
    assert summary == {
        "open": 2,
        "unclaimed": 1,
        "mine": 1,
        "stat": 1,
        "er": 1,
        "ai_flags": 1,
        "due_30_min": 2,
        "held": 0,
        "assigned_to_me": 0,
        "signed_today": 1,
        "by_class": {"stat": 1, "asap": 0, "routine": 1},
    }


def test_rows_name_their_groups_and_counts_are_of_the_list_that_is_asked_for(reader, other):
    study, _free = _placed(), _placed()
    group = ReadingGroup.objects.create(name="Neuro", modalities=["US"])
    Membership.objects.create(group=group, user=other.user)
    study.worklist_item.groups.set([group])
    path = f"/api/worklist/{study.study_instance_uid}/"
    item = reader.get(path)
    assert_matches(item, "WorklistItem")
    assert (item["groups"], item["shared"]) == ([{"id": str(group.pk), "name": "Neuro"}], False)
    summary = "/api/worklist/summary/"
    assert [reader.get(f"{summary}{q}")["open"] for q in ("", "?list=mine", f"?group={group.pk}")] == [
        2,
        1,
        1,
    ]
    assert other.get(f"{summary}?list=mine")["open"] == 2
    assert "list" in reader.get(f"{summary}?list=theirs", status=400)["errors"]
    WorklistItem.objects.update(shared_at=timezone.now())
    assert reader.get(path)["shared"] is True
    assert reader.get(f"{summary}?list=mine")["open"] == 2


def test_claiming_names_the_holder_to_whoever_comes_second(reader, other):
    path = f"/api/worklist/{_placed().study_instance_uid}"
    item = reader.post(f"{path}/claim/")
    assert_matches(item, "WorklistItem")
    assert (item["state"], item["is_mine"], item["version"]) == ("claimed", True, 2)
    problem = other.post(f"{path}/claim/", status=409)
    assert_matches(problem, "Taken")
    assert problem["holder"] == {"username": "anna", "display_name": "Dr. Anna"}
    assert problem["detail"] == "Dr. Anna is reading this study."
    assert problem["claim_expires_at"] == item["claim_expires_at"]
    assert other.get(f"{path}/")["is_mine"] is False
    assert other.post(f"{path}/release/", status=409)["holder"]["username"] == "anna"
    assert reader.post(f"{path}/release/")["claimed_by"] is None
    ended = reader.post(f"{path}/heartbeat/", status=409)
    assert (ended["title"], ended["holder"]) == ("Not claimed", None)
    assert other.post(f"{path}/claim/")["claimed_by"]["username"] == "bert"
    assert other.post(f"{path}/heartbeat/")["is_mine"] is True


def test_next_claims_the_most_urgent_free_study_until_none_is_left(reader, other):
    routine, stat = _placed(), _placed(order={})
    assert reader.post("/api/worklist/next/")["study_instance_uid"] == stat.study_instance_uid
    assert other.post("/api/worklist/next/")["study_instance_uid"] == routine.study_instance_uid
    assert other.post("/api/worklist/next/", status=404)["title"] == "Nothing to read"


def test_opening_keeps_the_first_time_and_what_ai_had_said_by_then(reader, other):
    study = _placed(probability=0.93)
    path = f"/api/worklist/{study.study_instance_uid}/opened/"
    first = reader.post(path)["first_opened_at"]
    assert first is not None
    assert other.post(path)["first_opened_at"] == first
    event = AuditEvent.objects.get(detail__what="first opened")
    assert event.username == "anna"
    assert event.detail["findings_shown"] == [str(study.triage_runs.get().findings.get().pk)]


def test_history_and_priors_say_how_it_came_and_what_was_before(reader):
    study = _placed()
    make_order(study)
    ranking.place(study_id=study.pk, cause="order received")
    prior = make_study(patient=study.patient, study_date="20250101", study_description="SYNTHETIC old")
    path = f"/api/worklist/{study.study_instance_uid}"
    history = reader.get(f"{path}/history/")
    assert [change["cause"] for change in history] == ["arrived", "order received"]
    assert_matches(history[0], "RankChange")
    assert history[0]["due_at"] > history[1]["due_at"]
    (before,) = reader.get(f"{path}/priors/")
    assert_matches(before, "Prior")
    assert (before["study_instance_uid"], before["study_date"]) == (prior.study_instance_uid, "2025-01-01")


def test_a_study_that_is_not_there_is_a_problem_document(reader):
    assert reader.get("/api/worklist/1.2.3/", status=404)["title"] == "Not found"


def test_reading_and_claiming_stand_in_the_audit_trail_without_the_values_searched_for(reader):
    study = _placed()
    uid = study.study_instance_uid
    reader.get("/api/worklist/", search="SYNTHETIC", unknown="Smith")
    reader.get(f"/api/worklist/{uid}/")
    reader.post(f"/api/worklist/{uid}/claim/")
    events = AuditEvent.objects.filter(username="anna", channel="api")
    query = events.get(kind="110112")
    assert query.detail == {"what": "worklist by search", "filters": ["search"]}
    read = events.get(kind="110110", action="R")
    assert (read.study_instance_uid, read.patient_id) == (uid, study.patient.patient_id)
    assert events.get(action="U").detail == {"what": "claimed"}
