"""Template contents, which template fits, and fields that render into prose."""

from __future__ import annotations

import copy
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worklist.reports.test_wording import fact
from worklist.reports.drafting import PriorFact, Section, StudyFact, draft, with_template
from worklist.reports.templates import choosing, preview
from worklist.reports.templates import fields as rules
from worklist.reports.templates.content import Content, InvalidTemplate, parse
from worklist.reports.templates.fields import FieldValue, WrongValue
from worklist.reports.templates.services import SHIPPED

FILES = sorted(SHIPPED.glob("*.json"))
HEAD = parse(json.loads((SHIPPED / "ct-head.json").read_text())["content"])


def small(**field: Any) -> dict[str, Any]:
    one = {"key": "side", "label": "Side", "type": "choice", "choices": ["left", "right"]} | field
    return {
        "sections": [
            {"key": "findings", "title": "Findings", "text": "", "fields": [one]},
            {"key": "impression", "title": "Impression", "text": "", "fields": []},
        ]
    }


def sections(content: Content, text: str = "") -> list[Section]:
    made = draft(StudyFact(), [], [], content)
    return [{**one, "text": text if one["key"] == "findings" else one["text"]} for one in made]


def findings(made: list[Section]) -> str:
    return next(one["text"] for one in made if one["key"] == "findings")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_is_shipped_is_right_and_reads_well(path: Path) -> None:
    content = parse(json.loads(path.read_text())["content"])
    assert [s.key for s in content.sections] == [
        "history",
        "comparison",
        "technique",
        "findings",
        "impression",
    ]
    for _, one in content.fields():
        example = preview.example(one)
        assert rules.clean(one, example) == example
        assert rules.sentence(one, example).endswith(".") and "{" not in rules.sentence(one, example)
    assert len(preview.sections(content)) == 5


def test_the_head_ct_carries_the_radelement_ids() -> None:
    assert HEAD.cde_set == "RDES194"
    assert {one.cde for _, one in HEAD.fields() if one.cde} == {"RDE1287", "RDE1288", "RDE1289", "RDE1700"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"type": "date"}, "the type"),
        ({"key": "Not a key"}, "no lower-case word"),
        ({"choices": []}, "choices are needed"),
        ({"choices": ["a", "a"]}, "two choices"),
        ({"cde": "1287"}, "no RadElement id"),
        ({"label": " "}, "a label is needed"),
        ({"when": {"field": "later", "values": ["x"]}}, "no field before it"),
        ({"when": {"field": "a", "conclusion": "b", "values": ["x"]}}, "a field or a conclusion"),
        ({"ai": {"code": "1", "attribute": "__class__"}}, "`ai` needs"),
        ({"minimum": 3, "maximum": 2}, "above the maximum"),
        ({"minimum": "3"}, "is a number"),
        ({"sentence": "a\x00"}, "control characters"),
        ({"sentence": "x" * 401}, "longer than"),
    ],
)
def test_what_is_wrong_with_a_field_is_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidTemplate, match=words):
        parse(small(**change))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([], "JSON object"),
        ({"sections": {}}, "is a list"),
        ({"sections": []}, "`findings` is missing"),
        ({"sections": [{"key": "eval", "title": "x"}]}, "is none of"),
        ({"sections": [], "script": "x"}, "Unknown: script"),
        ({"sections": [7]}, "an object is needed"),
        ({**small(), "macros": [{"name": "n", "section": "nowhere", "text": ""}]}, "no section"),
    ],
)
def test_what_is_wrong_with_a_template_is_named(content: Any, words: str) -> None:
    with pytest.raises(InvalidTemplate, match=words):
        parse(content)


def test_an_impression_never_starts_with_words() -> None:
    content = copy.deepcopy(small())
    content["sections"][1]["text"] = "Normal."
    with pytest.raises(InvalidTemplate, match="starts empty"):
        parse(content)


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["sections", "fields", "key", "title", "text", "type", "choices", "when", "ai", "macros"]
            )
            | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(json_like)
def test_anything_else_is_refused_in_words_and_never_crashes(document: Any) -> None:
    try:
        parse(document)
    except InvalidTemplate as error:
        assert error.problems


# Fields and prose


def answer(content: Content, made: list[Section], said: list[FieldValue], key: str, value: object) -> Any:
    return rules.set_value(content, made, said, key, value)


def test_a_field_writes_its_sentence_rewrites_it_and_takes_it_out_again() -> None:
    made, said = answer(HEAD, sections(HEAD, "Skull intact."), [], "hemorrhage", "present")
    assert findings(made) == "Skull intact.\nAcute intracranial hemorrhage."
    made, said = answer(HEAD, made, said, "side", "left")
    made, said = answer(HEAD, made, said, "size", 42)
    made, said = answer(HEAD, made, said, "location", ["temporal", "frontal"])
    assert findings(made) == (
        "Skull intact.\nAcute intracranial hemorrhage. Side of the hemorrhage: left. "
        "Largest diameter of the hemorrhage 42 mm. Location: frontal and temporal."
    )
    made, said = answer(HEAD, made, said, "side", "right")
    assert "Side of the hemorrhage: right." in findings(made) and "left" not in findings(made)
    for key in ("side", "size", "location", "hemorrhage"):
        made, said = answer(HEAD, made, said, key, None)
    assert (findings(made), said) == ("Skull intact.", [])


