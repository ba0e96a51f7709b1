"""Who must not be handed a study: whoever asked for it, and whoever the patient is. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_TITLES = {"dr", "med", "md", "mrs", "mr", "ms", "phd", "prof", "professor", "doctor"}


def involved(names: Iterable[str], reader: str) -> bool:
    """Whether one of `names`, each a PN (PS3.5 6.2) as received, may be the reader's own."""
    return any(same_person(name, reader) for name in names)


def same_person(name: str, reader: str) -> bool:
    """Whether a PN names the reader: family and given name both, in any order, also by an initial.

    A family name alone says too little. Two people of one name count as one: then another reader gets
    the study, which harms nobody.

    Args:
        name: PN, e.g. "Berg^Anna^^Dr."; each of its component groups is looked at.
        reader: as people write it, e.g. "Dr. Anna Berg".
    """
    known = _words(reader)
    return any(_names(group, known) for group in name.split("="))


def _names(group: str, known: list[str]) -> bool:
    if "^" in group:
        family, given = (_words(part) for part in (*group.split("^"), "")[:2])
    else:
        family, given = _words(group)[:1], _words(group)[1:]
    if not family or not given or not set(family) <= set(known):
        return False
    others = [word for word in known if word not in family]
    return any(_alike(given[0], word) for word in others)


def _alike(first: str, second: str) -> bool:
    """One given name, or one and its initial."""
    if len(first) > 1 and len(second) > 1:
        return first == second
    return first[:1] == second[:1]


def _words(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(one for one in plain if not unicodedata.combining(one))
    return [word for word in re.findall(r"\w+", plain) if word not in _TITLES]
