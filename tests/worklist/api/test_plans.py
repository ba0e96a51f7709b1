"""`/api/triage-plans/`: of every series, why a model was or was not given it."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from pacs.models import Study
from tests.worklist.api.caller import Caller
from tests.worklist.api.schema import assert_matches
from tests.worklist.making import make_model, make_series, make_study
from triage.models import ModelState, TriagePlan
from triage.planning import plan_runs

pytestmark = pytest.mark.django_db
PATH = "/api/triage-plans/"


def planned(reader: Caller, study: Study) -> dict[str, Any]:
    (plan,) = reader.get(PATH, study_instance_uid=study.study_instance_uid)["results"]
    assert_matches(plan, "TriagePlan")
    return plan


def live_head_model(**fields: Any) -> Any:
    model = make_model(**fields)
    model.rules.create(name="head CT", conditions={"modality": "CT", "body_part_any": ["HEAD"]})
    return model


def test_every_series_of_the_study_is_there_with_a_reason(reader):
    live_head_model(name="bleeds")
    study = make_study()
    series = make_series(study)
    plan_runs(study_id=study.pk)
    plan = planned(reader, study)
    (model,) = plan["models"]
    assert (model["model"], model["model_state"], model["analyse"]) == ("bleeds", "live", False)
    (entry,) = model["series"]
    assert entry["series_instance_uid"] == series.series_instance_uid
    assert entry["reason"] and len(entry["parts"]) == 5
    assert round(sum(part["points"] for part in entry["parts"]), 2) == entry["score"]


def test_readers_see_nothing_of_shadow_models(reader, make_user):
    live_head_model(name="quiet", state=ModelState.SHADOW)
    study = make_study()
    make_series(study)
    plan_runs(study_id=study.pk)
    plan = planned(reader, study)
    assert (plan["models"], plan["reason"]) == ([], "no live model")
    reviewer = Caller(make_user("qa_reviewer"))
    assert [model["model"] for model in planned(reviewer, study)["models"]] == ["quiet"]


def test_a_plan_made_before_the_parts_were_kept_is_shown(reader):
    study = make_study()
    old = {"model": "m", "version": "1", "chosen": "1.2", "analyse": True, "reason": ""}
    series = {"series_instance_uid": "1.2", "verdict": "fits", "reason": "", "score": 80.0}
    TriagePlan.objects.create(
        study=study,
        study_completed_at=study.completed_at,
        planned_at=timezone.now(),
        considered=[{**old, "model_state": "live", "series": [series]}],
    )
    (entry,) = planned(reader, study)["models"][0]["series"]
    assert (entry["reason"], entry["parts"]) == ("fits the model", [])


def test_the_plans_take_the_same_few_queries_however_many(reader, django_assert_max_num_queries):
    live_head_model()
    for _ in range(8):
        study = make_study()
        make_series(study)
        plan_runs(study_id=study.pk)
    reader.get(PATH)
    with django_assert_max_num_queries(6):
        assert len(reader.get(PATH)["results"]) == 8
