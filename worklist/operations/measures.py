"""What `./run` promises about its own speed, and what it measured."""

from __future__ import annotations

from django.db.models import Max

from pacs.models import Instance
from triage.models import RunState, TriageRun

FRESH_START_TARGET_S = 90
SECOND_START_TARGET_S = 6
FIRST_RESULT_TARGET_S = 30


def first_result_seconds() -> float | None:
    """Seconds from a series' last image to its finished run, for the first run that finished; None before."""
    run = TriageRun.objects.filter(state=RunState.DONE).order_by("finished_at").first()
    if run is None or run.finished_at is None:
        return None
    last = Instance.objects.filter(series=run.series_id).aggregate(at=Max("stored_at"))["at"]
    # A clock that was put back meanwhile must not make it negative.
    return None if last is None else max(0.0, (run.finished_at - last).total_seconds())
