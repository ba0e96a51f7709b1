"""A patient as the API shows one: name raw as PN, dates as ISO, age computed."""

from __future__ import annotations

from typing import Any

from pacs.demographics import age_text, iso_date
from pacs.models import Study

# What a modality did not make; a study is called after what it did.
DERIVED_MODALITIES = frozenset({"SEG", "SR", "PR", "KO", "DOC", "REG", "RTSTRUCT", "OT"})


def patient_document(study: Study) -> dict[str, Any]:
    """`{id, name, birth_date, age, sex}` of the study's patient."""
    patient = study.patient
    return {
        "id": patient.patient_id,
        "name": patient.patient_name,
        "birth_date": iso_date(patient.patient_birth_date),
        "age": age_text(study.patient_age, patient.patient_birth_date, study.study_date),
        "sex": patient.patient_sex,
    }


def main_modality(modalities: str) -> str:
    """The modality a study is called after, of Modalities in Study as stored (joined by a backslash)."""
    names = [name for name in modalities.split("\\") if name]
    made = [name for name in names if name not in DERIVED_MODALITIES]
    return (made or names or [""])[0]
