"""Reading a series as soon as it can be complete, before the study's quiet time is over.

Most scanners do not say how many images they send. When the last association closes and the slices lie
at even distances, they may well be all: a model looks at once, and what it finds raises the study and rings.
What it does not find is not told before the study is complete; more images bring another run, and its
answer stands in place of the early one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import structlog
from django.db import transaction

from foundation.events import TriagePlanned, publish
from pacs.models import Series, Study, StudyState
from triage import planning
from triage.agreement import SECOND_OPINION_TO
from triage.facts import depths_of, facts_of
from triage.models import TriageRun
from triage.routing import decide

log = structlog.get_logger(__name__)

LEAST_SLICES = 8
# A missing slice doubles the distance; uneven protocols (thin at the base, thick above) stay below that.
WIDEST_STEP = 1.8


def may_be_whole(depths_mm: Sequence[float]) -> bool:
    """Whether slices at these depths along their normal (mm, any order) may be a whole series.

    Each distance is compared with its larger neighbour, so that a series of two thicknesses passes and one
    missing slice does not.
    """
    if len(depths_mm) < LEAST_SLICES:
        return False
    steps = np.diff(np.unique(np.round(np.asarray(depths_mm, dtype=float), 2)))
    if len(steps) < LEAST_SLICES - 1:
        return False
    below, above = np.append(steps[1], steps[:-1]), np.append(steps[1:], steps[-2])
    return bool((steps <= WIDEST_STEP * np.maximum(below, above)).all())


def plan_early(*, study_id: int) -> list[TriageRun]:
    """Make provisional runs on series that may be whole; returns the new ones.

    Nothing happens when the study is complete, an association is open again, or no series qualifies: the
    plan that follows completion needs none of this.
    """
    made: list[TriageRun] = []
    with transaction.atomic():
        study = Study.objects.select_for_update(of=("self",)).select_related("patient").get(pk=study_id)
        if study.state != StudyState.RECEIVING or study.associations_open:
            return []
        facts = facts_of(study)
        for model in planning.models_to_plan():
            if model.config.get(SECOND_OPINION_TO):
                continue  # slow, and about all images: it waits for them
            decision = decide(facts, planning.rules_of(model), model.config.get("input_limits", {}))
            if decision.chosen is None or not decision.analyse:
                continue
            if not may_be_whole(depths_of(Series.objects.get(pk=decision.chosen.series_id))):
                continue
            run, created = planning.run_for(study, model, decision, decision.chosen, provisional=True)
            if created:
                made.append(run)
                planning.outdate_others(study, model, keep=run.input_hash)
        if made:
            publish(TriagePlanned(study_id=study.pk))
    if made:
        log.info("triage_planned_early", study_id=study_id, runs=len(made))
    return made
