"""How well a reconstruction suits a model: points with their reasons, so that a choice can be explained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from triage.series import PROJECTION_MODALITIES, Kernel, SeriesFacts, kernel_of

#: What a rule prefers unless its `prefer` says otherwise: slices as radiologists read them.
PREFERENCES: Mapping[str, Any] = {
    "slice_thickness_mm": [2.5, 5.0],
    "kernel": "soft",
    "orientation": "axial",
}
_SLICES_WORTH_COUNTING = 400


@dataclass(frozen=True)
class ScorePart:
    """Points for one property of a series, and the property in words."""

    about: str
    points: float
    text: str


def score_parts(facts: SeriesFacts, prefer: Mapping[str, Any] | None = None) -> tuple[ScorePart, ...]:
    """What speaks for a series, always the same parts in the same order; their sum is its score."""
    wanted = {**PREFERENCES, **(prefer or {})}
    what = "image" if facts.modality in PROJECTION_MODALITIES else "slice"
    return (
        _origin(facts),
        _orientation(facts, str(wanted["orientation"])),
        _kernel(facts, str(wanted["kernel"])),
        _thickness(facts, *(float(v) for v in wanted["slice_thickness_mm"])),
        ScorePart(
            "slices",
            round(min(facts.slices, _SLICES_WORTH_COUNTING) / 40.0, 2),
            f"{facts.slices} {what}{'' if facts.slices == 1 else 's'}",
        ),
    )


def total(parts: tuple[ScorePart, ...]) -> float:
    """The score: higher is better."""
    return sum(part.points for part in parts)


def comparison(better: tuple[ScorePart, ...], worse: tuple[ScorePart, ...]) -> str:
    """What the first has over the second, the weightiest two differences in words; "" when nothing."""
    ahead = sorted(
        (
            (a.points - b.points, a.text, b.text)
            for a, b in zip(better, worse, strict=True)
            if a.points > b.points
        ),
        key=lambda difference: -difference[0],
    )
    return ", ".join(f"{mine} rather than {yours}" for _, mine, yours in ahead[:2])


def _origin(facts: SeriesFacts) -> ScorePart:
    original, primary = "ORIGINAL" in facts.image_type, "PRIMARY" in facts.image_type
    text = "original images" if original else "derived images" if facts.image_type else "image type not given"
    return ScorePart("origin", 20.0 * original + 10.0 * primary, text)


def _orientation(facts: SeriesFacts, wanted: str) -> ScorePart:
    fits = facts.axial if wanted == "axial" else facts.orientation == wanted
    text = wanted if fits else facts.orientation or "orientation not given"
    return ScorePart("orientation", 20.0 * fits, text)


def _kernel(facts: SeriesFacts, wanted: str) -> ScorePart:
    kernel = kernel_of(facts)
    points = 5.0 if kernel == Kernel.UNKNOWN else 20.0 if kernel == wanted else -20.0
    text = "a kernel that nobody here knows" if kernel == Kernel.UNKNOWN else f"a {kernel} kernel"
    return ScorePart("kernel", points, text)


def _thickness(facts: SeriesFacts, low: float, high: float) -> ScorePart:
    thickness = facts.slice_thickness_mm
    if thickness is None:
        return ScorePart("thickness", 0.0, "slices of unknown thickness")
    away = max(low - thickness, thickness - high, 0.0)
    return ScorePart("thickness", round(max(0.0, 20.0 - 5.0 * away), 2), f"slices of {thickness:g} mm")
