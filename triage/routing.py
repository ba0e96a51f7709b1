"""Which series of a study a model should look at, and why not the others: pure rules over plain values.

Every series gets a verdict. *Fits* may be analysed; *unfit* is of the right modality and body part but
outside the model's limits, so that a study with nothing better is "not analysed" and says why; *other*
is none of the model's business. Among several that fit, one is chosen by a score.

Conditions of a rule (RoutingRule.conditions, or `routing` in a bundle's firstread.json), all optional:

    modality                  code or list of codes
    body_part_any             canonical body parts; "" accepts an unknown one
    exclude_description_any   words that no series description may begin a word with
    require_description_any   words of which one must occur
    contrast_allowed          true accepts series with a contrast agent
    sharp_kernel_allowed      true accepts bone, lung and edge kernels
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

CONDITIONS = frozenset(
    {
        "modality",
        "body_part_any",
        "exclude_description_any",
        "require_description_any",
        "contrast_allowed",
        "sharp_kernel_allowed",
    }
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
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

_BODY_PARTS: tuple[tuple[str, str], ...] = (
    ("HEAD", r"HEAD|BRAIN|SKULL|CRANI|CEREBR|KOPF|SCHAEDEL|SCHÄDEL|CRANE|CRÂNE|CCT|NCCT|STROKE"),
    ("NECK", r"NECK|CERVIC|HALS|CSPINE|C-SPINE"),
    ("CHEST", r"CHEST|THORA|LUNG|PULM|HEART|CARDIAC"),
    ("ABDOMEN", r"ABD|LIVER|KIDNEY|PANCREAS"),
    ("PELVIS", r"PELV|HIP"),
    ("SPINE", r"SPINE|LUMBAR|LSPINE|TSPINE"),
    ("EXTREMITY", r"EXTREM|KNEE|ANKLE|FOOT|HAND|WRIST|ELBOW|SHOULDER|FEMUR|TIBIA|ARM|LEG"),
)
# Not after "and" or a slash: "with and without contrast" and "w/wo contrast" are given with contrast too.
_NO_CONTRAST = re.compile(
    r"(?<![A-Z/])(?<!AND )(WITHOUT|W/O|WO|NON|NO|PRE|OHNE|SANS)[\s_-]*(I\.?V\.?[\s_-]*)?(CONTRAST|CONTR|KM|C\+)"
)
_SHARP_WORDS = re.compile(r"BONE|EDGE|LUNG|SHARP|DETAIL|ULTRA|HRCT")
_SOFT_WORDS = re.compile(r"STAND|STD|SOFT|BRAIN|SMOOTH|NEURO|HEAD")


class Kernel(StrEnum):
    """What a reconstruction kernel does to edges."""

    SOFT = "soft"
    SHARP = "sharp"
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    """What a series is to a model."""

    FITS = "fits"
    UNFIT = "unfit"
    OTHER = "other"


@dataclass(frozen=True)
class SeriesFacts:
    """What is known of a series before its pixels are read; lengths in mm, ages in years.

    Attributes:
        image_type: values of Image Type (0008,0008) of a slice from the middle.
        slices: frames in all instances.
        orientation: axial, coronal, sagittal, oblique or "" when unknown.
        derived: made here, not by a modality.
    """

    series_id: int
    series_instance_uid: str
    modality: str = ""
    body_part_examined: str = ""
    series_description: str = ""
    study_description: str = ""
    protocol_name: str = ""
    sop_class_uid: str = ""
    image_type: tuple[str, ...] = ()
    kernel: str = ""
    slice_thickness_mm: float | None = None
    slices: int = 0
    orientation: str = ""
    contrast_agent: str = ""
    age_years: float | None = None
    series_number: int = 0
    derived: bool = False


@dataclass(frozen=True)
class Considered:
    """A series, what it is to the model, and why in words."""

    facts: SeriesFacts
    verdict: Verdict
    reason: str
    score: float = 0.0


@dataclass(frozen=True)
class Decision:
    """What a model is to do with a study.

    Attributes:
        chosen: the series to analyse, or the one that came closest, or None.
        reason: why nothing is analysed; "" when `analyse`.
        considered: every series of the study.
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
    considered = tuple(sorted((consider(facts, rules, limits) for facts in series), key=_rank))
    best = considered[0] if considered else None
    if best is None or best.verdict == Verdict.OTHER:
        return Decision(None, False, "no series of this study is what the model is made for", considered)
    if best.verdict == Verdict.UNFIT:
        reasons = dict.fromkeys(item.reason for item in considered if item.verdict == Verdict.UNFIT)
        return Decision(best.facts, False, "; ".join(list(reasons)[:3]), considered)
    return Decision(best.facts, True, "", considered)


def consider(facts: SeriesFacts, rules: Sequence[Mapping[str, Any]], limits: Mapping[str, Any]) -> Considered:
    """One series against a model's rules and limits."""
    answers = [_by_rule(facts, rule, limits) for rule in rules]
    if not answers:
        return Considered(facts, Verdict.OTHER, "the model has no active rule")
    order = [Verdict.FITS, Verdict.UNFIT, Verdict.OTHER]
    verdict, reason = min(answers, key=lambda answer: order.index(answer[0]))
    return Considered(facts, verdict, reason, score(facts))


def check_conditions(conditions: Any) -> list[str]:
    """What is wrong with a rule's conditions; empty when nothing is."""
    if not isinstance(conditions, dict):
        return ["conditions must be a JSON object"]
    faults = [f"{name} is no condition" for name in sorted(conditions.keys() - CONDITIONS)]
    for name in ("body_part_any", "exclude_description_any", "require_description_any"):
        value = conditions.get(name, [])
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            faults.append(f"{name} must be a list of words")
    return faults


