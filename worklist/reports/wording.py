"""How findings are worded: as AI's suggestion, and as the reader's sentence once decided.

Pure functions over plain values. Volumes in mL, diameters in mm, probabilities 0 to 1, slices counted from
1 (the lowest by position). AI alone never makes a negative statement, so absent findings have no wording.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MARKER: Final = "Suggestion, not verified."
"""Ends every suggestion; never part of a report's text."""

_SIDES: Final = {"left": "left", "right": "right", "midline": "midline", "both": "both sides"}


@dataclass(frozen=True)
class FindingFact:
    """What a live model says of a study, as plain values.

    Attributes:
        stale: newer input exists and another run answers for it.
        run_id: of the run that says so.
        midline_shift_mm: positive to the patient's left, with the half width of its interval.
        against_prior: what the prior says of it, in words.
    """

    id: int
    code: str
    scheme: str
    meaning: str
    present: bool
    probability: float
    model: str
    model_version: str
    volume_ml: float | None = None
    largest_diameter_mm: float | None = None
    side: str = ""
    slice_from: int | None = None
    slice_to: int | None = None
    subtype: str = ""
    midline_shift_mm: float | None = None
    midline_shift_uncertainty_mm: float | None = None
    against_prior: str = ""
    stale: bool = False
    run_id: int = 0


def suggestion(finding: FindingFact, section: str) -> str:
    """`Possible intracranial hemorrhage, about 31 mL, left (AI, ich_demo 1.0, …). Suggestion, not verified.`"""
    _require_present(finding)
    details = _details(finding, section)
    body = ", ".join([f"Possible {inside(finding.meaning)}", *details])
    source = f"AI, {finding.model} {finding.model_version}, probability {_probability(finding.probability)}"
    return f"{body} ({source}). {MARKER}"


def accepted(finding: FindingFact, section: str) -> str:
    """The reader's sentence for a finding that is there."""
    _require_present(finding)
    return ", ".join([_first(finding.meaning), *_details(finding, section)]) + "."


def uncertain(finding: FindingFact, section: str) -> str:
    """The reader's sentence for a finding that may be there."""
    _require_present(finding)
    details = _details(finding, section)
    where = f" ({', '.join(details)})" if details else ""
    return f"{_first(finding.meaning)} cannot be excluded{where}."


def volume(value_ml: float) -> str:
    """`about 31 mL`, one decimal below 10 mL, never `0 mL`."""
    if value_ml < 0.1:
        return "less than 0.1 mL"
    return f"about {value_ml:.1f} mL" if value_ml < 9.95 else f"about {value_ml:.0f} mL"


def midline(shift_mm: float, uncertainty_mm: float | None) -> str:
    """`midline shift 4 mm (+/- 1) to the left`; "" for one that the uncertainty covers, for AI denies nothing."""
    within = uncertainty_mm or 0.0
    if abs(shift_mm) <= within or abs(shift_mm) < 1.0:
        return ""
    interval = f" (+/- {within:.0f})" if within else ""
    return f"midline shift {abs(shift_mm):.0f} mm{interval} to the {'left' if shift_mm > 0 else 'right'}"


def _details(finding: FindingFact, section: str) -> list[str]:
    """Size with unit and side everywhere; slices only among the findings."""
    details = []
    if finding.volume_ml is not None:
        details.append(volume(finding.volume_ml))
    elif finding.largest_diameter_mm is not None:
        details.append(f"about {finding.largest_diameter_mm:.0f} mm across")
    if finding.side in _SIDES:
        details.append(_SIDES[finding.side])
    if finding.subtype:
        details.append(finding.subtype)
    if finding.midline_shift_mm is not None:
        shift = midline(finding.midline_shift_mm, finding.midline_shift_uncertainty_mm)
        details += [shift] if shift else []
    if finding.against_prior:
        details.append(finding.against_prior)
    if section == "findings" and finding.slice_from is not None:
        last = finding.slice_to if finding.slice_to is not None else finding.slice_from
        one = last == finding.slice_from
        details.append(f"slice {last}" if one else f"slices {finding.slice_from}-{last}")
    return details


def _probability(value: float) -> str:
    """Two decimals, but never a certainty that rounding made."""
    if value >= 0.995:
        return "over 0.99"
    return "under 0.01" if value < 0.005 else f"{value:.2f}"


def _first(meaning: str) -> str:
    return meaning[:1].upper() + meaning[1:]


def inside(meaning: str) -> str:
    """Lower case inside a sentence, unless the term begins with an abbreviation."""
    return meaning if meaning[:2].isupper() else meaning[:1].lower() + meaning[1:]


def listed(words: Sequence[str]) -> str:
    """One or more as a sentence names them: "a, b and c"."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def _require_present(finding: FindingFact) -> None:
    if not finding.present:
        raise ValueError(f"Finding {finding.id} is absent: AI alone makes no negative statement.")
