"""Whom a text speaks of, against whom the study is of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worklist.reports.identity import PatientFact, ShownPatient, changed, contradictions, years


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("45-year-old man after a fall.", 2),
        ("71 year old woman.", 0),
        ("72 y/o, headache", 0),
        ("70 yo", 0),
        ("30yo with headache", 1),
        ("Enlarged prostate.", 1),
        ("This gentleman fell.", 1),
        ("Male patient.", 1),
        ("The uterus is normal.", 0),
        ("Her husband found the man's dog; human error; manual read.", 0),
        ("Stroke 10 years ago. Shunt of old age.", 0),
        ("", 0),
    ],
)
def test_age_sex_and_organs_of_another_person_are_named(text: str, number: int) -> None:
    assert len(contradictions(text, PatientFact(sex="F", age_years=71))) == number


@given(st.text(max_size=60), st.sampled_from(["", "O", "U"]))
def test_where_the_record_is_silent_nothing_is_contradicted(text: str, sex: str) -> None:
    assert contradictions(text, PatientFact(sex=sex, age_years=None)) == []


@given(st.integers(0, 110), st.sampled_from(["M", "F"]))
def test_what_agrees_with_the_record_is_never_asked_about(age: int, sex: str) -> None:
    word = {"M": "man", "F": "woman"}[sex]
    text = f"{age}-year-old {word}. This {word} fell. {age} y/o {word}."
    assert contradictions(text, PatientFact(sex=sex, age_years=age)) == []


@given(st.text(max_size=10), st.text(max_size=10))
def test_only_the_very_patient_on_screen_is_the_same(patient_id: str, name: str) -> None:
    patient = PatientFact(patient_id=patient_id, name=name)
    assert not changed(ShownPatient(patient_id, name), patient) and not changed(None, patient)
    assert changed(ShownPatient(patient_id + "x", name), patient)


def test_ages_below_two_years_count_as_years() -> None:
    assert [years(text) for text in ("71 Y", "5 M", "3 W", "2 D", None, "x")] == [71, 0, 0, 0, None, None]
