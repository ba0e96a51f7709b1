"""A patient as the API shows one: name raw as PN, dates as ISO, age computed."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

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


def iso_date(value: str) -> str | None:
    """A DA (PS3.5 6.2) as `YYYY-MM-DD`; None when it is no date."""
    parsed = _parse(value)
    return None if parsed is None else parsed.isoformat()


def age_text(patient_age: str, birth_date: str, study_date: str) -> str | None:
    """`71 Y`, `5 M`, `3 W` or `2 D` at the time of the study; None when nothing tells.

    Args:
        patient_age: AS as received, e.g. `071Y`; it wins.
        birth_date, study_date: DA.
    """
    match = re.fullmatch(r"0*(\d{1,3})([YMWD])", patient_age.strip())
    if match:
        return f"{int(match[1])} {match[2]}"
    born, then = _parse(birth_date), _parse(study_date)
    if born is None or then is None or then < born:
        return None
    years = then.year - born.year - ((then.month, then.day) < (born.month, born.day))
    if years >= 2:
        return f"{years} Y"
    days = (then - born).days
    if days >= 60:
        return f"{int(days / 30.44)} M"
    return f"{days // 7} W" if days >= 14 else f"{days} D"


def main_modality(modalities: str) -> str:
    """The modality a study is called after, of Modalities in Study as stored (joined by a backslash)."""
    names = [name for name in modalities.split("\\") if name]
    made = [name for name in names if name not in DERIVED_MODALITIES]
    return (made or names or [""])[0]


def _parse(value: str) -> date | None:
    match = re.fullmatch(r"(\d{4})(\d{2})(\d{2})", value.strip())
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None
