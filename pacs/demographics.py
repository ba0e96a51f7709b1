"""Patient attributes as people read them. Pure: strings as received in, plain values out."""

from __future__ import annotations

import re
from datetime import date


def iso_date(value: str) -> str | None:
    """A DA (PS3.5 6.2) as `YYYY-MM-DD`; None when it is no date."""
    parsed = _parse(value)
    return None if parsed is None else parsed.isoformat()


def day_in_words(value: str) -> str:
    """A DA as `20 Nov 2026`; "" when it is no date."""
    parsed = _parse(value)
    return "" if parsed is None else f"{parsed.day} {parsed:%b %Y}"


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


def age_years(patient_age: str, birth_date: str, study_date: str) -> float | None:
    """The age that `age_text` says, in years."""
    text = age_text(patient_age, birth_date, study_date)
    if text is None:
        return None
    number, unit = text.split()
    return int(number) / {"Y": 1, "M": 12, "W": 52.18, "D": 365.25}[unit]


def _parse(value: str) -> date | None:
    match = re.fullmatch(r"(\d{4})\.?(\d{2})\.?(\d{2})", value.strip())
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None
