"""Which series of a study a model should look at, and why not the others: pure rules over plain values.

Every series gets a verdict and a reason. *Fits* may be analysed; *unfit* is of the right modality and body
part but outside the model's limits, so that a study with nothing better is "not analysed" and says why;
*other* is none of the model's business. Among several that fit, the one with the highest score is chosen
(triage/scoring.py), and the others say what it has over them.

Conditions of a rule (RoutingRule.conditions, or `routing` in a bundle's firstread.json), all optional:

    modality                  code or list of codes
    body_part_any             canonical body parts; "" accepts an unknown one
    orientation_any           axial, coronal, sagittal, oblique; "" accepts an unknown one
    exclude_description_any   words that no series description may begin a word with
    require_description_any   words of which one must occur
    contrast_allowed          true accepts series with a contrast agent
    sharp_kernel_allowed      true accepts bone, lung and edge kernels
    derived_allowed           true accepts reformats, projections and other derived images
    view_any                  views of projection images: PA, AP, LL, RL; "" accepts images that name none
    prefer                    what scores: slice_thickness_mm [low, high], kernel, orientation

Limits of a model (`input_limits` in firstread.json) that are judged here; the pixels' own are in
triage/inference/guard.py:

    modality                  list of codes
    min_slices                fewest slices
    slice_thickness_mm, coverage_mm, age_years    [low, high]; a value that is not given passes
    kernel                    list of soft, sharp, unknown
    manufacturer_any          words, one of which the manufacturer's name must hold
    manufacturer_exclude_any  words that it must not hold
    contrast                  false refuses series with a contrast agent, whatever a rule allows
    image_types_excluded      values of Image Type
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from triage.scoring import PREFERENCES, ScorePart, comparison, score_parts, total
from triage.series import (
    PROJECTION_MODALITIES,
    Kernel,
    SeriesFacts,
    body_part_of,
    canonical_body_part,
    first_word,
    kernel_of,
)

__all__ = [
    "CONDITIONS",
    "Considered",
    "Decision",
    "Kernel",
    "SeriesFacts",
    "Verdict",
    "body_part_of",
    "check_conditions",
    "consider",
    "decide",
    "kernel_of",
]

CONDITIONS = frozenset(
    {
        "modality",
        "body_part_any",
        "orientation_any",
        "exclude_description_any",
        "require_description_any",
        "contrast_allowed",
        "sharp_kernel_allowed",
        "derived_allowed",
        "view_any",
        "prefer",
    }
)
_LISTS = (
    "body_part_any",
    "orientation_any",
    "view_any",
    "exclude_description_any",
    "require_description_any",
)
# SOP classes that hold no image of the patient: SEG, SR, presentation states, key objects, raw data, PDF.
_NO_IMAGES = (
    "1.2.840.10008.5.1.4.1.1.66",
    "1.2.840.10008.5.1.4.1.1.88",
    "1.2.840.10008.5.1.4.1.1.11",
    "1.2.840.10008.5.1.4.1.1.104",
    "1.2.840.10008.5.1.4.1.1.9",
    "1.2.840.10008.5.1.4.1.1.481",
)
_SECONDARY_CAPTURE = ("1.2.840.10008.5.1.4.1.1.7",)
_CAPTURES = {"SCREEN SAVE", "SCREENSHOT", "SCREEN CAPTURE", "DOSE_INFO"}
_REFORMATS = {"MPR", "CSA MPR", "REFORMATTED", "REFORMAT", "PARALLEL", "CURVED", "RESAMPLED"}
_PROJECTIONS = {"MIP", "MINIP", "PROJECTION IMAGE", "VOLREN", "VRT", "CSA 3D", "3D", "SURFACE", "CSA MIP"}


class Verdict(StrEnum):
    """What a series is to a model."""

    FITS = "fits"
    UNFIT = "unfit"
    OTHER = "other"


_ORDER = (Verdict.FITS, Verdict.UNFIT, Verdict.OTHER)


@dataclass(frozen=True)
class Considered:
    """A series, what it is to the model, and why in words; `parts` add up to its score."""

    facts: SeriesFacts
    verdict: Verdict
    reason: str
    parts: tuple[ScorePart, ...] = ()

    @property
    def score(self) -> float:
        """Higher suits the model better."""
        return total(self.parts)


@dataclass(frozen=True)
class Decision:
    """What a model is to do with a study.

    Attributes:
        chosen: the series to analyse, or the one that came closest, or None.
        reason: why nothing is analysed; "" when `analyse`.
        considered: every series of the study, the best first, each with a reason.
    """

    chosen: SeriesFacts | None
    analyse: bool
    reason: str
    considered: tuple[Considered, ...]

    @property
    def applicable(self) -> bool:
        """Is the study the model's business at all?"""
        return self.chosen is not None


