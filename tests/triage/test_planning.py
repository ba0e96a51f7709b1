"""A complete study gets exactly the runs it needs, or a reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.uid import generate_uid

from foundation import events
from pacs.models import Study, StudyState
from tests.triage.conftest import ball_series, complete, put
from tests.triage.making import make_bright_bundle
from triage import planning, registry, runs, tasks
from triage.models import ModelVersion, RunState, TriagePlan, TriageRun
from triage.selectors import ai_state_of, findings_of

pytestmark = pytest.mark.django_db(transaction=True)
Stored = Callable[..., Study]


def test_a_fitting_series_gets_one_run_however_often_and_nothing_before_completion(
    bright: ModelVersion, stored: Stored, news: list[events.Event]
) -> None:
    datasets = ball_series()
    put(datasets)
    study = Study.objects.get()
    assert planning.plan_runs(study_id=study.pk) == [] and not TriagePlan.objects.exists()
    complete(study)
    (run,) = planning.plan_runs(study_id=study.pk)
    assert planning.plan_runs(study_id=study.pk) == []
    assert sorted(run.input_instance_uids) == sorted(str(d.SOPInstanceUID) for d in datasets)
    assert (run.state, run.model_state) == (RunState.WAITING, "live")
    plan = TriagePlan.objects.get()
    assert plan.reason == "" and plan.considered[0]["chosen"] == datasets[0].SeriesInstanceUID
    assert news[0] == events.TriagePlanned(study_id=study.pk)
    assert not planning.unplanned_studies().exists()


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ({"PatientAge": "012Y"}, "12 years of age, outside 18 to 120"),
        ({"PatientAge": "006M"}, "0.5 years of age, outside 18 to 120"),
        ({"PatientBirthDate": "20120101"}, "14 years of age, outside 18 to 120"),
        ({"PatientAge": "071Y"}, ""),
        ({"PatientBirthDate": ""}, ""),  # nobody says how old: not taken for a child
    ],
)
def test_a_patient_of_another_age_is_not_analysed_with_the_reason(
    header: dict[str, str], told: str, bundles: Path, stored: Stored, news: list[events.Event]
) -> None:
    limits = {"modality": ["CT"], "min_slices": 8, "age_years": [18, 120]}
    registry.register_bundle(path=make_bright_bundle(bundles, limits=limits), state="live")
    datasets = ball_series()
    for dataset in datasets:
        for keyword, value in header.items():
            setattr(dataset, keyword, value)
    study = stored(datasets)
    (run,) = planning.plan_runs(study_id=study.pk)
    assert (run.state, run.reason) == (RunState.NOT_ANALYSED if told else RunState.WAITING, told)
    if told:
        assert ai_state_of(study) == ("not_analysed", f"bright: {told}")
        plan = TriagePlan.objects.get()
        assert plan.considered[0]["series"][0]["reason"] == told


def test_outside_the_limits_the_study_is_not_analysed_with_the_reason(
    bright: ModelVersion, stored: Stored, news: list[events.Event]
) -> None:
    study = stored(ball_series(slices=5))
    (run,) = planning.plan_runs(study_id=study.pk)
    assert (run.state, run.reason) == (RunState.NOT_ANALYSED, "5 slices, fewer than 8")
    assert ai_state_of(study) == ("not_analysed", "bright: 5 slices, fewer than 8")
    assert events.TriageRunFinished(run_id=run.pk) in news
    assert runs.due_runs() == []


def test_a_study_that_is_no_models_business_has_a_plan_and_no_run(
    bright: ModelVersion, stored: Stored
) -> None:
    study = stored(ball_series(BodyPartExamined="CHEST"))
    assert planning.plan_runs(study_id=study.pk) == []
    status, reason = ai_state_of(study)
    assert status == "not_applicable" and reason.startswith("bright:")
    assert TriagePlan.objects.get().considered[0]["series"][0]["reason"] == "body part CHEST"


def test_without_models_it_is_said_that_none_is_in_use(db: None, stored: Stored) -> None:
    study = stored(ball_series(slices=3))
    assert ai_state_of(study) == ("waiting", "AI has not looked at the study yet")
    planning.plan_runs(study_id=study.pk)
    assert ai_state_of(study) == ("not_applicable", "no model is in use")


def test_images_that_come_after_the_result_make_it_stale_and_one_new_run(
    bright: ModelVersion, stored: Stored, news: list[events.Event]
) -> None:
    datasets = ball_series()
    late = datasets.pop()
    study = stored(datasets)
    (old,) = planning.plan_runs(study_id=study.pk)
    tasks.run(old.pk)
    put([late])
    study.refresh_from_db()
    assert study.state == StudyState.RECEIVING
    assert planning.plan_runs(study_id=study.pk) == []
    complete(study)
    assert list(planning.unplanned_studies()) == [study]
    (new,) = planning.plan_runs(study_id=study.pk)
    old.refresh_from_db()
    assert (old.state, old.reason) == (RunState.STALE, planning.NEWER_INPUT)
    assert (new.state, len(new.input_instance_uids)) == (RunState.WAITING, 16)
    assert ai_state_of(study)[0] == "waiting" and not findings_of(study).exists()
    assert news.count(events.TriageRunFinished(run_id=old.pk)) == 2
    tasks.run(new.pk)
    assert ai_state_of(study) == ("done", "")
    assert findings_of(study).count() == 1


def test_a_run_under_way_on_older_input_writes_nothing(bright: ModelVersion, stored: Stored) -> None:
    datasets = ball_series()
    late = datasets.pop()
    study = stored(datasets)
    (old,) = planning.plan_runs(study_id=study.pk)
    lease = runs.take(run_id=old.pk)
    assert lease is not None
    put([late])
    complete(study)
    planning.plan_runs(study_id=study.pk)
    with pytest.raises(runs.LeaseLost):
        runs.renew(lease)
    with pytest.raises(runs.LeaseLost):
        runs.not_analysed(lease, "late")
    old.refresh_from_db()
    assert old.state == RunState.STALE


def test_the_documents_of_the_result_itself_change_nothing(bright: ModelVersion, stored: Stored) -> None:
    study = stored(ball_series())
    (run,) = planning.plan_runs(study_id=study.pk)
    tasks.run(run.pk)
    study.refresh_from_db()
    assert study.state == StudyState.COMPLETE and study.series.filter(derived=True).count() == 3
    assert planning.plan_runs(study_id=study.pk) == []
    run.refresh_from_db()
    assert run.state == RunState.DONE


def test_a_better_series_that_comes_late_takes_over(bright: ModelVersion, stored: Stored) -> None:
    study_uid = generate_uid()
    study = stored(ball_series(StudyInstanceUID=study_uid, ConvolutionKernel="UNKNOWN"))
    (first,) = planning.plan_runs(study_id=study.pk)
    put(ball_series(StudyInstanceUID=study_uid, ConvolutionKernel="STANDARD", SeriesNumber=3))
    complete(study)
    (second,) = planning.plan_runs(study_id=study.pk)
    first.refresh_from_db()
    assert second.series_id != first.series_id and first.state == RunState.STALE


def test_shadow_models_run_and_no_reader_sees_them(
    bright: ModelVersion, bundles: Path, stored: Stored
) -> None:
    ModelVersion.objects.update(state="shadow")
    study = stored(ball_series())
    (run,) = planning.plan_runs(study_id=study.pk)
    tasks.run(run.pk)
    assert not findings_of(study).exists() and findings_of(study, live_only=False).count() == 1
    assert ai_state_of(study)[0] == "not_applicable"
    ModelVersion.objects.update(state="live")
    assert not findings_of(study).exists()


def test_a_refusal_is_asked_anew_when_the_limits_change(
    bright: ModelVersion, bundles: Path, stored: Stored
) -> None:
    study = stored(ball_series(ConvolutionKernel="BONE"))
    (refused,) = planning.plan_runs(study_id=study.pk)
    assert refused.state == RunState.NOT_ANALYSED
    rule = bright.rules.get()
    rule.conditions = rule.conditions | {"sharp_kernel_allowed": True}
    rule.save()
    (asked,) = planning.plan_runs(study_id=study.pk)
    refused.refresh_from_db()
    assert (asked.state, refused.state) == (RunState.WAITING, RunState.STALE)


def test_two_models_get_a_run_each(bright: ModelVersion, bundles: Path, stored: Stored) -> None:
    registry.register_bundle(path=make_bright_bundle(bundles, name="other"), state="shadow")
    study = stored(ball_series())
    assert {run.model.name for run in planning.plan_runs(study_id=study.pk)} == {"bright", "other"}


def test_the_sweep_plans_what_no_event_planned_and_queues_it_once(
    bright: ModelVersion, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    monkeypatch.setattr(tasks, "enqueue", lambda task, *ids, queue: sent.extend(ids))
    stored(ball_series())
    tasks.sweep()
    run = TriageRun.objects.get()
    tasks.sweep()
    assert sent == [run.pk]
