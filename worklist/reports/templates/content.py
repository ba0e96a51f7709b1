"""What a template consists of, read from JSON and checked. Pure.

    {"sections": [{"key": "findings", "title": "Findings", "text": "",
                   "fields": [{"key": "side", "label": "Side", "type": "choice", "cde": "RDE1288",
                               "choices": [{"value": "left", "label": "left"}, ...],
                               "sentence": "The hemorrhage is {value}."}]}],
     "cde_set": "RDES194", "macros": [{"name": "normal", "section": "findings", "text": "..."}]}

Field types: `choice` (one of), `choices` (any of), `number` (with unit), `text`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

ROOTS: Final = ("history", "comparison", "technique", "findings", "impression")
"""A section is one of these, or one of them with a name of its own: `findings-bones`."""
TYPES: Final = ("choice", "choices", "number", "text")
ATTRIBUTES: Final = ("side", "largest_diameter_mm", "volume_ml", "subtype")
"""Of an AI finding, what may be offered as a field's value."""
LONGEST_TEXT: Final = 4_000
MOST: Final = {"sections": 20, "fields": 60, "choices": 60, "macros": 60}
_SECTION = re.compile(rf"({'|'.join(ROOTS)})(-[a-z0-9]+)*")
_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
_CDE = re.compile(r"RDES?\d{1,7}")


class InvalidTemplate(ValueError):
    """What is wrong with a template; `problems` names each place."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = list(problems)


@dataclass(frozen=True)
class Choice:
    """One value of a choice; `sentence` says it in the report instead of the field's sentence."""

    value: str
    label: str
    sentence: str = ""
    code: str = ""


@dataclass(frozen=True)
class Source:
    """Where AI may offer a value: an attribute of possible findings with this code."""

    code: str
    attribute: str


@dataclass(frozen=True)
class Condition:
    """A field is asked for only where another field, or the conclusion on a finding code, has one of `values`."""

    field: str
    conclusion: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Field:
    """One structured answer.

    Attributes:
        cde: RadElement data element, "" without one.
        sentence: with `{value}` and `{unit}`; "" renders `Label: value unit.`
        unit: as printed and, being UCUM, as coded.
        names: words that mean the thing whose side this field tells, for the check of sides.
        concludes: finding code whose conclusion this answer is: present, absent or indeterminate.
    """

    key: str
    label: str
    type: str
    cde: str = ""
    required: bool = False
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Choice, ...] = ()
    sentence: str = ""
    when: Condition | None = None
    ai: Source | None = None
    names: tuple[str, ...] = ()
    concludes: str = ""


@dataclass(frozen=True)
class SectionPart:
    """One section: its heading, the text that stands there first, and its fields."""

    key: str
    title: str
    text: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Macro:
    """Text that a word stands for; `[…]` in it are places to fill."""

    name: str
    section: str
    text: str


@dataclass(frozen=True)
class Content:
    """A whole template."""

    sections: tuple[SectionPart, ...]
    macros: tuple[Macro, ...] = ()
    cde_set: str = ""

    def fields(self) -> Iterator[tuple[str, Field]]:
        """(section key, field) in order."""
        for section in self.sections:
            for one in section.fields:
                yield section.key, one

    def concluding(self, code: str) -> Field | None:
        """The field that answers whether a finding is there."""
        return next((one for _, one in self.fields() if one.concludes == code), None)

    def field(self, key: str) -> tuple[str, Field]:
        """(section key, field); raises KeyError."""
        for section, one in self.fields():
            if one.key == key:
                return section, one
        raise KeyError(key)


