"""A model retired while runs wait, a registry that changes in mid-run: said plainly, never under a wrong hash."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foundation import events
from foundation.accounts.models import User
from foundation.databases import is_postgresql
from pacs.models import Instance, Study
from tests.triage.conftest import ball_series
from tests.triage.making import make_bright_bundle
from triage import execution, planning, registry, runs, tasks
from triage.bundles import BundleChanged
from triage.inference import engine
from triage.models import Finding, ModelVersion, Outcome, RunState, TriageRun
from triage.selectors import ai_state_of, findings_of
from worklist.alerts import services as alerts

pytestmark = pytest.mark.django_db(transaction=True)
Stored = Callable[..., Study]


@pytest.fixture
def ann(make_user: Callable[..., User]) -> User:
    """A PACS administrator."""
    return make_user("pacs_administrator", username="ann")


@pytest.fixture
def study(bright: ModelVersion, stored: Stored) -> Study:
    """A study whose run waits."""
    made = stored(ball_series())
    assert len(planning.plan_runs(study_id=made.pk)) == 1
    return made


def in_mid_run(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """`happens` once the model has answered and before its result is written."""
    analyse = execution.models.analyse

    def analyse_then(*arguments: Any, **options: Any) -> Any:
        answer = analyse(*arguments, **options)
        happens()
        return answer

    monkeypatch.setattr(execution.models, "analyse", analyse_then)


def performed(study: Study) -> TriageRun:
    run = study.triage_runs.get()
    tasks.run(run.pk)
    run.refresh_from_db()
    return run


def archived(study: Study) -> int:
    return Instance.objects.filter(series__study=study).count()


def test_runs_that_wait_for_a_retired_model_end_visibly(
    bright: ModelVersion, study: Study, ann: User, news: list[events.Event]
) -> None:
    registry.set_state(model=bright, state="retired", by=ann, reason="Replaced")
    run = study.triage_runs.get()
    assert (run.state, run.reason) == (RunState.NOT_ANALYSED, "the model was retired")
    assert ai_state_of(study) == ("not_analysed", "bright: the model was retired")
    assert events.TriageRunFinished(run_id=run.pk) in news
    assert performed(study).state == RunState.NOT_ANALYSED


def test_a_run_planned_while_its_model_retired_or_asked_for_again_ends_the_same_way(
    bright: ModelVersion, study: Study, ann: User
) -> None:
    ModelVersion.objects.update(state="retired")
    assert performed(study).reason == "the model was retired"
    run = study.triage_runs.get()
    runs.retry(run=run, by=ann)
    assert run.state == RunState.WAITING
    assert performed(study).reason == "the model was retired"


def test_a_model_retired_in_mid_run_says_nothing(
    bright: ModelVersion, study: Study, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = archived(study)
    in_mid_run(monkeypatch, lambda: registry.set_state(model=bright, state="retired", by=ann, reason="x"))
    run = performed(study)
    assert (run.state, run.reason) == (RunState.NOT_ANALYSED, "the model was retired")
    assert (run.outcome, run.weights_sha256, run.probability) == ("", "", None)
    assert not Finding.objects.exists() and archived(study) == before
    assert alerts.raise_for_run(run_id=run.pk) == []


def test_a_model_that_steps_back_in_mid_run_is_measured_and_seen_by_no_reader(
    bright: ModelVersion, study: Study, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_mid_run(monkeypatch, lambda: registry.set_state(model=bright, state="shadow", by=ann, reason="x"))
    run = performed(study)
    assert (run.state, run.outcome, run.model_state) == (RunState.DONE, Outcome.POSITIVE, "shadow")
    assert not findings_of(study).exists() and findings_of(study, live_only=False).count() == 1
    assert alerts.raise_for_run(run_id=run.pk) == []


@pytest.mark.parametrize("field", ["weights_sha256", "configs_sha256"])
def test_a_result_of_other_files_than_the_registered_ones_is_never_written(
    bright: ModelVersion, study: Study, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    before = archived(study)
    in_mid_run(monkeypatch, lambda: ModelVersion.objects.update(**{field: "f" * 64}))
    run = performed(study)
    assert run.state == RunState.FAILED and "files changed while the run was computed" in run.reason
    assert not Finding.objects.exists() and archived(study) == before


def test_files_changed_in_mid_run_count_for_no_result(
    bright: ModelVersion, study: Study, bundles: Any, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_mid_run(monkeypatch, lambda: make_bright_bundle(bundles, above_hu=5000.0))
    run = performed(study)
    # The network in memory was the registered one: its answer stands, under its own hash.
    assert (run.state, run.outcome) == (RunState.DONE, Outcome.POSITIVE)
    assert run.weights_sha256 == bright.weights_sha256
    monkeypatch.undo()
    another = stored(ball_series(PatientID="SYN-2"))
    planning.plan_runs(study_id=another.pk)
    refused = performed(another)
    assert refused.state == RunState.FAILED and "weights changed since registration" in refused.reason


def test_files_swapped_between_hash_and_load_are_refused(
    bright: ModelVersion, bundles: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = engine.load_bundle

    def swapped(path: Path) -> Any:
        make_bright_bundle(bundles, above_hu=5000.0)
        return load(path)

    monkeypatch.setattr(engine, "load_bundle", swapped)
    with pytest.raises(BundleChanged, match="while they were loaded"):
        engine.bundle_for(registry.folder_of(bright), registry.pinned(bright))
    assert registry.folder_of(bright) not in engine._cache


def test_a_new_version_goes_live_beside_the_old_one_in_mid_run(
    bright: ModelVersion, study: Study, bundles: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def arrives() -> None:
        newer = make_bright_bundle(bundles / "newer", version="2.0", above_hu=5000.0)
        registry.register_bundle(path=newer, state="live")

    in_mid_run(monkeypatch, arrives)
    run = performed(study)
    assert (run.state, run.weights_sha256) == (RunState.DONE, bright.weights_sha256)
    monkeypatch.undo()
    (second,) = planning.plan_runs(study_id=study.pk)
    tasks.run(second.pk)
    second.refresh_from_db()
    assert second.weights_sha256 == second.model.weights_sha256 != bright.weights_sha256
    assert (run.outcome, second.outcome) == (Outcome.POSITIVE, Outcome.NEGATIVE)


def test_retiring_and_finishing_at_once_end_in_one_of_two_honest_ways(
    bright: ModelVersion, study: Study, ann: User, race: Any
) -> None:
    lease = runs.take(run_id=study.triage_runs.get().pk)
    assert lease is not None
    result = runs.Result(Outcome.NEGATIVE, 0.1, bright.weights_sha256, {}, [])
    race(
        lambda: runs.finish(lease, result),
        lambda: registry.set_state(model=bright, state="retired", by=ann, reason="x"),
    )
    run = study.triage_runs.get()
    assert (run.state, run.outcome, run.reason) in [
        (RunState.DONE, Outcome.NEGATIVE, ""),
        (RunState.NOT_ANALYSED, "", "the model was retired"),
    ], f"on {'PostgreSQL' if is_postgresql() else 'SQLite'}"


@pytest.fixture
def race() -> Callable[..., None]:
    """race(a, b) runs both at once, each with its own connection; errors of either are raised."""
    import threading

    from django.db import connection

    def run(*actions: Callable[[], object]) -> None:
        start, errors = threading.Barrier(len(actions)), []

        def one(action: Callable[[], object]) -> None:
            try:
                start.wait()
                action()
            except Exception as error:  # noqa: BLE001
                errors.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=one, args=(action,)) for action in actions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]

    return run
