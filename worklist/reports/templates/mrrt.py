"""Reads report templates in the RSNA/IHE MRRT format (HTML5; IHE RAD TF-3 4.105). Pure.

The file is data from outside: only text and a handful of attributes are taken from it, by the standard
library's tokenizer, which resolves no entities of its own, loads nothing and runs nothing. What cannot be
taken over is told as a warning.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Final

from worklist.reports.templates.content import InvalidTemplate, parse

LONGEST: Final = 512 * 1024
_ROOTS: Final = {
    "history": ("history", "clinical", "indication", "reason"),
    "comparison": ("comparison", "prior"),
    "technique": ("technique", "procedure", "protocol", "exam"),
    "findings": ("findings", "observations"),
    "impression": ("impression", "conclusion", "summary"),
}
_VOID: Final = frozenset({"input", "br", "meta", "link", "img", "hr"})


class NotMrrt(ValueError):
    """The text is no MRRT template that could be taken over."""


@dataclass(frozen=True)
class Imported:
    """A proposal; an administrator looks at it before it is kept.

    Attributes:
        content: as worklist/reports/templates/content.py reads it.
        warnings: what was left out or guessed.
    """

    name: str
    content: dict[str, Any]
    warnings: list[str]


def read(html: str) -> Imported:
    """Sections, fields, choices, units, defaults and RadElement ids of a template.

    Raises:
        NotMrrt: too large, without a section, or with more than a template holds.
    """
    if len(html) > LONGEST:
        raise NotMrrt(f"A template holds at most {LONGEST // 1024} kB.")
    reader = _Reader()
    reader.feed(html)
    reader.close()
    if not reader.sections:
        raise NotMrrt("This holds no <section>: it is no MRRT template.")
    codes = _Codes()
    codes.feed(reader.script)
    found = _content(reader, codes.found)
    try:
        parse(found.content)
    except InvalidTemplate as error:
        raise NotMrrt(str(error)) from None
    return found


@dataclass
class _Found:
    """A field as it stands in the file."""

    ident: str
    kind: str
    name: str
    unit: str = ""
    default: str = ""
    minimum: str = ""
    maximum: str = ""
    multiple: bool = False
    options: list[str] = field(default_factory=list)


@dataclass
class _Part:
    """A section as it stands in the file."""

    name: str
    words: list[str] = field(default_factory=list)
    fields: list[_Found] = field(default_factory=list)


class _Reader(HTMLParser):
    """Collects sections; everything else falls away."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self.script = ""
        self.sections: list[_Part] = []
        self.labels: dict[str, str] = {}
        self.warnings: list[str] = []
        self._open: list[_Part] = []
        self._in: list[str] = []
        self._field: _Found | None = None
        self._label = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag not in _VOID:
            self._in.append(tag)
        if tag == "section":
            part = _Part(given.get("data-section-name", "").strip())
            self.sections.append(part)
            self._open.append(part)
        elif tag == "label":
            self._label = given.get("for", "")
        elif tag in ("input", "select", "textarea"):
            self._start_field(tag, given)
        elif tag == "option" and self._field is not None:
            self._field.options.append("")
            if "selected" in given:
                self._field.default = str(len(self._field.options) - 1)
        elif tag in ("img", "iframe", "object", "embed", "link", "style"):
            self._warn(f"<{tag}> was left out.")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self._in:
            return
        # A file may close tags out of order: all up to this one are closed.
        while self._in and self._in.pop() != tag:
            pass
        if tag == "section" and self._open:
            self._open.pop()
        elif tag in ("select", "textarea"):
            self._field = None

    def handle_data(self, data: str) -> None:
        here = self._in[-1] if self._in else ""
        if here == "title":
            self.title += data
        elif here == "script":
            self.script += data
        elif here == "label":
            self.labels[self._label] = (self.labels.get(self._label, "") + data).strip()
        elif here == "option" and self._field is not None and self._field.options:
            self._field.options[-1] += data
        elif here == "textarea" and self._field is not None:
            self._field.default += data
        elif here == "header" and self._open:
            self._open[-1].name = self._open[-1].name or data.strip()
        elif here not in ("style", "head", "html") and self._open and data.strip():
            self._open[-1].words.append(" ".join(data.split()))

    def _start_field(self, tag: str, given: dict[str, str]) -> None:
        if not self._open:
            self._warn("A field outside a section was left out.")
            return
        kind = given.get("data-field-type", "").upper()
        kind = (
            {"select": "SELECTION_LIST", "textarea": "TEXT"}.get(tag)
            or kind
            or given.get("type", "text").upper()
        )
        found = _Found(
            ident=given.get("id", ""),
            kind=kind,
            name=given.get("name", ""),
            unit=given.get("data-field-units", ""),
            default=given.get("value", "") if tag == "input" else "",
            minimum=given.get("min", ""),
            maximum=given.get("max", ""),
            multiple="multiple" in given,
        )
        self._open[-1].fields.append(found)
        self._field = found if tag in ("select", "textarea") else None

    def _warn(self, words: str) -> None:
        if words not in self.warnings:
            self.warnings.append(words)