def parse(document: object) -> Content:
    """Reads and checks a template's JSON.

    Raises:
        InvalidTemplate: with every problem found.
    """
    problems: list[str] = []
    if not isinstance(document, Mapping):
        raise InvalidTemplate(["A template is a JSON object with `sections`."])
    unknown = set(document) - {"sections", "macros", "cde_set"}
    if unknown:
        problems.append(f"Unknown: {', '.join(sorted(map(str, unknown)))}.")
    sections = [
        _section(one, number, problems)
        for number, one in enumerate(_list(document, "sections", problems), start=1)
    ]
    macros = [
        _macro(one, number, problems)
        for number, one in enumerate(_list(document, "macros", problems), start=1)
    ]
    content = Content(
        tuple(sections), tuple(macros), _text(document, "cde_set", "the template", problems, 20)
    )
    _whole(content, problems)
    if problems:
        raise InvalidTemplate(problems)
    return content


def _whole(content: Content, problems: list[str]) -> None:
    keys = [section.key for section in content.sections]
    for needed in ("findings", "impression"):
        if needed not in keys:
            problems.append(f"A section `{needed}` is missing.")
    problems += [f"Two sections are called `{key}`." for key in _twice(keys)]
    fields = [one for _, one in content.fields()]
    names = [one.key for one in fields]
    problems += [f"Two fields are called `{key}`." for key in _twice(names)]
    problems += [f"Two macros are called `{name}`." for name in _twice([m.name for m in content.macros])]
    if content.cde_set and not _CDE.fullmatch(content.cde_set):
        problems.append(f"`{content.cde_set}` is no RadElement set such as RDES194.")
    impression = next((s for s in content.sections if s.key == "impression"), None)
    if impression is not None and impression.text.strip():
        problems.append("The impression starts empty: nobody may sign words that nobody wrote.")
    for macro in content.macros:
        if macro.section not in keys:
            problems.append(f"Macro `{macro.name}` belongs to no section of the template.")
    for one in fields:
        if one.when is not None and one.when.field and one.when.field not in names[: names.index(one.key)]:
            problems.append(f"Field `{one.key}` depends on `{one.when.field}`, which is no field before it.")


def _section(given: object, number: int, problems: list[str]) -> SectionPart:
    where = f"section {number}"
    if not isinstance(given, Mapping):
        problems.append(f"In {where}: an object is needed.")
        return SectionPart("", "", "", ())
    key = _text(given, "key", where, problems, 60)
    if not _SECTION.fullmatch(key):
        problems.append(
            f"In {where}: `{key}` is none of {', '.join(ROOTS)}, nor one of them with a name as in findings-bones."
        )
    fields = [
        _field(one, f"{where}, field {n}", problems)
        for n, one in enumerate(_list(given, "fields", problems), start=1)
    ]
    title = _text(given, "title", where, problems, 80)
    if not title.strip():
        problems.append(f"In {where}: a title is needed.")
    return SectionPart(key, title, _text(given, "text", where, problems, LONGEST_TEXT), tuple(fields))


def _field(given: object, where: str, problems: list[str]) -> Field:
    if not isinstance(given, Mapping):
        problems.append(f"In {where}: an object is needed.")
        return Field("", "", "text")
    key, kind = _text(given, "key", where, problems, 40), _text(given, "type", where, problems, 20)
    if not _KEY.fullmatch(key):
        problems.append(f"In {where}: the key `{key}` is no lower-case word.")
    if kind not in TYPES:
        problems.append(f"In {where}: the type `{kind}` is none of {', '.join(TYPES)}.")
    cde = _text(given, "cde", where, problems, 20)
    if cde and not _CDE.fullmatch(cde):
        problems.append(f"In {where}: `{cde}` is no RadElement id such as RDE1287.")
    label = _text(given, "label", where, problems, 120)
    if not label.strip():
        problems.append(f"In {where}: a label is needed.")
    choices = tuple(_choice(one, where, problems) for one in _list(given, "choices", problems))
    if kind in ("choice", "choices") and not choices:
        problems.append(f"In {where}: choices are needed.")
    problems += [f"In {where}: two choices are `{value}`." for value in _twice([c.value for c in choices])]
    low, high = _number(given, "minimum", where, problems), _number(given, "maximum", where, problems)
    if low is not None and high is not None and low > high:
        problems.append(f"In {where}: the minimum is above the maximum.")
    return Field(
        key=key,
        label=label,
        type=kind,
        cde=cde,
        required=given.get("required") is True,
        unit=_text(given, "unit", where, problems, 20),
        minimum=low,
        maximum=high,
        choices=choices,
        sentence=_text(given, "sentence", where, problems, 400),
        when=_condition(given.get("when"), where, problems),
        ai=_source(given.get("ai"), where, problems),
        concludes=_text(given, "concludes", where, problems, 40),
        names=tuple(str(name)[:60] for name in _list(given, "names", problems)),
    )