def test_words_that_the_reader_changed_are_theirs() -> None:
    made, said = answer(HEAD, sections(HEAD), [], "size", 42)
    own = [{**one, "text": one["text"].replace("42 mm", "42 mm, measured twice")} for one in made]
    again, said = answer(HEAD, own, said, "size", None)  # type: ignore[arg-type]
    assert "measured twice" in findings(again) and said == []


HEAD_VALUES = {
    "hemorrhage": ["present", "absent", "indeterminate", "unknown"],
    "side": ["left", "right", "midline", "both"],
    "size": [1, 42.5, 250],
    "location": [["frontal"], ["frontal", "ventricles"]],
    "shift": [0, 7],
}
moves = st.sampled_from(sorted(HEAD_VALUES)).flatmap(
    lambda key: st.tuples(st.just(key), st.sampled_from([None, *HEAD_VALUES[key]]))
)


@given(st.lists(moves, max_size=12), st.text(alphabet="abc .\n", max_size=20))
def test_whatever_is_answered_the_readers_own_words_stay(done: list[tuple[str, Any]], own: str) -> None:
    made, said = sections(HEAD, own), list[FieldValue]()
    for key, value in done:
        made, said = answer(HEAD, made, said, key, value)
    text = findings(made)
    assert text.startswith(own.rstrip("\n ")) or not own.strip()
    for one in said:
        assert one["inserted"] in text
    for key in HEAD_VALUES:
        made, said = answer(HEAD, made, said, key, None)
    assert findings(made).strip() == own.strip()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("side", "up"),
        ("side", 3),
        ("size", "many"),
        ("size", 0),
        ("size", 1e9),
        ("size", float("nan")),
        ("size", True),
        ("location", ["nowhere"]),
        ("location", "frontal"),
        ("nothing", "x"),
    ],
)
def test_a_value_that_the_field_does_not_take_is_refused(key: str, value: object) -> None:
    with pytest.raises(WrongValue):
        answer(HEAD, sections(HEAD), [], key, value)


def test_required_fields_are_missed_only_where_they_are_asked() -> None:
    assert rules.missing(HEAD, [], []) == []
    _, said = answer(HEAD, sections(HEAD), [], "hemorrhage", "present")
    assert [one.key for one in rules.missing(HEAD, said, [])] == ["size"]
    _, said = answer(HEAD, sections(HEAD), said, "size", 12)
    assert rules.missing(HEAD, said, []) == []


def test_ai_offers_what_it_measured_and_never_that_something_is_absent() -> None:
    seen = fact(side="left", largest_diameter_mm=42.4)
    offered = rules.offered(HEAD, [seen, fact(present=False)])
    assert {key: value for key, (value, _) in offered.items()} == {"side": "left", "size": 42.0}
    assert rules.offered(HEAD, [fact(present=False)]) == {}
    assert rules.offered(HEAD, [fact(stale=True)]) == {}


def test_places_to_fill_are_found() -> None:
    assert rules.blanks("Along the [side] convexity, [a / b], x [1\n2] []") == ["[side]", "[a / b]", "[]"]


# Choosing and changing


def test_the_closest_template_is_chosen() -> None:
    made = [
        choosing.Rule("generic"),
        choosing.Rule("ct", ("CT",)),
        choosing.Rule("ct-head", ("CT",), ("HEAD", "BRAIN")),
        choosing.Rule("angio", ("CT",), ("HEAD",), ("angio", "CTA")),
    ]

    def chosen(modality: str, body_part: str, description: str = "") -> str | None:
        return choosing.choose(made, modality=modality, body_part=body_part, description=description)

    assert chosen("CT", "Head") == "ct-head"
    assert chosen("CT", "HEAD", "CTA head") == "angio"
    assert chosen("CT", "CHEST") == "ct"
    assert chosen("MR", "HEAD") == "generic"
    assert choosing.choose([], modality="CT", body_part="", description="") is None


def test_another_template_keeps_every_word() -> None:
    bones = parse(
        {
            "sections": [
                {"key": "findings", "title": "Findings", "text": "Default.", "fields": []},
                {"key": "findings-bones", "title": "Bones", "text": "", "fields": []},
                {"key": "impression", "title": "Impression", "text": "", "fields": []},
            ]
        }
    )
    prior = PriorFact("CT", "HEAD", None, date(2026, 1, 2))
    old = draft(StudyFact(reason_for_exam="Fall"), [prior], [], HEAD)
    made = with_template(old, bones)
    assert [one["key"] for one in made] == ["findings", "findings-bones", "impression"]
    assert findings(made) == "Default.\nHistory: Fall\nComparison: CT head, reported 2 Jan 2026."
    back = with_template(made, HEAD)
    assert "History: Fall" in findings(back)