def decide(
    series: Sequence[SeriesFacts], rules: Sequence[Mapping[str, Any]], limits: Mapping[str, Any]
) -> Decision:
    """Choose the series that a model analyses.

    Args:
        series: all series of a study, in any order; the answer does not depend on it.
        rules: conditions of the model's active rules; a series fits when one of them accepts it.
        limits: `input_limits` of the model.
    """
    considered = sorted((consider(facts, rules, limits) for facts in series), key=_rank)
    best = considered[0] if considered else None
    if best is None or best.verdict == Verdict.OTHER:
        why = "no series of this study is what the model is made for"
        return Decision(None, False, why, tuple(considered))
    if best.verdict == Verdict.UNFIT:
        reasons = dict.fromkeys(item.reason for item in considered if item.verdict == Verdict.UNFIT)
        return Decision(best.facts, False, "; ".join(list(reasons)[:3]), tuple(considered))
    explained = tuple(
        replace(item, reason=_why(item, best)) if item.verdict == Verdict.FITS else item
        for item in considered
    )
    return Decision(best.facts, True, "", explained)


def consider(facts: SeriesFacts, rules: Sequence[Mapping[str, Any]], limits: Mapping[str, Any]) -> Considered:
    """One series against a model's rules and limits; of several rules the kindest one speaks."""
    answers = [
        Considered(facts, *_by_rule(facts, rule, limits), score_parts(facts, rule.get("prefer")))
        for rule in rules
    ]
    if not answers:
        return Considered(facts, Verdict.OTHER, "the model has no active rule")
    return min(answers, key=lambda item: (_ORDER.index(item.verdict), -item.score))


def check_conditions(conditions: Any) -> list[str]:
    """What is wrong with a rule's conditions; empty when nothing is."""
    if not isinstance(conditions, dict):
        return ["conditions must be a JSON object"]
    faults = [f"{name} is no condition" for name in sorted(conditions.keys() - CONDITIONS)]
    for name in _LISTS:
        value = conditions.get(name, [])
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            faults.append(f"{name} must be a list of words")
    prefer = conditions.get("prefer", {})
    if not isinstance(prefer, dict) or prefer.keys() - PREFERENCES.keys():
        faults.append(f"prefer must be an object with {', '.join(PREFERENCES)}")
    elif not _is_range(prefer.get("slice_thickness_mm", [0, 1])):
        faults.append("prefer.slice_thickness_mm must be two numbers")
    return faults


def _is_range(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(v, int | float) for v in value)


def _why(item: Considered, best: Considered) -> str:
    """Why a series that fits was chosen, or what the chosen one has over it."""
    points = f"{item.score:.4g} points"
    if item is best:
        return f"chosen with {points}: " + ", ".join(part.text for part in item.parts if part.points > 0.0)
    name = f"series {best.facts.series_number}" if best.facts.series_number else "the chosen series"
    ahead = comparison(best.parts, item.parts)
    why = (
        f"{name} suits better, {best.score:.4g} against {points}: {ahead}"
        if ahead
        else f"{name} suits as well ({points} each) and comes first"
    )
    # Another reconstruction shows the same scan; another radiograph shows what nobody has looked for.
    other_image = item.facts.modality in PROJECTION_MODALITIES
    return (
        f"not read, though it fits: this model reads one series of a study, and {why}" if other_image else why
    )


def _rank(item: Considered) -> tuple[int, float, int, int, str]:
    facts = item.facts
    return (
        _ORDER.index(item.verdict),
        -item.score,
        -facts.slices,
        facts.series_number,
        facts.series_instance_uid,
    )


def _by_rule(facts: SeriesFacts, rule: Mapping[str, Any], limits: Mapping[str, Any]) -> tuple[Verdict, str]:
    if other := _not_its_business(facts, rule, limits):
        return Verdict.OTHER, other
    unfit = _outside_rule(facts, rule) or _outside_limits(facts, limits)
    if not unfit:
        return Verdict.FITS, ""
    known = bool(body_part_of(facts)) or "" not in rule.get("body_part_any", [""])
    # Without a body part, an excluded word may well mean another part: claim nothing about such a study.
    return (Verdict.UNFIT if known else Verdict.OTHER), unfit