def _choice(given: object, where: str, problems: list[str]) -> Choice:
    if isinstance(given, str):
        return Choice(given[:200], given[:200])
    if not isinstance(given, Mapping):
        problems.append(f"In {where}: a choice is a text or an object.")
        return Choice("", "")
    value = _text(given, "value", where, problems, 200)
    if not value:
        problems.append(f"In {where}: a choice without a value.")
    label = _text(given, "label", where, problems, 200) or value
    sentence = _text(given, "sentence", where, problems, 400)
    return Choice(value, label, sentence, _text(given, "code", where, problems, 40))


def _condition(given: object, where: str, problems: list[str]) -> Condition | None:
    if given is None:
        return None
    if not isinstance(given, Mapping) or bool(given.get("field")) == bool(given.get("conclusion")):
        problems.append(f"In {where}: `when` names a field or a conclusion, and values.")
        return None
    values = tuple(str(value) for value in _list(given, "values", problems))
    if not values:
        problems.append(f"In {where}: `when` needs values.")
    return Condition(str(given.get("field") or ""), str(given.get("conclusion") or ""), values)


def _source(given: object, where: str, problems: list[str]) -> Source | None:
    if given is None:
        return None
    if not isinstance(given, Mapping) or given.get("attribute") not in ATTRIBUTES or not given.get("code"):
        problems.append(f"In {where}: `ai` needs a finding's code and one of {', '.join(ATTRIBUTES)}.")
        return None
    return Source(str(given["code"])[:40], str(given["attribute"]))


def _macro(given: object, number: int, problems: list[str]) -> Macro:
    where = f"macro {number}"
    if not isinstance(given, Mapping):
        problems.append(f"In {where}: an object is needed.")
        return Macro("", "", "")
    name = _text(given, "name", where, problems, 40)
    if not _KEY.fullmatch(name):
        problems.append(f"In {where}: the name `{name}` is no lower-case word.")
    section = _text(given, "section", where, problems, 60) or "findings"
    return Macro(name, section, _text(given, "text", where, problems, LONGEST_TEXT))


def _list(given: Mapping[Any, Any], name: str, problems: list[str]) -> Sequence[object]:
    value = given.get(name, [])
    if not isinstance(value, list):
        problems.append(f"`{name}` is a list.")
        return []
    most = MOST.get(name, 60)
    if len(value) > most:
        problems.append(f"`{name}` holds at most {most}.")
    return value[:most]


def _text(given: Mapping[Any, Any], name: str, where: str, problems: list[str], longest: int) -> str:
    value = given.get(name, "")
    if not isinstance(value, str):
        problems.append(f"In {where}: `{name}` is a text.")
        return ""
    if len(value) > longest:
        problems.append(f"In {where}: `{name}` is longer than {longest} characters.")
    if any(ord(c) < 32 and c not in "\n\t" for c in value):
        problems.append(f"In {where}: `{name}` holds control characters.")
    return value[:longest]


def _number(given: Mapping[Any, Any], name: str, where: str, problems: list[str]) -> float | None:
    value = given.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        problems.append(f"In {where}: `{name}` is a number.")
        return None
    return float(value)


def _twice(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if name and names.count(name) > 1})
