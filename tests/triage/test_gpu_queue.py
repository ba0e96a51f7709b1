"""Where a site has GPU workers they are asked first, and nobody waits for them long."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from foundation.queueing import Queue
from pacs.models import Study
from tests.triage.conftest import ball_series
from tests.triage.test_planning import Stored
from triage import planning, runs, tasks
from triage.models import ModelVersion, TriageRun

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, Queue | None]]:
    """What goes to the broker: run and queue."""
    gone: list[tuple[int, Queue | None]] = []
    monkeypatch.setattr(tasks, "enqueue", lambda task, run_id, *, queue=None: gone.append((run_id, queue)))
    return gone


def _again(study: Study) -> None:
    long_ago = timezone.now() - 2 * runs.REQUEUE_AFTER
    TriageRun.objects.filter(study=study).update(
        queued_at=long_ago, created_at=long_ago - timedelta(seconds=1)
    )


def test_without_gpu_workers_every_run_goes_to_the_one_queue(
    bright: ModelVersion, stored: Stored, sent: list[tuple[int, Queue | None]]
) -> None:
    (run,) = planning.plan_runs(study_id=stored(ball_series()).pk)
    tasks.queue_due()
    assert sent == [(run.pk, Queue.INFERENCE)]


def test_gpu_workers_are_asked_first_and_what_they_leave_goes_to_any_worker(
    bright: ModelVersion, stored: Stored, sent: list[tuple[int, Queue | None]], settings: object
) -> None:
    settings.TRIAGE_GPU_WORKERS = True  # type: ignore[attr-defined]
    study = stored(ball_series())
    (run,) = planning.plan_runs(study_id=study.pk)
    tasks.queue_due()
    _again(study)
    tasks.queue_due()
    assert sent == [(run.pk, Queue.INFERENCE_GPU), (run.pk, Queue.INFERENCE)]
