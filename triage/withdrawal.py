"""What happens to the runs of a model that leaves: none waits for it, none of its answers comes late."""

from __future__ import annotations

import structlog
from django.db import transaction
from django.utils import timezone

from foundation.events import TriagePlanned, TriageRunFinished, publish
from foundation.transitions import LostRace
from triage.models import ACTIVE_RUN_STATES, ModelState, ModelVersion, RunState, TriageRun
from triage.states import RUN

log = structlog.get_logger(__name__)

RETIRED = "the model was retired"


def end_waiting_runs(model: ModelVersion) -> None:
    """A retired model's waiting runs end as not analysed. Those that a worker holds end when it is done."""
    for run in TriageRun.objects.filter(model=model, state=RunState.WAITING):
        end_waiting_run(run)


def end_waiting_run(run: TriageRun) -> None:
    """One waiting run ends as not analysed, unless a worker took it this instant."""
    try:
        with transaction.atomic():
            RUN.apply(run, "refuse", reason=RETIRED, finished_at=timezone.now())
            publish(TriageRunFinished(run_id=run.pk))
    except LostRace:
        return
    log.info("run_of_retired_model_ended", run_id=run.pk)


def hide_open_runs(model: ModelVersion) -> None:
    """A model steps back from live: what it still says is measured and seen by no reader."""
    open_runs = TriageRun.objects.filter(
        model=model, state__in=ACTIVE_RUN_STATES, model_state=ModelState.LIVE
    )
    studies = sorted(set(open_runs.values_list("study_id", flat=True)))
    open_runs.update(model_state=ModelState.SHADOW)
    for study_id in studies:
        publish(TriagePlanned(study_id=study_id))


def outdate_open_runs(model: ModelVersion, reason: str) -> list[int]:
    """Runs that wait or are computed become stale, because another version answers; returns their studies."""
    studies = set()
    for run in TriageRun.objects.filter(model=model, state__in=ACTIVE_RUN_STATES).order_by("pk"):
        now = timezone.now()
        try:
            RUN.apply(run, "outdate", reason=reason, lease_token="", lease_until=None, finished_at=now)
        except LostRace:
            log.info("run_changed_while_outdated", run_id=run.pk)
            continue
        studies.add(run.study_id)
        publish(TriageRunFinished(run_id=run.pk))
    return sorted(studies)


def changed_since(run: TriageRun, weights_sha256: str) -> str:
    """Why a result must not be written: the model retired, or other files stand in the registry now; or "".

    Locks the model until the transaction ends, so that it does not move between this look and the result.

    Args:
        run: as it was taken, with its model.
        weights_sha256: of the weights that gave the result.
    """
    now = ModelVersion.objects.select_for_update().get(pk=run.model_id)
    if now.state == ModelState.RETIRED:
        return RETIRED
    taken = run.model
    if (weights_sha256, taken.configs_sha256) != (now.weights_sha256, now.configs_sha256):
        return "the registered files changed while the run was computed"
    return ""
