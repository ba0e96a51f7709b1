"""Is this the report of this patient? What the page showed, and what the text says, against the record.

Pure functions over plain values. A text about another person is the likeliest sign that it was dictated
into the wrong window.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_AGE: Final = re.compile(
    r"\b(\d{1,3})\s*[- ]?\s*(?:years?|yrs?)\s*[- ]?\s*old\b|\b(\d{1,3})\s*[- ]?\s*(?:y/?o|yo)\b",
    re.IGNORECASE,
)
_PERSON: Final = {
    "M": r"(?:man|male|gentleman|boy)",
    "F": r"(?:woman|female|lady|girl)",
}
# A word for a person counts where it speaks of the patient: "71-year-old woman", "this man", "male patient".
_SPOKEN_OF: Final = {
    sex: re.compile(
        rf"(?:old|y/?o)\s+(?:\w+\s+)?{word}\b|\bthis\s+(?:\w+\s+)?{word}\b|\b{word}\s+patient\b",
        re.IGNORECASE,
    )
    for sex, word in _PERSON.items()
}
_ORGANS: Final = {
    "M": re.compile(r"\b(prostat\w*|testic\w*|testis|testes|scrot\w*|seminal vesicles?)\b", re.IGNORECASE),
    "F": re.compile(r"\b(uter(?:us|ine)|ovar(?:y|ies|ian)|endometri\w*|pregnan\w*)\b", re.IGNORECASE),
}
_OTHER: Final = {"M": "F", "F": "M"}
_WORDS: Final = {"M": "male", "F": "female"}


@dataclass(frozen=True)
class PatientFact:
    """The patient as the archive knows them now; age in whole years, None when nothing tells."""

    patient_id: str = ""
    name: str = ""
    sex: str = ""
    age_years: int | None = None


@dataclass(frozen=True)
class ShownPatient:
    """The patient as the signer's page shows them."""

    patient_id: str
    name: str


def changed(shown: ShownPatient | None, patient: PatientFact) -> bool:
    """True when the page shows somebody else than the study's patient of now (a merge, another window)."""
    return shown is not None and (shown.patient_id, shown.name) != (patient.patient_id, patient.name)


def contradictions(text: str, patient: PatientFact) -> list[str]:
    """What the text says of the patient that the record denies, in words; nothing where either is silent."""
    found = []
    if patient.age_years is not None:
        for match in _AGE.finditer(text):
            said = int(match[1] or match[2])
            # A birthday between the order and the study is no contradiction.
            if abs(said - patient.age_years) > 1:
                found.append(f"the text says {said} years, the patient is {patient.age_years}")
    other = _OTHER.get(patient.sex)
    if other is not None:
        person, organ = _SPOKEN_OF[other].search(text), _ORGANS[other].search(text)
        word = person or organ
        if word is not None:
            found.append(f'the text says "{word[0].strip()}", the patient is {_WORDS[patient.sex]}')
    return list(dict.fromkeys(found))


def years(age_text: str | None) -> int | None:
    """`71 Y` as 71; months, weeks and days as 0 or 1 year."""
    match = re.fullmatch(r"(\d+) ([YMWD])", age_text or "")
    if match is None:
        return None
    value = int(match[1])
    return value if match[2] == "Y" else value // {"M": 12, "W": 52, "D": 365}[match[2]]
