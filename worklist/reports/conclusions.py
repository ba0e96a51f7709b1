"""Is the finding there? The reader's structured answer for each finding that a model looked for.

Pure functions over plain values. The answer is what quality compares AI with, so it is the reader's even
where AI found nothing or has not answered yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypedDict

from worklist.reports.editing import Verdict

PRESENT, ABSENT, INDETERMINATE, NOT_STATED = "present", "absent", "indeterminate", ""
VALUES: Final = (PRESENT, ABSENT, INDETERMINATE, NOT_STATED)


class Conclusion(TypedDict):
    """One answer; `required` ones must be given before signing."""

    code: str
    scheme: str
    meaning: str
    value: str
    required: bool


@dataclass(frozen=True)
class Target:
    """What a model that runs on the study looks for; required when a reader sees that model."""

    code: str
    scheme: str
    meaning: str
    required: bool


class UnknownConclusion(ValueError):
    """The report does not ask for this finding, or not with this value."""


def with_targets(known: Sequence[Conclusion], targets: Iterable[Target]) -> list[Conclusion]:
    """One conclusion per target code; answers stay, also where no model asks any more."""
    asked: dict[str, Target] = {}
    for target in targets:
        first = asked.get(target.code)
        if first is None or (target.required and not first.required):
            asked[target.code] = target
    made: list[Conclusion] = []
    for conclusion in known:
        standing = asked.pop(conclusion["code"], None)
        if standing is not None:
            made.append({**conclusion, "required": standing.required})
        elif conclusion["value"]:
            made.append({**conclusion, "required": False})
    made += [
        {
            "code": t.code,
            "scheme": t.scheme,
            "meaning": t.meaning,
            "value": NOT_STATED,
            "required": t.required,
        }
        for t in asked.values()
    ]
    return made


def with_values(known: Sequence[Conclusion], values: Mapping[str, str]) -> list[Conclusion]:
    """What the reader says, by finding code.

    Raises:
        UnknownConclusion: a code that the report does not ask for, or a value that is none of VALUES.
    """
    codes = {conclusion["code"] for conclusion in known}
    for code, value in values.items():
        if code not in codes:
            raise UnknownConclusion(f"This report does not ask for finding {code}.")
        if value not in VALUES:
            raise UnknownConclusion(f"A conclusion is one of {', '.join(v or 'empty' for v in VALUES)}.")
    return [{**c, "value": values.get(c["code"], c["value"])} for c in known]


def from_verdicts(verdicts: Iterable[Verdict | None]) -> str | None:
    """What decisions on all possible findings of one code say; None while they leave it open.

    One accepted finding is enough; rejecting is an answer only once every finding is rejected.
    """
    said = list(verdicts)
    if Verdict.ACCEPTED in said:
        return PRESENT
    if Verdict.UNCERTAIN in said:
        return INDETERMINATE
    if said and all(verdict == Verdict.REJECTED for verdict in said):
        return ABSENT
    return None


def contradicts(value: str, verdicts: Iterable[Verdict | None]) -> bool:
    """True when the answer cannot stand beside the decisions.

    Present beside only rejected findings is no contradiction: the reader may see what AI missed.
    """
    said = set(verdicts)
    if Verdict.ACCEPTED in said:
        return value in (ABSENT, INDETERMINATE)
    return Verdict.UNCERTAIN in said and value == ABSENT
