"""A study as a reader meets it: complete, ordered, analysed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from foundation.accounts.models import User
from pacs.models import Study
from tests.worklist.making import make_model, make_order, make_run, make_study
from triage.models import Finding, ModelVersion, TriageRun
from worklist.reports import services
from worklist.reports.checks import Facts
from worklist.reports.models import Report

READY = Facts(images_opened=True, communicated=frozenset({"1386000"}))


@dataclass
class Case:
    """A study with a live model's positive result, its reader and its draft."""

    study: Study
    model: ModelVersion
    run: TriageRun
    reader: User
    report: Report

    @property
    def finding(self) -> Finding:
        return self.run.findings.get()

    def text(self, key: str) -> str:
        self.report.refresh_from_db()
        return next(s["text"] for s in self.report.sections if s["key"] == key)


@pytest.fixture
def case(make_user: Callable[..., User]) -> Case:
    study = make_study()
    make_order(study)
    model = make_model(name="ich_demo")
    run = make_run(study, model, probability=0.93)
    reader = make_user("radiologist", username="reader", display_name="Dr. Ada Reader")
    return Case(study, model, run, reader, services.open_draft(study=study, by=reader))
