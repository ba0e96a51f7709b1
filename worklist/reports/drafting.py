"""What a draft holds before anybody wrote: facts of order and study as text, AI findings as suggestions.

Pure functions over plain values. Text states only what order, archive and images say; what AI says stays
a suggestion beside the text until a reader takes it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, TypedDict

from worklist.reports import wording
from worklist.reports.templates.content import Content
from worklist.reports.wording import FindingFact

TITLES: Final = {
    "history": "History",
    "comparison": "Comparison",
    "technique": "Technique",
    "findings": "Findings",
    "impression": "Impression",
}
SUGGESTED_IN: Final = ("findings", "impression")
"""Sections that AI findings go to."""

_WITHOUT_CONTRAST = re.compile(r"\b(w/?o|without|non[- ]?contrast|unenhanced|plain|nativ)\b", re.IGNORECASE)


class Suggestion(TypedDict):
    """A sentence that AI offers.

    `inserted` is what accepting it put into the text, exactly, or "": so it can be taken out again as
    long as the reader has not reworded it.
    """

    id: str
    text: str
    finding_id: str
    state: str
    inserted: str


class Section(TypedDict):
    """One section: its text is the reader's alone."""

    key: str
    title: str
    text: str
    suggestions: list[Suggestion]


@dataclass(frozen=True)
class StudyFact:
    """What archive and order know of a study; unknown values are empty or None.

    Attributes:
        body_part: Body Part Examined, a defined term such as HEAD.
        slice_count: images of the series read, without localizers and derived objects.
        slice_thickness_mm: Slice Thickness.
        contrast_agent: Contrast/Bolus Agent of the series read.
        description: procedure or study description, which may say "without".
    """

    modality: str = ""
    body_part: str = ""
    slice_count: int | None = None
    slice_thickness_mm: float | None = None
    contrast_agent: str = ""
    description: str = ""
    reason_for_exam: str = ""


@dataclass(frozen=True)
class PriorFact:
    """A signed prior: what it was, when it was made and signed."""

    modality: str
    body_part: str
    made_on: date | None
    signed_on: date


def draft(
    study: StudyFact,
    priors: Sequence[PriorFact],
    findings: Sequence[FindingFact],
    content: Content | None = None,
) -> list[Section]:
    """All sections of a new draft, in the order of its template; what is known goes before default texts."""
    texts = {
        "history": study.reason_for_exam.strip(),
        "comparison": comparison(priors),
        "technique": technique(study),
    }
    parts = [(s.key, s.title, s.text) for s in content.sections] if content else []
    sections: list[Section] = [
        {"key": key, "title": title, "text": texts.get(key, "") or default, "suggestions": []}
        for key, title, default in parts or [(key, title, "") for key, title in TITLES.items()]
    ]
    return with_suggestions(sections, findings)


def technique(study: StudyFact) -> str:
    """`CT head, 34 slices, 5 mm, without contrast.`: only what is known, "" when nothing is.

    A missing contrast agent proves nothing, so "without contrast" needs words of order or study for it.
    """
    what = " ".join(part for part in (study.modality, study.body_part.lower()) if part)
    parts = [what] if what else []
    if study.slice_count:
        parts.append("1 slice" if study.slice_count == 1 else f"{study.slice_count} slices")
    if study.slice_thickness_mm:
        parts.append(f"{study.slice_thickness_mm:g} mm")
    if study.contrast_agent.strip():
        parts.append("with contrast")
    elif _WITHOUT_CONTRAST.search(study.description):
        parts.append("without contrast")
    return ", ".join(parts) + "." if parts else ""


def comparison(priors: Sequence[PriorFact]) -> str:
    """The latest signed prior, `CT head of 12 Mar 2024, reported 13 Mar 2024.`, or "" without one."""
    if not priors:
        return ""
    latest = max(priors, key=lambda prior: (prior.made_on or prior.signed_on, prior.signed_on))
    what = " ".join(part for part in (latest.modality, latest.body_part.lower()) if part) or "Study"
    made = f" of {_day(latest.made_on)}" if latest.made_on else ""
    return f"{what}{made}, reported {_day(latest.signed_on)}."


def with_template(sections: Sequence[Section], content: Content) -> list[Section]:
    """The sections of a template with the words that were there; default texts only where none were.

    Words of a section that the template lacks go to the end of the findings.
    """
    known = {section["key"]: section for section in sections}
    made: list[Section] = []
    for part in content.sections:
        old = known.pop(part.key, None)
        made.append(
            {
                "key": part.key,
                "title": part.title,
                "text": (old["text"] if old else "") or part.text,
                "suggestions": old["suggestions"] if old else [],
            }
        )
    left = [section for section in known.values() if section["text"].strip()]
    if left:
        words = "\n".join(f"{section['title']}: {section['text']}" for section in left)
        made = [
            {**one, "text": f"{one['text']}\n{words}".strip()} if one["key"] == "findings" else one
            for one in made
        ]
    return made


def with_suggestions(sections: Sequence[Section], findings: Sequence[FindingFact]) -> list[Section]:
    """The sections with a suggestion for each possible finding; no text changes.

    Open and rejected suggestions whose finding no longer stands go away; accepted ones stay, because
    their sentence is the reader's now.
    """
    possible = [finding for finding in findings if finding.present and not finding.stale]
    standing = {str(finding.id) for finding in possible}
    made: list[Section] = []
    for section in sections:
        kept = [s for s in section["suggestions"] if s["finding_id"] in standing or s["state"] == "accepted"]
        if section["key"] in SUGGESTED_IN:
            known = {s["id"] for s in kept}
            kept += [s for s in _suggestions(section["key"], possible) if s["id"] not in known]
        made.append({**section, "suggestions": kept})
    return made


def _suggestions(key: str, possible: Sequence[FindingFact]) -> list[Suggestion]:
    ordered = sorted(possible, key=lambda finding: (-finding.probability, finding.id))
    return [
        {
            "id": f"{key}-{finding.id}",
            "text": wording.suggestion(finding, key),
            "finding_id": str(finding.id),
            "state": "open",
            "inserted": "",
        }
        for finding in ordered
    ]


def _day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"
