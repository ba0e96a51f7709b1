"""Fields of a report: values that render into sentences of its prose. Pure; nothing is changed in place.

A field's sentence stands in the text like one that the reader typed. As long as it stands there as it was
put in, a new value rewrites it; once the reader has reworded it, it is theirs and stays.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypedDict

from worklist.reports.conclusions import Conclusion
from worklist.reports.drafting import Section
from worklist.reports.editing import insert, remove
from worklist.reports.templates.content import Content, Field
from worklist.reports.wording import FindingFact, listed

Value = str | float | list[str] | None
LONGEST: Final = 1_000
BLANK: Final = re.compile(r"\[[^\[\]\n]{0,80}\]")
"""A place to fill, as macros leave them: `[side]`."""


class FieldValue(TypedDict):
    """What a report says in one field.

    `inserted` is the sentence as it was put into the text; `finding_id` names the AI finding whose accepted
    value this is, or "".
    """

    key: str
    value: Value
    inserted: str
    finding_id: str


class WrongValue(ValueError):
    """The template has no such field, or not with this value."""


def clean(field: Field, value: object) -> Value:
    """`value` as the field takes it; None empties it.

    Raises:
        WrongValue: no choice of the field, no number, outside its limits, too long.
    """
    if value is None or value in ("", []):
        return None
    known = {choice.value for choice in field.choices}
    match field.type:
        case "choice":
            if value not in known:
                raise WrongValue(f"{field.label}: choose one of {', '.join(sorted(known))}.")
            return str(value)
        case "choices":
            if not isinstance(value, list) or not all(isinstance(v, str) and v in known for v in value):
                raise WrongValue(f"{field.label}: choose of {', '.join(sorted(known))}.")
            return [choice.value for choice in field.choices if choice.value in value]
        case "number":
            return _number(field, value)
        case _:
            if not isinstance(value, str) or len(value) > LONGEST:
                raise WrongValue(f"{field.label}: a text of at most {LONGEST} characters.")
            return "".join(c for c in value if c >= " ").strip() or None


def sentence(field: Field, value: Value) -> str:
    """`The hemorrhage is left.`; "" for an empty field."""
    if value is None:
        return ""
    if field.type in ("choice", "choices"):
        chosen = [
            c for c in field.choices if c.value == value or (isinstance(value, list) and c.value in value)
        ]
        own = [c.sentence for c in chosen if c.sentence]
        if own and len(own) == len(chosen):
            return " ".join(own)
        shown = listed([c.label for c in chosen])
    else:
        shown = f"{value:g}" if isinstance(value, float) else str(value)
    pattern = field.sentence or ("{label}: {value} {unit}." if field.unit else "{label}: {value}.")
    for name, words in (("label", field.label), ("value", shown), ("unit", field.unit)):
        pattern = pattern.replace("{" + name + "}", words)
    return pattern


def set_value(
    content: Content,
    sections: Sequence[Section],
    fields: Sequence[FieldValue],
    key: str,
    value: object,
    *,
    finding_id: str = "",
    said: bool = False,
) -> tuple[list[Section], list[FieldValue]]:
    """The report with one field answered, its sentence in the text.

    Args:
        said: the text says it already (an accepted finding's own sentence does): no further sentence.

    Raises:
        WrongValue: as for clean, or an unknown field.
    """
    try:
        where, field = content.field(key)
    except KeyError:
        raise WrongValue(f"This report has no field {key}.") from None
    new = clean(field, value)
    known = next((one for one in fields if one["key"] == key), None)
    old = known["inserted"] if known else ""
    if known is not None and known["value"] == new:
        return list(sections), list(fields)
    words = "" if said else sentence(field, new)
    made: list[Section] = []
    for section in sections:
        if section["key"] == where:
            text = _placed(section["text"], old, words, _before(content, where, fields, key))
            section = {**section, "text": text}
        made.append(section)
    kept = [one for one in fields if one["key"] != key]
    if new is not None:
        kept.append({"key": key, "value": new, "inserted": words, "finding_id": finding_id})
    order = {one.key: n for n, (_, one) in enumerate(content.fields())}
    return made, sorted(kept, key=lambda one: order.get(one["key"], len(order)))


def offered(content: Content, findings: Iterable[FindingFact]) -> dict[str, tuple[Value, FindingFact]]:
    """What AI offers for empty fields, by key: of the likeliest possible finding, never a denial."""
    possible = sorted(
        (f for f in findings if f.present and not f.stale), key=lambda f: (-f.probability, f.id)
    )
    made: dict[str, tuple[Value, FindingFact]] = {}
    for _, field in content.fields():
        if field.ai is None:
            continue
        for finding in possible:
            if finding.code != field.ai.code:
                continue
            try:
                value = clean(field, _attribute(finding, field.ai.attribute))
            except WrongValue:
                continue
            if value is not None:
                made[field.key] = (value, finding)
                break
    return made


def asked(field: Field, fields: Sequence[FieldValue], conclusions: Sequence[Conclusion]) -> bool:
    """Whether the field is to be answered in this report."""
    if field.when is None:
        return True
    if field.when.conclusion:
        return any(
            c["code"] == field.when.conclusion and c["value"] in field.when.values for c in conclusions
        )
    for one in fields:
        if one["key"] == field.when.field:
            said = one["value"] if isinstance(one["value"], list) else [str(one["value"])]
            return any(value in field.when.values for value in said)
    return False


def missing(content: Content, fields: Sequence[FieldValue], conclusions: Sequence[Conclusion]) -> list[Field]:
    """Required fields that are asked for and empty."""
    answered = {one["key"] for one in fields}
    return [
        field
        for _, field in content.fields()
        if field.required and field.key not in answered and asked(field, fields, conclusions)
    ]


def valid(content: Content, fields: Sequence[FieldValue]) -> list[FieldValue]:
    """Answers that a template takes too; the sentences of the others stay in the text as the reader's."""
    kept: list[FieldValue] = []
    for one in fields:
        try:
            _, field = content.field(one["key"])
            if clean(field, one["value"]) == one["value"]:
                kept.append(one)
        except (KeyError, WrongValue):
            continue
    return kept


def blanks(text: str) -> list[str]:
    """Places that macros left to fill: `[side]`."""
    return BLANK.findall(text)


def values(fields: Iterable[FieldValue]) -> Mapping[str, Value]:
    """By key."""
    return {one["key"]: one["value"] for one in fields}


def _placed(text: str, old: str, new: str, before: Sequence[str]) -> str:
    """`text` with the sentence `old` become `new`; a new one after the last of `before` that stands there."""
    if old and old in text:
        return text.replace(old, new, 1) if new else remove(text, old)
    if not new or new in text:
        return text
    for earlier in reversed(before):
        at = text.find(earlier)
        if earlier and at >= 0:
            end = at + len(earlier)
            return f"{text[:end]} {new}{text[end:]}"
    return insert(text, new)


def _before(content: Content, section: str, fields: Sequence[FieldValue], key: str) -> list[str]:
    inserted = {one["key"]: one["inserted"] for one in fields}
    found = []
    for where, field in content.fields():
        if field.key == key:
            break
        if where == section and inserted.get(field.key):
            found.append(inserted[field.key])
    return found


def _number(field: Field, value: object) -> float:
    try:
        number = float(value) if isinstance(value, str | int | float) else math.nan
    except ValueError:
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number):
        raise WrongValue(f"{field.label}: a number is needed.")
    if field.minimum is not None and number < field.minimum:
        raise WrongValue(f"{field.label}: at least {field.minimum:g} {field.unit}".rstrip() + ".")
    if field.maximum is not None and number > field.maximum:
        raise WrongValue(f"{field.label}: at most {field.maximum:g} {field.unit}".rstrip() + ".")
    return number


def _attribute(finding: FindingFact, name: str) -> object:
    value = getattr(finding, name)
    return round(value, 1 if name == "volume_ml" and value < 10 else 0) if isinstance(value, float) else value