class _Codes(HTMLParser):
    """`<entry ORIGTXT="id"><term><code scheme value>`: RadElement ids by field id."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: dict[str, str] = {}
        self._entry = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "entry":
            self._entry = given.get("origtxt", "")
        elif tag == "code" and self._entry and re.fullmatch(r"RDE\d{1,7}", given.get("value", "")):
            self.found.setdefault(self._entry, given["value"])


def _content(reader: _Reader, codes: dict[str, str]) -> Imported:
    warnings = list(reader.warnings)
    sections: list[dict[str, Any]] = []
    used: set[str] = set()
    for number, part in enumerate(reader.sections, start=1):
        title = (part.name or f"Section {number}")[:80]
        root = _root(title)
        key = root if root not in used else _free(f"{root}-{_slug(title) or number}", used)
        used.add(key)
        fields = [
            made
            for n, one in enumerate(part.fields, start=1)
            if (made := _field(one, f"{_slug(title, '_') or 'section'}_{n}", reader.labels, codes, warnings))
        ]
        words = " ".join(part.words)
        if key == "impression" and words:
            warnings.append("The impression starts empty: its words were left out.")
            words = ""
        sections.append({"key": key, "title": title, "text": words[:4000], "fields": fields})
    for needed, title in (("findings", "Findings"), ("impression", "Impression")):
        if needed not in used:
            warnings.append(f"A section {title} was added.")
            sections.append({"key": needed, "title": title, "text": "", "fields": []})
    names: set[str] = set()
    for section in sections:
        for one in section["fields"]:
            one["key"] = _free(one["key"], names, "_")
            names.add(one["key"])
    name = _printable(" ".join(reader.title.split()))[:120] or "Imported template"
    return Imported(
        name, _printable({"sections": sections, "macros": [], "cde_set": ""}), _printable(warnings)
    )


def _printable(value: Any) -> Any:
    """The same without control characters, which a reference such as `&#27;` may bring."""
    if isinstance(value, str):
        return "".join(c for c in value if c >= " " or c == "\n")
    if isinstance(value, list):
        return [_printable(one) for one in value]
    if isinstance(value, dict):
        return {key: _printable(one) for key, one in value.items()}
    return value


def _field(
    found: _Found, fallback: str, labels: dict[str, str], codes: dict[str, str], warnings: list[str]
) -> dict[str, Any] | None:
    label = (labels.get(found.ident) or found.name or found.ident or fallback)[:120]
    slug = _slug(label, "_")
    made: dict[str, Any] = {
        "key": (slug if slug[:1].isalpha() else f"f_{slug or fallback}")[:36],
        "label": label,
        "cde": codes.get(found.ident, ""),
        "unit": found.unit[:20],
    }
    match found.kind:
        case "SELECTION_LIST":
            options = list(dict.fromkeys(" ".join(o.split())[:200] for o in found.options if o.strip()))
            if not options:
                warnings.append(f"{label}: a list without choices was left out.")
                return None
            if found.default:
                warnings.append(f"{label}: its preset choice was left out; a reader chooses.")
            made |= {"type": "choices" if found.multiple else "choice", "choices": options[:60]}
        case "NUMBER":
            made["type"] = "number"
            for name, given in (("minimum", found.minimum), ("maximum", found.maximum)):
                if re.fullmatch(r"-?\d+(\.\d+)?", given):
                    made[name] = float(given)
        case "CHECKBOX_SINGLE" | "CHECKBOX":
            made |= {"type": "choice", "choices": ["yes"]}
        case "TEXT" | "TEXTAREA" | "DATE" | "TIME" | "MERGE":
            made["type"] = "text"
            if found.default.strip():
                warnings.append(f"{label}: its preset text was left out; use a macro.")
        case _:
            warnings.append(f"{label}: a field of type {found.kind[:20]} was left out.")
            return None
    return made


def _root(title: str) -> str:
    words = title.lower()
    return next((root for root, names in _ROOTS.items() if any(name in words for name in names)), "findings")


def _slug(text: str, glue: str = "-") -> str:
    return re.sub(r"[^a-z0-9]+", glue, text.lower()).strip(glue)[:30]


def _free(key: str, used: set[str], glue: str = "-") -> str:
    number, made = 2, key
    while made in used:
        made, number = f"{key}{glue}{number}", number + 1
    return made
