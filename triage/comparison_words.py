"""A comparison with the prior, in words that list, draft and alert share."""

from __future__ import annotations

from pacs.demographics import day_in_words
from triage.models import Comparison, Finding
from triage.selectors import known_since

BY_PRESENCE = "also told of the prior, place and size not compared"
# Below this a number would say more than the two outlines do.
_TOLD_ML = 0.1


def against_prior(finding: Finding) -> str:
    """`known since 20 Nov 2026, not grown`, `grown by 8 mL since 20 Nov 2026`, or "" without a comparison."""
    day = day_in_words(finding.prior_finding.run.study.study_date) if finding.prior_finding else ""
    since = f" since {day}" if day else " since the prior"
    match finding.comparison:
        case Comparison.KNOWN if (
            finding.volume_ml is None
        ):  # a classifier: nobody knows whether it is the same
            return f"also told of the scan of {day}, place and size not compared" if day else BY_PRESENCE
        case Comparison.KNOWN:
            first = day_in_words(known_since(finding))
            return f"known since {first}, not grown" if first else "known from the prior, not grown"
        case Comparison.GROWN if finding.growth_ml is not None and finding.growth_ml >= _TOLD_ML:
            return f"grown by {milliliters(finding.growth_ml)}{since}"
        case Comparison.GROWN:
            return f"reaches further than on {day or 'the prior'}"
        case Comparison.NEW:
            return f"new{since}"
        case Comparison.NOT_COMPARED:
            return f"not compared with {day}" if day else "not compared with the prior"
        case _:
            return ""


def milliliters(value: float) -> str:
    """`8 mL`, one decimal below 10 mL."""
    return f"{value:.1f} mL" if value < 9.95 else f"{value:.0f} mL"