def _not_its_business(facts: SeriesFacts, rule: Mapping[str, Any], limits: Mapping[str, Any]) -> str:
    if facts.derived:
        return "made here, not by a modality"
    if _is_class(facts, _NO_IMAGES):
        return "holds no images"
    if _is_class(facts, _SECONDARY_CAPTURE) or _CAPTURES & set(facts.image_type):
        return "a secondary capture"
    if "LOCALIZER" in facts.image_type or "SCOUT" in facts.image_type:
        return "a localizer"
    wanted = rule.get("modality") or limits.get("modality") or []
    modalities = [wanted] if isinstance(wanted, str) else list(wanted)
    if modalities and facts.modality not in modalities:
        return f"modality {facts.modality or 'unknown'}, not {' or '.join(modalities)}"
    parts = rule.get("body_part_any")
    part = body_part_of(facts)
    if parts is not None and part not in {canonical_body_part(p) for p in parts}:
        return f"body part {part or 'unknown'}"
    return ""


def _is_class(facts: SeriesFacts, roots: Sequence[str]) -> bool:
    return any(facts.sop_class_uid == root or facts.sop_class_uid.startswith(f"{root}.") for root in roots)


def _outside_rule(facts: SeriesFacts, rule: Mapping[str, Any]) -> str:
    description = facts.series_description
    if word := first_word(description, rule.get("exclude_description_any", [])):
        return f'the series is described as "{word}"'
    required = rule.get("require_description_any", [])
    if required and not first_word(description, required):
        return "the series description names none of the required words"
    if facts.contrast_agent and not rule.get("contrast_allowed", False):
        return "a contrast agent was given"
    if kernel_of(facts) == Kernel.SHARP and not rule.get("sharp_kernel_allowed", False):
        return "reconstructed with a sharp kernel"
    if not rule.get("derived_allowed", False) and (derivation := _derivation(facts)):
        return derivation
    orientations = rule.get("orientation_any")
    if orientations and facts.orientation not in orientations:
        return f"{facts.orientation or 'unknown'} slices, not {' or '.join(filter(None, orientations))}"
    views = rule.get("view_any")
    if views and not set(views) & set(facts.views):
        seen = ", ".join(view or "not given" for view in facts.views) or "not given"
        return f"the view is {seen}, not {' or '.join(filter(None, views))}"
    return ""


def _derivation(facts: SeriesFacts) -> str:
    values = set(facts.image_type)
    if values & _PROJECTIONS:
        return "a projection of other images"
    if values & _REFORMATS:
        return "a reformat of other images"
    return "derived from other images" if "DERIVED" in values else ""


def _outside_limits(facts: SeriesFacts, limits: Mapping[str, Any]) -> str:
    excluded = set(limits.get("image_types_excluded", [])) & set(facts.image_type)
    if excluded:
        return f"image type {', '.join(sorted(excluded))}"
    least = int(limits.get("min_slices", 2))
    if facts.slices < least:
        return f"{facts.slices} slices, fewer than {least}"
    for name, value, unit in (
        ("slice_thickness_mm", facts.slice_thickness_mm, "mm slices"),
        ("coverage_mm", facts.coverage_mm, "mm covered"),
        ("age_years", facts.age_years, "years of age"),
    ):
        if name in limits and value is not None:
            low, high = (float(v) for v in limits[name])
            if not low <= value <= high:
                return f"{value:.4g} {unit}, outside {low:g} to {high:g}"
    kernel, kernels = kernel_of(facts), limits.get("kernel")
    if kernels and kernel not in kernels:
        return f"a kernel that is {kernel}, not {' or '.join(kernels)}"
    if facts.contrast_agent and limits.get("contrast") is False:
        return "a contrast agent was given"
    return _outside_manufacturers(facts.manufacturer, limits)


def _outside_manufacturers(manufacturer: str, limits: Mapping[str, Any]) -> str:
    name = manufacturer.upper()
    wanted = limits.get("manufacturer_any") or []
    if wanted and not any(word.upper() in name for word in wanted):
        return f"made by {manufacturer or 'an unnamed manufacturer'}, not {' or '.join(wanted)}"
    if any(word.upper() in name for word in limits.get("manufacturer_exclude_any") or []):
        return f"made by {manufacturer}, which the model is not made for"
    return ""
