"""Which studies belong to a group, and when spans meet."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from worklist.rota.rules import matches, overlaps

START = datetime(2026, 11, 25, 8, tzinfo=UTC)
minutes = st.integers(0, 500)
lengths = st.integers(1, 500)
words = st.sampled_from(["CT", "MR", "CR", "HEAD", "CHEST"])


@dataclass
class Rule:
    modalities: list[str] = field(default_factory=list)
    body_parts: list[str] = field(default_factory=list)
    institutions: list[str] = field(default_factory=list)
    location_classes: list[str] = field(default_factory=list)


@given(st.lists(words), words, words, words)
def test_an_empty_rule_takes_every_study(modalities, body_part, institution, location):
    assert matches(
        Rule(),
        modalities=modalities,
        body_part=body_part,
        institution=institution,
        location_class=location,
    )


@given(st.lists(words), st.lists(words), st.lists(words), words)
def test_a_study_belongs_exactly_when_it_has_one_of_every_list_that_asks(
    wanted, parts, modalities, body_part
):
    belongs = matches(
        Rule(modalities=wanted, body_parts=parts),
        modalities=modalities,
        body_part=body_part,
        institution="",
        location_class="er",
    )
    assert belongs == (
        (not wanted or bool(set(wanted) & set(modalities))) and (not parts or body_part in parts)
    )


def test_case_and_blanks_make_no_difference():
    rule = Rule(body_parts=["HEAD"], institutions=["North Site"], location_classes=["er"])
    assert matches(rule, modalities=[], body_part="Head ", institution="NORTH SITE", location_class="er")


def test_what_was_not_sent_does_not_match_a_list_that_asks():
    assert not matches(
        Rule(body_parts=["HEAD"]), modalities=["CT"], body_part="", institution="", location_class="er"
    )


@given(minutes, lengths, minutes, lengths)
def test_spans_overlap_exactly_when_they_share_a_minute(one, length, other, other_length):
    def at(minute):
        return START + timedelta(minutes=minute)

    shared = set(range(one, one + length)) & set(range(other, other + other_length))
    assert overlaps(at(one), at(one + length), at(other), at(other + other_length)) == bool(shared)
