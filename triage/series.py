"""What is known of a series before its pixels are read, and what vendors' names for it mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

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
#: Modalities whose images are projections, each a view of its own.
PROJECTION_MODALITIES = ("DX", "CR")
_VIEWS: tuple[tuple[str, str], ...] = (
    ("PA", r"POSTERO[\s-]*ANTERIOR|\bPA\b"),
    ("AP", r"ANTERO[\s-]*POSTERIOR|\bAP\b"),
    ("LL", r"LEFT[\s-]*LATERAL|\bLL\b"),
    ("RL", r"RIGHT[\s-]*LATERAL|\bRL\b"),
    ("LL", r"LATERAL|\bLAT\b"),
)
_SHARP_WORDS = re.compile(r"BONE|EDGE|LUNG|SHARP|DETAIL|ULTRA|HRCT")
_SOFT_WORDS = re.compile(r"STAND|STD|SOFT|BRAIN|SMOOTH|NEURO|HEAD")


class Kernel(StrEnum):
    """What a reconstruction kernel does to edges."""

    SOFT = "soft"
    SHARP = "sharp"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class SeriesFacts:
    """What is known of a series before its pixels are read; lengths in mm, ages in years.

    Attributes:
        image_type: values of Image Type (0008,0008) of a slice from the middle.
        slices: frames in all instances.
        orientation: axial, coronal, sagittal, oblique or "" when unknown.
        derived: made here, not by a modality.
        views: of projection images, each once; "" for images that name none.
        coverage_mm: from the lowest slice's centre to the highest, along their normal, plus a thickness.
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
    manufacturer: str = ""
    coverage_mm: float | None = None
    views: tuple[str, ...] = ()

    @property
    def axial(self) -> bool:
        """Axial by geometry, or by its image type where the geometry does not tell."""
        return self.orientation == "axial" or (not self.orientation and "AXIAL" in self.image_type)


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
    if first_word(facts.series_description, ["BONE", "KNOCHEN", "LUNG"]):
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


def view_of(position: str, meaning: str = "") -> str:
    """Canonical view of a projection image: PA, AP, LL, RL, what View Position says otherwise, or "".

    Args:
        position: View Position (0018,5101).
        meaning: of the view's code (0054,0220), for images without a position.
    """
    for text in (position.strip().upper(), meaning.strip().upper()):
        for view, pattern in _VIEWS:
            if re.search(pattern, text):
                return view
        if text:
            return text
    return ""


def canonical_body_part(part: str) -> str:
    """The canonical name of a body part as a rule writes it."""
    return body_part_of(SeriesFacts(0, "", body_part_examined=part))


def first_word(text: str, words: Sequence[str]) -> str:
    """The first of `words` that begins a word of `text`; "without contrast" does not count as contrast."""
    cleaned = _NO_CONTRAST.sub(" ", text.upper())
    for word in words:
        start = r"(?<![A-Z])" if word[:1].isalpha() else ""
        if word and re.search(start + re.escape(word.upper()), cleaned):
            return word
    return ""
