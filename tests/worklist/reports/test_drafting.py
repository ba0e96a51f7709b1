"""A draft states what order, archive and images say; AI stays beside the text."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worklist.reports.test_wording import fact, finding_facts
from worklist.reports import drafting
from worklist.reports.drafting import PriorFact, StudyFact
from worklist.reports.wording import FindingFact

HEAD = StudyFact(
    modality="CT",
    body_part="HEAD",
    slice_count=34,
    slice_thickness_mm=5.0,
    description="SYNTHETIC Head w/o",
    reason_for_exam="Fall, headache",
)


def test_a_draft_has_the_five_sections_in_order_with_facts_as_text() -> None:
    sections = drafting.draft(HEAD, [PriorFact("CT", "HEAD", date(2024, 3, 12), date(2024, 3, 13))], [fact()])
    assert [s["key"] for s in sections] == ["history", "comparison", "technique", "findings", "impression"]
    texts = {s["key"]: s["text"] for s in sections}
    assert texts == {
        "history": "Fall, headache",
        "comparison": "CT head of 12 Mar 2024, reported 13 Mar 2024.",
        "technique": "CT head, 34 slices, 5 mm, without contrast.",
        "findings": "",
        "impression": "",
    }
    suggested = {s["key"]: [x["text"] for x in s["suggestions"]] for s in sections}
    assert suggested["findings"][0].startswith("Possible intracranial hemorrhage, about 31 mL")
    assert not suggested["history"] and not suggested["technique"]


@pytest.mark.parametrize(
    ("study", "words"),
    [
        (StudyFact(), ""),
        (StudyFact(modality="CT", description="Head"), "CT."),
        (StudyFact(modality="CT", contrast_agent="Iohexol", description="w/o"), "CT, with contrast."),
        (StudyFact(modality="CT", slice_count=1, slice_thickness_mm=0.625), "CT, 1 slice, 0.625 mm."),
    ],
)
def test_technique_says_only_what_is_known(study: StudyFact, words: str) -> None:
    assert drafting.technique(study) == words


def test_the_latest_signed_prior_is_the_comparison() -> None:
    old = PriorFact("CT", "HEAD", date(2020, 1, 1), date(2020, 1, 2))
    new = PriorFact("MR", "", date(2023, 1, 1), date(2023, 1, 2))
    assert drafting.comparison([new, old]) == "MR of 1 Jan 2023, reported 2 Jan 2023."
    assert drafting.comparison([]) == ""


@given(st.lists(finding_facts, max_size=4))
def test_findings_never_touch_text_and_absent_or_replaced_ones_suggest_nothing(
    findings: list[FindingFact],
) -> None:
    plain = drafting.draft(HEAD, [], [])
    sections = drafting.with_suggestions(plain, findings)
    assert [s["text"] for s in sections] == [s["text"] for s in plain]
    silent = [fact(id=f.id, present=False) for f in findings] + [fact(id=f.id, stale=True) for f in findings]
    assert all(not s["suggestions"] for s in drafting.with_suggestions(plain, silent))


def test_a_late_result_adds_to_what_is_there_and_twice_adds_nothing() -> None:
    sections = drafting.draft(HEAD, [], [fact(id=1)])
    more = drafting.with_suggestions(sections, [fact(id=1), fact(id=2, side="right")])
    assert [x["id"] for x in more[3]["suggestions"]] == ["findings-1", "findings-2"]
    assert drafting.with_suggestions(more, [fact(id=1), fact(id=2, side="right")]) == more
