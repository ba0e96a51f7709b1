"""Rows as the rooms below make them, without images: for tests of the worklist's rules."""

from __future__ import annotations

import itertools
from datetime import datetime
from typing import Any

from django.utils import timezone

from pacs.models import Order, Patient, Series, Study
from triage.models import Finding, ModelVersion, TriagePlan, TriageRun

_numbers = itertools.count(1)
HEMORRHAGE = "1386000"


def make_study(*, received_at: datetime | None = None, complete: bool = True, **fields: Any) -> Study:
    """A study of a synthetic patient; `patient` in `fields` makes it one of that patient."""
    number = next(_numbers)
    now = received_at or timezone.now()
    patient = fields.pop("patient", None) or Patient.objects.create(
        patient_id=f"SYN-{number}",
        issuer_of_patient_id="TEST",
        patient_name=f"SYNTHETIC^A{number}",
        patient_birth_date="19550315",
        patient_sex="F",
    )
    defaults: dict[str, Any] = {
        "study_instance_uid": f"2.25.{10**20 + number}",
        "study_date": "20261124",
        "study_time": "101500",
        "accession_number": f"ACC{number}",
        "study_description": "SYNTHETIC Head w/o",
        "modalities": "CT\\SEG\\SR",
        "body_part_examined": "HEAD",
        "number_of_series": 1,
        "number_of_instances": 30,
        "received_at": now,
        "last_instance_at": now,
    }
    if complete:
        defaults |= {"state": "complete", "completed_at": now}
    return Study.objects.create(patient=patient, **(defaults | fields))


def make_order(study: Study | None, **fields: Any) -> Order:
    """An order of `study`: STAT from the ER unless told otherwise."""
    number = next(_numbers)
    defaults: dict[str, Any] = {
        "accession_number": study.accession_number if study else f"ORD{number}",
        "study": study,
        "study_instance_uid": study.study_instance_uid if study else "",
        "patient_id": study.patient.patient_id if study else f"SYN-{number}",
        "priority": "stat",
        "location_class": "er",
        "location": "ER bed 4",
        "department": "ER",
        "reason_for_exam": "Fall, headache",
        "ordered_at": timezone.now(),
    }
    return Order.objects.create(**(defaults | fields))


def make_model(state: str = "live", **fields: Any) -> ModelVersion:
    """A registered model that ranks from 0.5 and alerts from 0.8."""
    defaults: dict[str, Any] = {
        "name": f"model-{next(_numbers)}",
        "version": "1.0",
        "bundle": "ich_demo",
        "weights_sha256": "0" * 64,
        "configs_sha256": "0" * 64,
        "state": state,
        "finding_code": HEMORRHAGE,
        "finding_meaning": "Intracranial hemorrhage",
        "criticality": "critical",
        "rank_threshold": 0.5,
        "alert_threshold": 0.8,
    }
    return ModelVersion.objects.create(**(defaults | fields))


def make_run(
    study: Study, model: ModelVersion, *, probability: float | None = None, **fields: Any
) -> TriageRun:
    """A run: done with one finding when `probability` is given, waiting otherwise."""
    number = next(_numbers)
    defaults: dict[str, Any] = {
        "input_hash": f"{number:064d}",
        "input_instance_uids": [f"2.25.{number}.{n}" for n in range(30)],
        "series": study.series.first() or make_series(study),
        "model_state": model.state,
    }
    positive = probability is not None and probability >= 0.5
    if probability is not None:
        now = timezone.now()
        defaults |= {
            "state": "done",
            "outcome": "positive" if positive else "negative",
            "probability": probability,
            "attempts": 1,
            "weights_sha256": model.weights_sha256,
            "started_at": now,
            "finished_at": now,
        }
    run = TriageRun.objects.create(study=study, model=model, **(defaults | fields))
    if probability is not None:
        Finding.objects.create(
            run=run,
            tracking_uid=f"2.25.{number}.9",
            code=model.finding_code,
            scheme=model.finding_scheme,
            meaning=model.finding_meaning,
            presence="present" if positive else "absent",
            probability=probability,
            volume_ml=31.0 if positive else None,
            largest_diameter_mm=42.0 if positive else None,
            side="left" if positive else "",
            key_sop_instance_uid=f"2.25.{number}.5" if positive else "",
            key_series_instance_uid=run.series.series_instance_uid if positive and run.series else "",
        )
    return run


def make_plan(study: Study, reason: str = "") -> TriagePlan:
    """What triage decides when a study is complete; a reason says why no model looks at it."""
    return TriagePlan.objects.create(
        study=study, study_completed_at=study.completed_at, planned_at=timezone.now(), reason=reason
    )


def make_series(study: Study, **fields: Any) -> Series:
    """A CT series of `study`."""
    defaults: dict[str, Any] = {
        "series_instance_uid": f"2.25.{10**21 + next(_numbers)}",
        "modality": "CT",
        "series_description": "SYNTHETIC axial",
    }
    return Series.objects.create(study=study, **(defaults | fields))
