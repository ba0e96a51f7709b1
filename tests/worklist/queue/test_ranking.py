"""An item exists from the first image, and each piece of news finds its rank."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from pacs.models import Instance, Order, Study
from tests.worklist.making import make_model, make_order, make_plan, make_run, make_series, make_study
from triage.models import TriageRun
from worklist.live.models import Change
from worklist.queue import claims, ranking
from worklist.queue.models import WorklistItem

pytestmark = pytest.mark.django_db


def _place(study, **kwargs) -> WorklistItem:
    return ranking.place(study_id=study.pk, cause="test", **kwargs)


def test_the_first_image_makes_an_item_that_says_no_order_and_waits_for_ai():
    study = make_study(complete=False)
    item = _place(study)
    assert (item.state, item.arrived_at, item.version) == ("open", study.received_at, 1)
    assert item.due_at == study.received_at + timedelta(hours=4)
    assert (item.ai_status, item.ai_reason) == ("waiting", "images are still arriving")
    assert [c.cause for c in item.history.all()] == ["arrived"]


def test_placing_again_without_news_writes_no_history_and_tells_nobody():
    study = make_study()
    item = _place(study)
    told = Change.objects.count()
    again = _place(study)
    assert (again.version, again.history.count(), Change.objects.count()) == (item.version, 1, told)


def test_an_order_moves_the_study_and_the_history_says_why():
    study = make_study()
    _place(study)
    make_order(study)
    item = ranking.place(study_id=study.pk, cause="order received")
    assert item.due_at == study.received_at + timedelta(minutes=30)
    assert (item.priority_class, item.location_class, item.version) == ("stat", "er", 2)
    last = item.history.order_by("pk").last()
    assert (last.cause, last.due_at, last.reasons) == ("order received", item.due_at, item.reasons)
    assert Change.objects.filter(topic="worklist", key=str(item.pk), version=2).exists()


def test_a_finding_of_a_live_model_raises_the_study():
    study = make_study(received_at=timezone.now() - timedelta(minutes=5))
    make_order(study, priority="routine")
    run = make_run(study, make_model(), probability=0.93)
    item = _place(study)
    assert item.ai_flagged and item.ai_status == "done"
    assert item.due_at == run.finished_at + timedelta(minutes=10)
    assert item.due_without_ai_at == study.received_at + timedelta(minutes=120)


@pytest.mark.parametrize(("state", "probability"), [("shadow", 0.99), ("live", 0.2)])
def test_shadow_models_and_probabilities_below_the_threshold_raise_nothing(state, probability):
    study = make_study()
    make_run(study, make_model(state, rank_threshold=0.5), probability=probability)
    item = _place(study)
    assert not item.ai_flagged
    assert item.due_at == item.due_without_ai_at


@pytest.mark.parametrize(
    ("runs", "status", "reason"),
    [
        ([], "not_applicable", "no live model is made for this study"),
        ([("waiting", "")], "waiting", ""),
        ([("running", ""), ("waiting", "")], "running", ""),
        ([("failed", "worker died 3 times")], "failed", "worker died 3 times"),
        ([("not_analysed", "lateral view")], "not_analysed", "lateral view"),
        ([("failed", "a"), ("not_analysed", "b")], "failed", "a"),
    ],
)
def test_ai_late_failed_or_not_applicable_is_said_as_such(runs, status, reason):
    study = make_study()
    for state, why in runs:
        make_run(study, make_model(), state=state, reason=why)
    make_plan(study)
    item = _place(study)
    assert item.ai_status == status
    assert reason in item.ai_reason


def test_a_complete_study_waits_until_triage_has_decided():
    study = make_study()
    assert _place(study).ai_status == "waiting"
    make_plan(study, "no head in it")
    item = _place(study)
    assert (item.ai_status, item.ai_reason) == ("not_applicable", "no head in it")


def test_one_model_done_and_another_failed_tells_of_the_failure():
    study = make_study()
    make_run(study, make_model(), probability=0.1)
    make_run(study, make_model(name="second"), state="failed", reason="out of memory")
    item = _place(study)
    assert (item.ai_status, item.ai_reason) == ("failed", "second: out of memory")


def test_late_images_do_not_push_a_flagged_patient_back_while_ai_looks_again():
    study, model = make_study(), make_model()
    first = make_run(study, model, probability=0.9)
    due = _place(study).due_at
    TriageRun.objects.filter(pk=first.pk).update(state="stale")
    second = make_run(study, model)
    waiting = _place(study)
    assert (waiting.ai_status, waiting.ai_flagged, waiting.due_at) == ("waiting", True, due)
    TriageRun.objects.filter(pk=second.pk).update(state="failed", reason="x")
    assert _place(study).due_at == due
    make_run(study, model, probability=0.95)
    confirmed = _place(study)
    assert confirmed.due_at == due, "known since the model first said so"
    assert "0.95" in confirmed.reasons[1]["text"]


def test_a_repeat_that_finds_nothing_takes_the_promotion_back_and_not_more():
    study, model = make_study(), make_model()
    first = make_run(study, model, probability=0.9)
    _place(study)
    TriageRun.objects.filter(pk=first.pk).update(state="stale")
    make_run(study, model, probability=0.1)
    item = _place(study)
    assert not item.ai_flagged
    assert item.due_at == item.due_without_ai_at


def test_a_signed_study_keeps_its_place_and_tells_of_images_that_came_after():
    study = make_study()
    item = _place(study)
    claims.mark_signed(study_id=study.pk, signed_at=timezone.now())
    make_order(study)
    series, derived = make_series(study), make_series(study, derived=True)
    for n, one in enumerate([series, series, derived]):
        Instance.objects.create(
            sop_instance_uid=f"2.25.7{n}", series=one, sop_class_uid="1", transfer_syntax_uid="1",
            storage_key=f"k{n}", size=1, sha256="0" * 64, metadata=b"", stored_at=timezone.now(),
        )  # fmt: skip
    after = _place(study)
    assert (after.state, after.due_at) == ("signed", item.due_at)
    assert after.reasons[-1]["text"] == "2 images arrived after signing"
    assert _place(study).version == after.version


def test_the_sweep_ranks_by_an_old_order_that_was_joined_without_news():
    study = make_study(received_at=timezone.now() - timedelta(hours=1))
    _place(study)
    order = make_order(None)
    Order.objects.filter(pk=order.pk).update(study=study, updated_at=timezone.now() - timedelta(days=1))
    assert ranking.place_lost() == 1
    assert WorklistItem.objects.get(study=study).priority_class == "stat"
    assert ranking.place_lost() == 0


def test_the_sweep_places_what_no_event_placed_and_then_finds_nothing(django_assert_max_num_queries):
    forgotten = make_study()
    ordered, analysed = make_study(), make_study()
    for study in (ordered, analysed):
        _place(study)
    make_order(ordered)
    make_run(analysed, make_model(), probability=0.9)
    assert ranking.place_lost() == 3
    assert WorklistItem.objects.get(study=forgotten).state == "open"
    assert WorklistItem.objects.get(study=ordered).priority_class == "stat"
    assert WorklistItem.objects.get(study=analysed).ai_flagged
    long_ago = timezone.now() - timedelta(minutes=5)
    Study.objects.update(completed_at=long_ago)
    Order.objects.update(updated_at=long_ago)
    TriageRun.objects.update(created_at=long_ago, started_at=long_ago, finished_at=long_ago)
    with django_assert_max_num_queries(2):
        assert ranking.place_lost() == 0
