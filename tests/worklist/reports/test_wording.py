"""AI's sentences are marked as AI's; the reader's are not; sizes carry units."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worklist.reports import wording
from worklist.reports.wording import FindingFact


def fact(**fields: Any) -> FindingFact:
    """The finding that the design's examples speak of."""
    defaults: dict[str, Any] = {
        "id": 7,
        "code": "1386000",
        "scheme": "SCT",
        "meaning": "Intracranial hemorrhage",
        "present": True,
        "probability": 0.93,
        "model": "ich_demo",
        "model_version": "1.0",
        "volume_ml": 31.2,
        "side": "left",
        "slice_from": 12,
        "slice_to": 19,
    }
    return FindingFact(**(defaults | fields))


@pytest.mark.parametrize(
    ("shift", "within", "words"),
    [
        (4.2, 1.1, "midline shift 4 mm (+/- 1) to the left"),
        (-8.0, 2.4, "midline shift 8 mm (+/- 2) to the right"),
        (1.6, 2.0, ""),
        (0.2, None, ""),
    ],
)
def test_a_shift_is_told_with_its_uncertainty_and_side_and_only_beyond_it(
    shift: float, within: float | None, words: str
) -> None:
    assert wording.midline(shift, within) == words
    said = wording.suggestion(
        fact(midline_shift_mm=shift, midline_shift_uncertainty_mm=within, against_prior="grown by 8.0 mL"),
        "impression",
    )
    assert ("left, " + (f"{words}, " if words else "") + "grown by 8.0 mL (AI") in said


finding_facts = st.builds(
    fact,
    id=st.integers(1, 4),
    probability=st.floats(0, 1),
    volume_ml=st.none() | st.floats(0, 500),
    largest_diameter_mm=st.none() | st.floats(0, 200),
    side=st.sampled_from(["", "left", "right", "midline", "both", "unknown"]),
    slice_from=st.none() | st.integers(1, 40),
    slice_to=st.none() | st.integers(1, 40),
)


def test_a_suggestion_names_finding_size_side_slices_model_and_probability() -> None:
    assert wording.suggestion(fact(), "findings") == (
        "Possible intracranial hemorrhage, about 31 mL, left, slices 12-19 "
        "(AI, ich_demo 1.0, probability 0.93). Suggestion, not verified."
    )


def test_the_readers_sentences_carry_no_mark_of_ai() -> None:
    assert wording.accepted(fact(), "findings") == (
        "Intracranial hemorrhage, about 31 mL, left, slices 12-19."
    )
    assert wording.accepted(fact(), "impression") == "Intracranial hemorrhage, about 31 mL, left."
    assert wording.uncertain(fact(), "impression") == (
        "Intracranial hemorrhage cannot be excluded (about 31 mL, left)."
    )


@pytest.mark.parametrize(
    ("volume_ml", "words"),
    [(0.04, "less than 0.1 mL"), (3.24, "about 3.2 mL"), (9.96, "about 10 mL"), (120.4, "about 120 mL")],
)
def test_volumes_carry_their_unit_and_no_false_precision(volume_ml: float, words: str) -> None:
    assert wording.volume(volume_ml) == words


@given(finding_facts, st.sampled_from(["findings", "impression"]))
def test_every_suggestion_is_marked_and_no_readers_sentence_is(finding: FindingFact, section: str) -> None:
    assert wording.suggestion(finding, section).endswith(wording.MARKER)
    assert "AI" in wording.suggestion(finding, section)
    for sentence in (wording.accepted(finding, section), wording.uncertain(finding, section)):
        assert wording.MARKER not in sentence
        assert "AI" not in sentence
        assert sentence.count(".") >= 1 and sentence.endswith(".")


@given(st.floats(0, 1))
def test_rounding_never_makes_a_certainty(probability: float) -> None:
    text = wording.suggestion(fact(probability=probability), "findings")
    assert "probability 1.00" not in text and "probability 0.00" not in text


@pytest.mark.parametrize("word", [wording.suggestion, wording.accepted, wording.uncertain])
def test_an_absent_finding_has_no_words(word: Any) -> None:
    with pytest.raises(ValueError, match="absent"):
        word(fact(present=False), "findings")
