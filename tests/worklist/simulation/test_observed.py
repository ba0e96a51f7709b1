"""A department's figures from the site's own log."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.worklist.making import make_model, make_run, make_study
from worklist.quality.statistics import Table
from worklist.queue import ranking
from worklist.queue.models import WorklistItem
from worklist.simulation.documents import defaults, parameters_of
from worklist.simulation.observed import ENOUGH, parameters_from_log

pytestmark = pytest.mark.django_db


def minutes(number):
    return timedelta(minutes=number)


def test_an_empty_log_gives_the_synthetic_department_and_says_so():
    found, notes = parameters_from_log(timezone.now())
    assert found == defaults()
    assert len(notes) == 4
    assert all("synthetic" in note for note in notes)


def test_figures_come_from_the_log_where_there_are_enough(monkeypatch, django_assert_num_queries):
    now = timezone.now()
    model = make_model()
    for number in range(ENOUGH + 4):
        study = make_study(received_at=now - minutes(30 * (number + 1)))
        ranking.place(study_id=study.pk, cause="test")
        arrived = study.received_at
        run = make_run(study, model, probability=0.1, model_state="live")
        type(run).objects.filter(pk=run.pk).update(finished_at=arrived + minutes(3))
        WorklistItem.objects.filter(study=study).update(
            arrived_at=arrived,
            priority_class="stat" if number % 4 == 0 else "routine",
            location_class="er" if number % 4 == 0 else "inpatient",
            first_opened_at=arrived + minutes(5),
            # Every other one takes 10 minutes, the rest 30; one lay open over night.
            signed_at=arrived + minutes(5 + (10 if number % 2 else 30) if number else 900),
        )
    monkeypatch.setattr(
        "worklist.simulation.observed.quality.summary",
        lambda: [(model, Table(tp=18, fn=2, tn=160, fp=20)), (make_model("shadow"), Table(tp=500, tn=500))],
    )
    with django_assert_num_queries(3):  # items, results, and the second model that the patch makes
        found, notes = parameters_from_log(now)
    assert found["arrivals_per_hour"] == pytest.approx(2.0)
    assert found["load"] is None
    assert 19 < found["read_minutes"] < 21
    assert (found["read_shape"], found["readers"]) == ("lognormal", 1)
    assert found["ai_delay_minutes"] == 3.0
    assert (found["prevalence"], found["sensitivity"]) == (0.1, 0.9)
    assert found["specificity"] == pytest.approx(0.8889)
    assert [(c["priority"], c["location"], c["share"]) for c in found["classes"]] == [
        ("routine", "inpatient", 0.75),
        ("stat", "er", 0.25),
    ]
    assert not any("synthetic" in note for note in notes)
    assert parameters_of(found).department.utilisation < 1
