"""When AI and the signed report agree, and who is looked at again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worklist.quality import concordance as rules

decisions = st.lists(st.sampled_from(["accepted", "rejected", "uncertain"]), max_size=3)


@pytest.mark.parametrize(
    ("conclusion", "said", "result"),
    [
        ("", ["accepted"], "positive"),
        ("", ["rejected", "accepted"], "positive"),
        ("", ["uncertain", "rejected"], "uncertain"),
        ("", ["rejected"], "negative"),
        ("", [], "not_stated"),
        ("absent", [], "negative"),
        ("present", ["rejected"], "positive"),
        ("indeterminate", [], "uncertain"),
    ],
)
def test_the_answer_on_the_study_wins_over_decisions_on_findings(
    conclusion: str, said: list[str], result: str
) -> None:
    assert rules.reader_result(conclusion, said) == result


@pytest.mark.parametrize(
    ("ai", "reader", "said", "result"),
    [
        ("positive", "positive", ["accepted"], "concordant"),
        ("positive", "negative", ["rejected"], "discordant"),
        ("negative", "positive", [], "discordant"),
        ("negative", "negative", [], "concordant"),
        ("positive", "positive", ["rejected"], "discordant"),
        ("positive", "uncertain", ["uncertain"], "not_comparable"),
        ("negative", "not_stated", [], "not_comparable"),
        ("failed", "positive", [], "not_comparable"),
        ("not_analysed", "negative", [], "not_comparable"),
    ],
)
def test_concordance(ai: str, reader: str, said: list[str], result: str) -> None:
    assert rules.concordance(ai, reader, said) == result


@given(st.text(max_size=20), st.floats(0, 1), st.booleans())
def test_everything_discordant_is_looked_at(key: str, rate: float, first: bool) -> None:
    assert rules.sample("discordant", key=key, rate=rate, first=first) == "discordant"


@given(st.text(max_size=20), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_sample_holds_the_smaller_and_asking_again_changes_nothing(
    key: str, one: float, other: float
) -> None:
    small, large = sorted((one, other))
    in_small = rules.sample("concordant", key=key, rate=small, first=False)
    assert in_small == rules.sample("concordant", key=key, rate=small, first=False)
    if in_small:
        assert rules.sample("concordant", key=key, rate=large, first=False) == "random"


def test_the_sample_is_about_as_large_as_asked_and_the_first_is_always_in() -> None:
    drawn = [rules.sample("concordant", key=f"{n}/{n}", rate=0.1, first=False) for n in range(5000)]
    assert 400 < sum(map(bool, drawn)) < 600
    assert rules.sample("concordant", key="1", rate=0.0, first=True) == "random"
    assert rules.sample("not_comparable", key="1", rate=0.0, first=True) == ""


@given(st.sampled_from(["present", "absent", "indeterminate", ""]), decisions)
def test_agreeing_with_a_report_gives_a_verdict_exactly_when_it_says_something(
    conclusion: str, said: list[str]
) -> None:
    reader = rules.reader_result(conclusion, said)
    assert (rules.verdict_of_agreement(reader) == "") == (reader == "not_stated")
