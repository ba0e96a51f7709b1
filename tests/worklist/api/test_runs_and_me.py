"""`/api/triage-runs/` and `/api/me/`."""

from __future__ import annotations

import pytest

from tests.worklist.api.caller import Caller
from tests.worklist.api.schema import assert_matches
from tests.worklist.making import make_model, make_run, make_study

pytestmark = pytest.mark.django_db


def test_a_run_names_its_model_weights_input_and_findings(reader):
    study = make_study()
    run = make_run(study, make_model(), probability=0.93)
    make_run(make_study(), make_model())
    (found,) = reader.get("/api/triage-runs/", study_instance_uid=study.study_instance_uid)["results"]
    assert_matches(found, "TriageRun")
    assert (found["id"], found["state"], found["outcome"]) == (str(run.pk), "done", "positive")
    assert (found["input_instance_count"], len(found["weights_sha256"])) == (30, 64)
    assert found["findings"][0]["presence"] == "present"
    waiting = reader.get("/api/triage-runs/", state="waiting")["results"]
    assert_matches(waiting[0], "TriageRun")
    assert (waiting[0]["outcome"], waiting[0]["findings"], waiting[0]["started_at"]) == ("", [], None)


def test_no_reader_sees_what_a_shadow_model_says(reader, make_user):
    make_run(make_study(), make_model("shadow"), probability=0.93)
    assert reader.get("/api/triage-runs/")["count"] == 0
    assert Caller(make_user("qa_reviewer")).get("/api/triage-runs/")["count"] == 1


@pytest.mark.parametrize("number", [3, 20])
def test_the_runs_take_the_same_few_queries_however_many(reader, number, django_assert_max_num_queries):
    model = make_model()
    for _ in range(number):
        make_run(make_study(), model, probability=0.93)
    reader.get("/api/triage-runs/")
    # One of them asks when this reader may see AI.
    with django_assert_max_num_queries(8):
        assert len(reader.get("/api/triage-runs/")["results"]) == number


def test_me_says_who_i_am_and_that_this_is_not_for_clinical_use(reader):
    me = reader.get("/api/me/")
    assert_matches(me, "Me")
    assert (me["username"], me["display_name"], me["roles"]) == ("anna", "Dr. Anna", ["radiologist"])
    assert me["site"]["not_for_clinical_use"] is True


def test_my_time_zone_can_be_chosen_and_must_exist(reader):
    assert reader.patch("/api/me/", {"time_zone": "Europe/Berlin"})["time_zone"] == "Europe/Berlin"
    assert "time_zone" in reader.patch("/api/me/", {"time_zone": "Mars/Olympus"}, status=400)["errors"]
    assert reader.get("/api/me/")["time_zone"] == "Europe/Berlin"
    assert reader.patch("/api/me/", {"time_zone": ""})["time_zone"] == ""
