"""Names that `configs/firstread.json` may hold: one that nobody reads is refused, because it would limit nothing.

`"age_yaers": [18, 120]` would let a model look at every child, and nobody would be told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final

TOP_LEVEL: Final = frozenset(
    {
        "activation", "alert_threshold", "criticality", "dimensions", "expected_seconds", "finding", "findings",
        "format", "input_limits", "intended_use", "kind", "mask_threshold", "min_component_ml",
        "min_component_mm2", "most_boxes", "probability", "rank_threshold", "routing", "runtime",
        "regions", "second_opinion_to", "site", "spacing_mm", "window",
    }
)  # fmt: skip
#: [lowest, highest]; those of headers are judged in triage/routing.py, those of pixels in triage/inference.
RANGES: Final = frozenset(
    {
        "age_years", "coverage_mm", "field_mm", "slice_thickness_mm",
        "brain_median_hu", "brain_ml", "brain_share", "brain_std_hu", "hu_max", "hu_min", "skull_ml",
        "air_above_share", "continuity", "continuity_worst", "cut_bottom_cm2", "cut_side_cm2", "cut_top_cm2",
        "dark_ml", "enclosed_share", "length_to_width", "metal_ml", "vessel_ml", "wider_back_mm",
    }
)  # fmt: skip
WORDS: Final = frozenset(
    {"image_types_excluded", "kernel", "manufacturer_any", "manufacturer_exclude_any", "modality"}
)
NUMBERS: Final = frozenset({"max_gap_mm", "min_slices"})
YES_OR_NO: Final = frozenset({"contrast"})
LIMITS: Final = RANGES | WORDS | NUMBERS | YES_OR_NO


def name_faults(config: Mapping[str, Any]) -> list[str]:
    """Names of a configuration that mean nothing here, and limits that limit nothing; each fault in a sentence.

    Args:
        config: content of configs/firstread.json.
    """
    limits = config.get("input_limits", {})
    faults = _unknown(config, TOP_LEVEL, "configs/firstread.json")
    if isinstance(limits, Mapping):
        faults += _unknown(limits, LIMITS, "input_limits")
        faults += [fault for name, value in sorted(limits.items()) if (fault := _malformed(name, value))]
    return faults


def _unknown(given: Iterable[str], known: frozenset[str], where: str) -> list[str]:
    return [
        f"{where}: {name!r} means nothing here{_meant(name, known)}; known are {', '.join(sorted(known))}"
        for name in sorted(set(given) - known)
    ]


def _meant(name: str, known: frozenset[str]) -> str:
    near = get_close_matches(name, known, 1)
    return f" (did you mean {near[0]}?)" if near else ""


def _malformed(name: str, value: Any) -> str:
    if name in RANGES:
        good = (
            isinstance(value, list) and len(value) == 2 and all(map(_number, value)) and value[0] <= value[1]
        )
        return "" if good else f"input_limits: {name} must be two numbers, the lower one first"
    if name in WORDS:
        good = isinstance(value, list) and all(isinstance(word, str) for word in value)
        return "" if good else f"input_limits: {name} must be a list of words"
    if name in NUMBERS:
        return "" if _number(value) else f"input_limits: {name} must be a number"
    if name in YES_OR_NO:
        return "" if isinstance(value, bool) else f"input_limits: {name} must be true or false"
    return ""


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
