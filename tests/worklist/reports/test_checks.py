"""What must be settled before a signature, and what a stated reason may settle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worklist.reports.test_wording import fact
from worklist.reports import checks, conclusions
from worklist.reports.checks import Draft, Facts, Override, ShownPatient
from worklist.reports.conclusions import Conclusion, Target
from worklist.reports.drafting import StudyFact, draft
from worklist.reports.editing import Verdict, decide, with_texts
from worklist.reports.identity import PatientFact

SEEN = Facts(images_opened=True, communicated=frozenset({"1386000"}))
HEMORRHAGE = Target("1386000", "SCT", "Intracranial hemorrhage", required=True)


def concluded(value: str, *, required: bool = True) -> list[Conclusion]:
    return [
        {
            "code": "1386000",
            "scheme": "SCT",
            "meaning": "Intracranial hemorrhage",
            "value": value,
            "required": required,
        }
    ]


def accepted_draft(**fields: Any) -> Draft:
    """A report that may be signed: the finding accepted, the conclusion stated."""
    finding = fact()
    sections = decide(draft(StudyFact(), [], [finding]), finding, Verdict.ACCEPTED)
    defaults: dict[str, Any] = {
        "sections": sections,
        "findings": [finding],
        "verdicts": {finding.id: Verdict.ACCEPTED},
        "conclusions": concluded("present"),
        "critical_codes": frozenset({"1386000"}),
    }
    return Draft(**(defaults | fields))


def codes(report: Draft, facts: Facts = SEEN) -> list[str]:
    return [check.code for check in checks.open_checks(report, facts)]


def test_a_settled_report_has_no_open_checks() -> None:
    assert codes(accepted_draft()) == []


@pytest.mark.parametrize(
    ("fields", "facts", "code", "overridable"),
    [
        ({"verdicts": {}}, SEEN, "undecided_finding", True),
        ({"conclusions": concluded("")}, SEEN, "conclusion_missing", True),
        ({"conclusions": concluded("absent")}, SEEN, "conclusion_contradicts", True),
        ({"conclusions": concluded("indeterminate")}, SEEN, "conclusion_contradicts", True),
        ({}, Facts(images_opened=True), "critical_not_communicated", True),
        ({}, Facts(communicated=SEEN.communicated), "images_not_opened", True),
    ],
)
def test_each_open_question_blocks_and_says_if_a_reason_settles_it(
    fields: dict[str, Any], facts: Facts, code: str, overridable: bool
) -> None:
    (check,) = checks.open_checks(accepted_draft(**fields), facts)
    assert (check.code, check.blocking, check.overridable) == (code, True, overridable)
    settled = checks.unsettled([check], [Override(code, "Phoned Dr. B, read back")])
    assert (not settled) == overridable
    assert checks.unsettled([check], [Override(code, "  ")]) == [check]


def test_an_empty_impression_needs_a_reason_and_copied_ai_text_is_never_signed() -> None:
    report = accepted_draft()
    empty = Draft(**{**report.__dict__, "sections": with_texts(report.sections, {"impression": " \n"})})
    (check,) = checks.open_checks(empty, SEEN)
    assert (check.code, check.blocking, check.overridable) == ("empty_impression", True, True)
    copied = with_texts(report.sections, {"impression": "Possible bleed. suggestion, NOT verified"})
    (check,) = checks.open_checks(Draft(**{**report.__dict__, "sections": copied}), SEEN)
    assert (check.code, check.overridable) == ("ai_marker_in_text", False)
    assert checks.unsettled([check], [Override(check.code, "All the same")]) == [check]


def test_a_patient_who_is_another_than_on_the_signers_screen_stops_the_signature() -> None:
    report = accepted_draft(patient=PatientFact("SYN-1", "SYNTHETIC^A", "F", 71))
    shown = ShownPatient("SYN-1", "SYNTHETIC^A")
    assert codes(report, replace(SEEN, shown_patient=shown)) == []
    merged = replace(SEEN, shown_patient=ShownPatient("SYN-2", "SYNTHETIC^A"))
    (check,) = checks.open_checks(report, merged)
    assert (check.code, check.blocking, check.overridable) == ("patient_changed", True, True)


def test_a_text_about_somebody_else_is_asked_about() -> None:
    report = accepted_draft(patient=PatientFact("SYN-1", "SYNTHETIC^A", "F", 71))
    other = with_texts(report.sections, {"history": "45-year-old man after a fall."})
    (check,) = checks.open_checks(replace(report, sections=other), SEEN)
    assert check.code == "patient_contradiction"
    assert "45 years" in check.text and '"old man"' in check.text


def test_a_critical_finding_that_only_the_reader_saw_must_be_communicated_too() -> None:
    report = accepted_draft(findings=[fact(present=False)], verdicts={})
    assert codes(report, Facts(images_opened=True)) == ["critical_not_communicated"]


def test_a_question_without_obligation_does_not_block() -> None:
    assert codes(accepted_draft(conclusions=concluded("", required=False))) == []


def test_what_is_only_to_know_never_blocks() -> None:
    finding = fact()
    report = accepted_draft(
        sections=with_texts(draft(StudyFact(), [], [finding]), {"impression": "Bleed."}),
        waiting_models=["other 2.0"],
    )
    found = checks.open_checks(report, SEEN)
    assert [c.code for c in found] == ["open_suggestions", "ai_pending"]
    assert not checks.unsettled(found, [])


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("Right subdural hematoma.", True),
        ("Acute haemorrhage in the RIGHT hemisphere", True),
        ("Left subdural hematoma with shift to the right.", False),
        ("Bilateral hemorrhage, right more than left.", False),
        ("No hemorrhage on the right.", False),
        ("Fracture on the right.", False),
        ("Hemorrhage. Right maxillary sinus opaque.", False),
        ("Left hemorrhage. Right subdural hematoma.", True),
        ("", False),
    ],
)
def test_the_wrong_side_is_a_sentence_that_speaks_of_the_finding_on_the_other_side_only(
    text: str, wrong: bool
) -> None:
    assert checks.wrong_side(text, fact(side="left")) is wrong


@given(st.sampled_from(["left", "right"]), st.text(alphabet="abc .\n", max_size=30))
def test_the_readers_own_accepted_sentence_is_never_on_the_wrong_side(side: str, other: str) -> None:
    finding = fact(side=side)
    sections = decide(
        with_texts(draft(StudyFact(), [], [finding]), {"findings": other}), finding, Verdict.ACCEPTED
    )
    report = accepted_draft(sections=sections, findings=[finding])
    assert "laterality" not in codes(report)


verdicts = st.lists(st.none() | st.sampled_from(list(Verdict)), max_size=4)


@given(verdicts)
def test_a_conclusion_drawn_from_decisions_never_contradicts_them(said: list[Verdict | None]) -> None:
    value = conclusions.from_verdicts(said)
    assert value is None or not conclusions.contradicts(value, said)


def test_one_accepted_is_enough_and_absent_needs_all_rejected() -> None:
    accepted, rejected, uncertain = Verdict.ACCEPTED, Verdict.REJECTED, Verdict.UNCERTAIN
    assert conclusions.from_verdicts([rejected, accepted]) == "present"
    assert conclusions.from_verdicts([rejected, uncertain]) == "indeterminate"
    assert conclusions.from_verdicts([rejected, None]) is None
    assert conclusions.from_verdicts([rejected, rejected]) == "absent"
    assert conclusions.from_verdicts([]) is None


def test_the_reader_may_see_what_ai_missed_but_not_deny_what_they_accepted() -> None:
    assert not conclusions.contradicts("present", [Verdict.REJECTED])
    assert conclusions.contradicts("absent", [Verdict.ACCEPTED])


def test_answers_stay_when_models_come_and_go_and_empty_questions_leave_with_their_model() -> None:
    shadow = Target("36118008", "SCT", "Pneumothorax", required=False)
    asked = conclusions.with_targets([], [shadow, HEMORRHAGE, Target(**{**HEMORRHAGE.__dict__})])
    assert [(c["code"], c["required"]) for c in asked] == [("36118008", False), ("1386000", True)]
    answered = conclusions.with_values(asked, {"1386000": "absent"})
    left = conclusions.with_targets(answered, [])
    assert [(c["code"], c["value"], c["required"]) for c in left] == [("1386000", "absent", False)]
    with pytest.raises(conclusions.UnknownConclusion):
        conclusions.with_values(asked, {"0": "absent"})
    with pytest.raises(conclusions.UnknownConclusion):
        conclusions.with_values(asked, {"1386000": "maybe"})
