"""What wakes triage: each task takes ids, calls one service, and survives being run twice."""

from __future__ import annotations

import structlog
from django.conf import settings

from foundation.queueing import Queue, enqueue, task
from triage import early, filing, planning, runs, waiting

log = structlog.get_logger(__name__)

RUN_LIMIT_SECONDS = 600
PLANS_PER_SWEEP = 20


@task(name="triage.plan", time_limit=120)
def plan(study_id: int) -> None:
    """Make a complete study's runs and wake the inference workers."""
    planning.plan_runs(study_id=study_id)
    queue_due()


@task(name="triage.plan_early", time_limit=120)
def plan_early(study_id: int) -> None:
    """Make provisional runs of a study that may be complete, and wake the inference workers."""
    if early.plan_early(study_id=study_id):
        queue_due()


@task(name="triage.run", queue=Queue.INFERENCE, time_limit=RUN_LIMIT_SECONDS)
def run(run_id: int) -> None:
    """Carry out the most urgent run that waits, which need not be the one named; one message, one run."""
    lease = waiting.take_most_urgent(named=run_id)
    if lease is not None:
        # Here and not above: torch costs seconds and memory that only the inference worker needs.
        from triage.execution import perform

        perform(lease)


@task(name="triage.file_documents", queue=Queue.INFERENCE, time_limit=RUN_LIMIT_SECONDS)
def file_documents(run_id: int) -> None:
    """Make the documents of a result whose worker died before it made them."""
    from triage.execution import file_documents as make_them

    make_them(run_id)


@task(name="triage.sweep", time_limit=120)
def sweep() -> None:
    """Plan what no event planned, queue what the broker forgot, and ask for documents that are missing.

    Cheap when there is nothing to do.
    """
    for run_id in filing.due():
        enqueue(file_documents, run_id)
    for study_id in planning.unplanned_studies().values_list("pk", flat=True)[:PLANS_PER_SWEEP]:
        planning.plan_runs(study_id=study_id)
    queue_due()


def queue_due() -> None:
    """Send every run that wants a worker to the inference queue.

    Where the site has GPU workers, they are asked first; what they have not taken by the next time it is
    queued goes to any worker, because a slower answer is better than none.
    """
    due = runs.due_runs()
    waited = set(runs.queued_before(due)) if settings.TRIAGE_GPU_WORKERS else set(due)
    if settings.TRIAGE_GPU_WORKERS and waited:
        log.warning("gpu_workers_behind", runs=len(waited))
    for run_id in due:
        enqueue(run, run_id, queue=Queue.INFERENCE if run_id in waited else Queue.INFERENCE_GPU)