def score(facts: SeriesFacts) -> float:
    """How well a reconstruction suits a model of read-thickness soft-tissue slices; higher is better."""
    points = 0.0
    points += 20.0 * ("ORIGINAL" in facts.image_type) + 10.0 * ("PRIMARY" in facts.image_type)
    points += 20.0 * (facts.orientation == "axial" or "AXIAL" in facts.image_type)
    points += {Kernel.SOFT: 20.0, Kernel.UNKNOWN: 5.0, Kernel.SHARP: -20.0}[kernel_of(facts)]
    if facts.slice_thickness_mm is not None:
        away = max(2.5 - facts.slice_thickness_mm, facts.slice_thickness_mm - 5.0, 0.0)
        points += max(0.0, 20.0 - 5.0 * away)
    return points + min(facts.slices, 400) / 40.0


def kernel_of(facts: SeriesFacts) -> Kernel:
    """Soft or sharp, by the vendors' names and by the series description."""
    name = facts.kernel.strip().upper()
    if match := re.match(r"(H|HR|HC|J|B|BR|BV|BF|Q|QR|U|D|T|I)(\d{2})[A-Z]?\b", name):  # Siemens
        return Kernel.SHARP if int(match[2]) >= 50 else Kernel.SOFT
    if match := re.match(r"FC(\d{2})", name):  # Canon, Toshiba
        number = int(match[1])
        return Kernel.SOFT if number < 30 or 40 <= number < 50 or 60 <= number < 70 else Kernel.SHARP
    if _SHARP_WORDS.search(name) or name in {"D", "E", "L", "YA", "YC", "YD"}:
        return Kernel.SHARP
    if _SOFT_WORDS.search(name) or name in {"A", "B", "C", "UA", "UB", "UC", "SA", "SB"}:
        return Kernel.SOFT
    if _words(facts.series_description, ["BONE", "KNOCHEN", "LUNG"]):
        return Kernel.SHARP
    return Kernel.UNKNOWN


def body_part_of(facts: SeriesFacts) -> str:
    """Canonical body part: as received, else from the descriptions, else ""."""
    received = facts.body_part_examined.strip().upper()
    for text in (received, facts.series_description, facts.protocol_name, facts.study_description):
        for part, pattern in _BODY_PARTS:
            if re.search(rf"(?<![A-Z])({pattern})", text.upper()):
                return part
        if text and text == received:
            return received  # a part that no table knows is still known not to be the head
    return ""


def _rank(item: Considered) -> tuple[int, float, int, int, str]:
    order = [Verdict.FITS, Verdict.UNFIT, Verdict.OTHER]
    facts = item.facts
    return (
        order.index(item.verdict),
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
    if facts.sop_class_uid.startswith(_NO_IMAGES):
        return "holds no images"
    if facts.sop_class_uid.startswith(_SECONDARY_CAPTURE):
        return "a secondary capture"
    if "LOCALIZER" in facts.image_type or "SCOUT" in facts.image_type:
        return "a localizer"
    wanted = rule.get("modality") or limits.get("modality") or []
    modalities = [wanted] if isinstance(wanted, str) else list(wanted)
    if modalities and facts.modality not in modalities:
        return f"modality {facts.modality or 'unknown'}, not {' or '.join(modalities)}"
    parts = rule.get("body_part_any")
    part = body_part_of(facts)
    if parts is not None and part not in {_canonical(p) for p in parts}:
        return f"body part {part or 'unknown'}"
    return ""


def _outside_rule(facts: SeriesFacts, rule: Mapping[str, Any]) -> str:
    description = facts.series_description
    if word := _words(description, rule.get("exclude_description_any", [])):
        return f'the series is described as "{word}"'
    required = rule.get("require_description_any", [])
    if required and not _words(description, required):
        return "the series description names none of the required words"
    if facts.contrast_agent and not rule.get("contrast_allowed", False):
        return "a contrast agent was given"
    if kernel_of(facts) == Kernel.SHARP and not rule.get("sharp_kernel_allowed", False):
        return "reconstructed with a sharp kernel"
    return ""


def _outside_limits(facts: SeriesFacts, limits: Mapping[str, Any]) -> str:
    excluded = set(limits.get("image_types_excluded", [])) & set(facts.image_type)
    if excluded:
        return f"image type {', '.join(sorted(excluded))}"
    least = int(limits.get("min_slices", 2))
    if facts.slices < least:
        return f"{facts.slices} slices, fewer than {least}"
    for name, value, unit in (
        ("slice_thickness_mm", facts.slice_thickness_mm, "mm slices"),
        ("age_years", facts.age_years, "years of age"),
    ):
        if name in limits and value is not None:
            low, high = (float(v) for v in limits[name])
            if not low <= value <= high:
                return f"{value:g} {unit}, outside {low:g} to {high:g}"
    return ""


def _canonical(part: str) -> str:
    return body_part_of(SeriesFacts(0, "", body_part_examined=part))


def _words(text: str, words: Sequence[str]) -> str:
    """The first of `words` that begins a word of `text`; "without contrast" does not count as contrast."""
    cleaned = _NO_CONTRAST.sub(" ", text.upper())
    for word in words:
        start = r"(?<![A-Z])" if word[:1].isalpha() else ""
        if word and re.search(start + re.escape(word.upper()), cleaned):
            return word
    return ""
