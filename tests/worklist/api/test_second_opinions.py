"""Readers see what a second model says beside a finding and among the reasons; the rank stays where it is."""

from __future__ import annotations

import pytest

from tests.worklist.api.schema import assert_matches
from tests.worklist.making import make_model, make_order, make_run, make_study
from worklist.queue import ranking

pytestmark = pytest.mark.django_db
CONFIRMS = {"second_opinion_to": "quick"}


def _item(reader, study):
    ranking.place(study_id=study.pk, cause="test")
    item = reader.get(f"/api/worklist/{study.study_instance_uid}/")
    assert_matches(item, "WorklistItem")
    return item


def _quick(item):
    return next(f for f in item["findings"] if f["model"] == "quick")


def test_disagreement_is_shown_and_moves_no_deadline(reader):
    study = make_study()
    make_order(study, priority="routine", location_class="outpatient")
    make_run(study, make_model(name="quick"), probability=0.93)
    before = _item(reader, study)
    make_run(study, make_model(name="slow", config=CONFIRMS), probability=0.02)
    after = _item(reader, study)
    opinion = _quick(after)["second_opinion"]
    assert (opinion["agreement"], opinion["model"], opinion["probability"]) == ("disagree", "slow", 0.02)
    assert after["due_at"] == before["due_at"]
    assert [r["code"] for r in after["reasons"]] == ["order", "ai_finding", "second_opinion"]
    assert "models disagree" in after["reasons"][-1]["text"]


def test_a_second_model_that_finds_what_the_first_did_not_raises_the_study(reader):
    study = make_study()
    make_order(study, priority="routine", location_class="outpatient")
    make_run(study, make_model(name="quick"), probability=0.1)
    before = _item(reader, study)
    make_run(study, make_model(name="slow", config=CONFIRMS), probability=0.97)
    after = _item(reader, study)
    assert after["due_at"] < before["due_at"]
    assert {f["presence"] for f in after["findings"]} == {"present", "absent"}
    assert _quick(after)["second_opinion"]["agreement"] == "disagree"


def test_a_second_opinion_to_come_is_told_and_ai_counts_as_done(reader):
    study = make_study()
    make_run(study, make_model(name="quick"), probability=0.93)
    make_run(study, make_model(name="slow", config=CONFIRMS))
    item = _item(reader, study)
    assert (item["ai_status"], _quick(item)["second_opinion"]["agreement"]) == ("done", "pending")


def test_of_a_shadow_model_readers_see_no_trace(reader):
    study = make_study()
    make_run(study, make_model(name="quick"), probability=0.93)
    make_run(study, make_model("shadow", name="slow", config=CONFIRMS), probability=0.02)
    item = _item(reader, study)
    assert [f["model"] for f in item["findings"]] == ["quick"]
    assert _quick(item)["second_opinion"] is None
    assert "slow" not in str(item)
