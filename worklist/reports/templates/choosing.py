"""Which template a new report takes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """What a template is for; an empty part asks nothing."""

    key: str
    modalities: tuple[str, ...] = ()
    body_parts: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


def fits(rule: Rule, *, modality: str, body_part: str, description: str) -> int | None:
    """How closely a rule fits a study, in parts of it that ask something; None when one does not hold."""
    closeness = 0
    for asked, holds in (
        (rule.modalities, modality.upper() in _upper(rule.modalities)),
        (rule.body_parts, body_part.upper() in _upper(rule.body_parts)),
        (rule.words, any(word.lower() in description.lower() for word in rule.words if word.strip())),
    ):
        if asked and not holds:
            return None
        closeness += bool(asked)
    return closeness


def choose(rules: Iterable[Rule], *, modality: str, body_part: str, description: str) -> str | None:
    """Key of the rule that fits most closely, the first by key among equals; None when none does."""
    found = []
    for rule in rules:
        closeness = fits(rule, modality=modality, body_part=body_part, description=description)
        if closeness is not None:
            found.append((-closeness, rule.key))
    return min(found)[1] if found else None


def _upper(values: Sequence[str]) -> set[str]:
    return {value.strip().upper() for value in values}
