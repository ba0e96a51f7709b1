"""Alerts as the main job raises them."""

from __future__ import annotations

from tests.worklist.making import make_model, make_order, make_run, make_study
from worklist.alerts import services
from worklist.alerts.models import Alert


def raised() -> Alert:
    """The alert of a STAT study from the ER with a bleed."""
    study = make_study()
    make_order(study)
    (alert,) = services.raise_for_run(run_id=make_run(study, make_model(), probability=0.93).pk)
    return alert
