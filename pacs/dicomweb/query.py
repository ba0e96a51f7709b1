"""The query part of a search (PS3.18 8.3.4), parsed tolerantly and strictly where it protects somebody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from django.http import QueryDict
from pydicom.datadict import dictionary_VR, tag_for_keyword

from foundation.problems import Problem

PATIENT_ID: Final = "00100020"
MODALITY: Final = "00080060"
MODALITIES_IN_STUDY: Final = "00080061"
# Asked for as lists of values, joined by a comma or (in OHIF) a backslash.
LISTS: Final = frozenset({MODALITY, MODALITIES_IN_STUDY})
_CONTROL: Final = frozenset({"limit", "offset", "includefield", "fuzzymatching", "accept"})
_LONGEST_VALUE: Final = 1024
_MOST_VALUES: Final = 1000


@dataclass(frozen=True)
class Key:
    """One attribute to match.

    Attributes:
        path: tags as eight hex digits; more than one for an attribute inside sequences.
        vr: of the last tag.
        values: stripped; empty for an attribute asked for with an empty value (any value will do).
    """

    path: tuple[str, ...]
    vr: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Query:
    """A search.

    Attributes:
        include: tags to return beside the usual ones.
        include_all: return all there is.
        limit: at most so many results.
        warnings: what was not understood and left out, for the Warning header (299).
    """

    keys: tuple[Key, ...]
    include: frozenset[str]
    include_all: bool
    limit: int
    offset: int
    warnings: tuple[str, ...] = field(default=())

    def named(self) -> str:
        """The attributes asked by, without values, for the audit trail."""
        return ", ".join(sorted(".".join(key.path) for key in self.keys if key.values))

    def values_of(self, tag: str) -> tuple[str, ...]:
        """What was asked for an attribute."""
        return next((key.values for key in self.keys if key.path == (tag,)), ())


def parse_query(parameters: QueryDict, *, maximum: int) -> Query:
    """Read a search's parameters.

    Words that are no attributes are left out with a warning, as PS3.18 8.3.4 wants. A limit above
    `maximum` is lowered to it.

    Raises:
        Problem: 400 for a limit or offset that is no number, or a value with control characters.
    """
    keys: dict[tuple[str, ...], Key] = {}
    warnings: list[str] = []
    for name, texts in parameters.lists():
        if name.lower() in _CONTROL:
            continue
        path = _path(name)
        if path is None:
            warnings.append(f"{_printable(name)} is no attribute and was ignored")
            continue
        vr = _vr(path[-1])
        keys[path] = Key(path, vr, _values(name, texts, split=vr == "UI" or path[-1] in LISTS))
    if parameters.get("fuzzymatching", "").lower() == "true":
        warnings.append("fuzzymatching is not supported, only literal matching was done")
    include, include_all = _include(parameters.getlist("includefield"), warnings)
    return Query(
        keys=tuple(keys.values()),
        include=include,
        include_all=include_all,
        limit=min(_count(parameters, "limit", maximum), maximum),
        offset=_count(parameters, "offset", 0),
        warnings=tuple(warnings),
    )


def tag_of(name: str) -> str | None:
    """Eight upper-case hex digits of a keyword or tag; None when it is neither."""
    if len(name) == 8:
        try:
            return f"{int(name, 16):08X}"
        except ValueError:
            pass
    tag = tag_for_keyword(name)
    return None if tag is None else f"{tag:08X}"


def _path(name: str) -> tuple[str, ...] | None:
    tags = [tag_of(piece) for piece in name.split(".")[:8]]
    return None if None in tags else tuple(tag for tag in tags if tag is not None)


def _vr(tag: str) -> str:
    try:
        return dictionary_VR(int(tag, 16))
    except KeyError:
        return "UN"


def _values(name: str, texts: Iterable[str], *, split: bool) -> tuple[str, ...]:
    found: list[str] = []
    for text in texts:
        pieces = text.replace("\\", ",").split(",") if split else [text]
        found += [piece.strip() for piece in pieces if piece.strip()]
    if len(found) > _MOST_VALUES or any(len(value) > _LONGEST_VALUE for value in found):
        raise Problem(400, "Too long", f"{_printable(name)} has too many or too long values.")
    if any(ord(letter) < 32 for value in found for letter in value):
        raise Problem(400, "Not a value", f"{_printable(name)} has control characters in its value.")
    return tuple(found)


def _include(texts: Iterable[str], warnings: list[str]) -> tuple[frozenset[str], bool]:
    names = [name.strip() for text in texts for name in text.split(",") if name.strip()]
    tags = {name: tag_of(name.split(".")[0]) for name in names if name.lower() != "all"}
    warnings += [
        f"includefield {_printable(name)} is no attribute" for name, tag in tags.items() if tag is None
    ]
    return frozenset(tag for tag in tags.values() if tag), any(name.lower() == "all" for name in names)


def _count(parameters: QueryDict, name: str, default: int) -> int:
    text = parameters.get(name, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Problem(400, "Not a number", f"{name} must be a whole number, 0 or more.")
    return int(text)


def _printable(name: str) -> str:
    """Safe inside a quoted header value."""
    return "".join(
        letter for letter in name[:64] if letter.isascii() and (letter.isalnum() or letter in "._-")
    )
