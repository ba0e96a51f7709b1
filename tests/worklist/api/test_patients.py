"""Ages and dates from what modalities send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs.demographics import age_text, iso_date
from worklist.api.patients import main_modality


@pytest.mark.parametrize(
    ("age", "born", "study", "text"),
    [
        ("071Y", "19900101", "20261124", "71 Y"),
        ("", "19551124", "20261124", "71 Y"),
        ("", "19551125", "20261124", "70 Y"),
        ("", "20260601", "20261124", "5 M"),
        ("", "20261101", "20261124", "3 W"),
        ("", "20261122", "20261124", "2 D"),
        ("", "20261124", "20261124", "0 D"),
        ("", "20270101", "20261124", None),
        ("", "", "20261124", None),
        ("old", "19550000", "20261124", None),
    ],
)
def test_an_age_is_as_received_or_computed_at_the_time_of_the_study(age, born, study, text):
    assert age_text(age, born, study) == text


@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=12))
def test_whatever_stands_in_the_headers_gives_an_age_or_none(age, born, study):
    assert age_text(age, born, study) is None or iso_date(born) or age


def test_a_study_is_called_after_what_the_modality_did():
    assert main_modality("CT\\SEG\\SR") == "CT"
    assert main_modality("PT\\CT") == "PT"
    assert main_modality("SR") == "SR"
    assert main_modality("") == ""


def test_a_date_that_is_none_is_none():
    assert (iso_date("20261124"), iso_date("20261324"), iso_date("")) == ("2026-11-24", None, None)
