"""What a worker left out of a series, or found missing, stands in the run's row."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pacs.models import Study
from tests.triage.conftest import ball_series
from triage import planning, tasks
from triage.models import ModelVersion, RunState

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_run_on_a_series_with_a_hole_says_so_and_its_answer_stands(
    bright: ModelVersion, stored: Callable[..., Study]
) -> None:
    datasets = ball_series()
    study = stored(datasets[:5] + datasets[6:])
    (run,) = planning.plan_runs(study_id=study.pk)
    tasks.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.outcome) == (RunState.DONE, "positive")
    assert run.reason == "a slice seems to be missing: a gap of 8.0 mm where 4.0 mm are usual"
