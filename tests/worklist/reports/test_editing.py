"""Decisions put sentences into the reader's text and take out only what they put in."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worklist.reports.test_wording import fact
from worklist.reports import drafting, editing, wording
from worklist.reports.drafting import Section, StudyFact
from worklist.reports.editing import Verdict
from worklist.reports.wording import FindingFact

LEFT, RIGHT = fact(id=1), fact(id=2, side="right", volume_ml=4.0)
TWIN = fact(id=3)
FINDINGS = {f.id: f for f in (LEFT, RIGHT, TWIN)}


def draft(*findings: FindingFact) -> list[Section]:
    return drafting.draft(StudyFact(), [], findings or list(FINDINGS.values()))


def text_of(sections: list[Section], key: str = "findings") -> str:
    return next(s["text"] for s in sections if s["key"] == key)


def written(sections: list[Section], text: str, key: str = "findings") -> list[Section]:
    return editing.with_texts(sections, {key: text})


def test_accepting_writes_the_sentence_into_findings_and_impression() -> None:
    sections = editing.decide(written(draft(LEFT), "No fracture."), LEFT, Verdict.ACCEPTED)
    assert text_of(sections) == "No fracture.\nIntracranial hemorrhage, about 31 mL, left, slices 12-19."
    assert text_of(sections, "impression") == "Intracranial hemorrhage, about 31 mL, left."


def test_changing_ones_mind_rewrites_the_sentence_where_it_stands() -> None:
    sections = editing.decide(draft(LEFT), LEFT, Verdict.ACCEPTED)
    sections = written(sections, text_of(sections) + "\nNo fracture.")
    sections = editing.decide(sections, LEFT, Verdict.UNCERTAIN)
    assert text_of(sections) == (
        "Intracranial hemorrhage cannot be excluded (about 31 mL, left, slices 12-19).\nNo fracture."
    )
    assert text_of(editing.decide(sections, LEFT, Verdict.REJECTED)) == "No fracture."


def test_a_readers_rewording_survives_a_second_click_and_a_rejection() -> None:
    sections = written(editing.decide(draft(LEFT), LEFT, Verdict.ACCEPTED), "Left subdural, 12 mm.")
    assert text_of(editing.decide(sections, LEFT, Verdict.ACCEPTED)) == "Left subdural, 12 mm."
    assert text_of(editing.decide(sections, LEFT, Verdict.REJECTED)) == "Left subdural, 12 mm."


def test_a_sentence_the_reader_wrote_by_hand_stays_when_the_finding_is_rejected() -> None:
    own = wording.accepted(LEFT, "findings")
    sections = editing.decide(written(draft(LEFT), own), LEFT, Verdict.ACCEPTED)
    assert text_of(sections) == own
    assert text_of(editing.decide(sections, LEFT, Verdict.REJECTED)) == own


def test_two_models_with_the_same_words_share_one_sentence_until_both_are_rejected() -> None:
    both = editing.decide(editing.decide(draft(), LEFT, Verdict.ACCEPTED), TWIN, Verdict.ACCEPTED)
    own = wording.accepted(LEFT, "findings")
    assert text_of(both).count(own) == 1
    one = editing.decide(both, LEFT, Verdict.REJECTED)
    assert own in text_of(one)
    assert text_of(editing.decide(one, TWIN, Verdict.REJECTED)) == ""


def test_one_sentence_can_be_taken_without_the_other() -> None:
    sections = editing.set_suggestion(draft(LEFT), "impression-1", "accepted", LEFT, Verdict.ACCEPTED)
    assert text_of(sections) == ""
    assert text_of(sections, "impression") == "Intracranial hemorrhage, about 31 mL, left."
    sections = editing.set_suggestion(sections, "impression-1", "rejected", LEFT, Verdict.ACCEPTED)
    assert text_of(sections, "impression") == ""


words = st.text(alphabet="abc \n.", max_size=40)
moves = st.lists(
    st.one_of(
        st.tuples(st.just("decide"), st.sampled_from([1, 2, 3]), st.sampled_from([*Verdict, None])),
        st.tuples(st.just("toggle"), st.sampled_from([1, 2, 3]), st.sampled_from(["accepted", "rejected"])),
        st.tuples(st.just("append"), st.sampled_from(["findings", "impression"]), words),
    ),
    max_size=12,
)


@settings(max_examples=300)
@given(moves)
def test_what_is_not_accepted_never_stands_in_the_text(steps: list[tuple[str, object, object]]) -> None:
    sections = draft()
    for kind, target, value in steps:
        if kind == "decide":
            sections = editing.decide(sections, FINDINGS[target], value)  # type: ignore[index, arg-type]
        elif kind == "toggle":
            finding = FINDINGS[target]  # type: ignore[index]
            sections = editing.set_suggestion(
                sections, f"findings-{target}", str(value), finding, Verdict.ACCEPTED
            )
        else:
            old = text_of(sections, str(target))
            sections = written(sections, old + str(value), str(target))
    for section in sections:
        assert wording.MARKER not in section["text"]
        accepted = {
            FINDINGS[int(s["finding_id"])].side for s in section["suggestions"] if s["state"] == "accepted"
        }
        for suggestion in section["suggestions"]:
            assert suggestion["text"] not in section["text"]
            finding = FINDINGS[int(suggestion["finding_id"])]
            if suggestion["state"] == "accepted":
                assert suggestion["inserted"] and suggestion["inserted"] in section["text"]
            elif finding.side not in accepted:
                for word in (wording.accepted, wording.uncertain):
                    assert word(finding, section["key"]) not in section["text"]


@given(words, words)
def test_taking_out_what_was_put_in_gives_the_readers_words_back(before: str, after: str) -> None:
    put_in = "Intracranial hemorrhage, left."
    text = editing.insert(before, put_in) + ("\n" + after if after else "")
    assert editing.remove(text, put_in).split() == (before + " " + after).split()
