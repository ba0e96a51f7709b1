"""`/api/handovers/`: radiologists leave work and take it."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from foundation.audit.models import AuditEvent
from tests.worklist.api.caller import Caller
from tests.worklist.making import make_model, make_order, make_run, make_study
from worklist.alerts import services as alerts
from worklist.queue import claims, ranking
from worklist.queue.models import Handover

pytestmark = pytest.mark.django_db


def claimed_by(user):
    study = make_study()
    make_order(study)
    item = ranking.place(study_id=study.pk, cause="test")
    claims.claim(item_id=item.pk, user=user)
    return study


def test_work_is_looked_at_handed_over_and_taken_by_another(reader, other):
    study = claimed_by(reader.user)
    alerts.raise_for_run(run_id=make_run(study, make_model(), probability=0.93).pk)
    [work] = reader.get("/api/handovers/open-work/")["studies"]
    assert work["because"] == ["claimed", "alert"]
    assert work["open_alerts"][0]["meaning"] == "Intracranial hemorrhage"
    said = {"studies": [study.study_instance_uid], "note": "Call ward 4 back", "to": "bert"}
    made = reader.post("/api/handovers/", said, status=201)
    assert reader.post("/api/handovers/", said)["id"] == made["id"]
    assert (made["is_mine"], made["taken_at"], made["studies"][0]["claimed_by"]) == (True, None, None)
    [waiting] = other.get("/api/handovers/", open="true")["results"]
    assert (waiting["for_me"], waiting["note"]) == (True, "Call ward 4 back")
    taken = other.post(f"/api/handovers/{made['id']}/take/")
    assert taken["taken_by"]["username"] == taken["studies"][0]["assigned_to"]["username"] == "bert"
    assert other.get("/api/handovers/", open="true")["count"] == 0
    problem = reader.post(f"/api/handovers/{made['id']}/take/", status=409)
    assert problem["detail"] == "Dr. Bert took this over already."
    assert reader.get("/api/handovers/open-work/")["studies"] == []
    told = AuditEvent.objects.filter(study_instance_uid=study.study_instance_uid)
    assert {"handed over", "hand-over taken"} <= {event.detail.get("what") for event in told}


def test_what_is_not_the_callers_or_unknown_is_refused_in_words(reader, other):
    study = claimed_by(other.user)
    problem = reader.post("/api/handovers/", {"studies": [study.study_instance_uid]}, status=409)
    assert "not yours to hand over" in problem["detail"]
    reader.post("/api/handovers/", {"studies": ["1.2.3"]}, status=400)
    reader.post("/api/handovers/", {}, status=400)
    assert Handover.objects.count() == 0


@pytest.mark.parametrize("role", ["er_staff", "qa_reviewer", "pacs_administrator", "service", ""])
def test_only_radiologists_see_and_make_them(make_user, role):
    caller = Caller(make_user(role) if role else make_user())
    handover = Handover.objects.create(by=make_user("radiologist"), note="n")
    for path in ("/api/handovers/", "/api/handovers/open-work/", f"/api/handovers/{handover.pk}/"):
        caller.get(path, status=403)
    caller.post("/api/handovers/", {"note": "n"}, status=403)
    caller.post(f"/api/handovers/{handover.pk}/take/", status=403)


def test_many_take_as_many_queries_as_one_and_reads_are_audited(reader):
    def queries(path):
        with CaptureQueriesContext(connection) as caught:
            reader.get(path)
        return len(caught)

    def fill():
        study = claimed_by(reader.user)
        alerts.raise_for_run(run_id=make_run(study, make_model(), probability=0.93).pk)
        reader.post("/api/handovers/", {"studies": [study.study_instance_uid]}, status=201)
        claimed_by(reader.user)

    fill()
    paths = ("/api/handovers/", "/api/handovers/open-work/")
    for path in paths:
        reader.get(path)
    before = [queries(path) for path in paths]
    for _ in range(3):
        fill()
    assert [queries(path) for path in paths] == before
    assert AuditEvent.objects.filter(detail__what__in=["hand-overs", "own open work"]).count() >= 2
