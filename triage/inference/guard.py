"""Input limits: is this volume a head CT in HU that the model may look at?

Two kinds of limits. Those that a bundle writes into ``input_limits`` hold for it. A bundle that gives a
``brain_ml`` range thereby says that it is made for heads: it also gets HEAD_LIMITS, unless it gives its own
range for one of them. docs/adr/0016 tells what each can and cannot see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from triage.inference.head import continuity, cut_side_cm2, enclosed_share, measure_head
from triage.inference.volume import SliceStack

_BLOCK_MM = 4.0
_BRAIN_HU = (12.0, 60.0)
_BONE_HU = 300.0
# A volume with less bone than this is a stripped brain: nothing to enclose it.
_STRIPPED_ML = 50.0

#: Ranges of ``triage.inference.head``'s measures outside of which no head CT model is to be trusted.
HEAD_LIMITS: Mapping[str, tuple[float, float]] = {
    "enclosed_share": (0.5, 1.0),
    "cut_side_cm2": (0.0, 30.0),
    "cut_top_cm2": (0.0, 30.0),
    "cut_bottom_cm2": (0.0, 80.0),
    "vessel_ml": (0.0, 4.0),
    "dark_ml": (0.0, 12.0),
    "metal_ml": (0.0, 0.15),
    "air_above_share": (0.0, 0.8),
    "length_to_width": (0.95, 2.0),
    "wider_back_mm": (-0.5, 20.0),
    "continuity": (0.6, 2.0),
    "continuity_worst": (0.4, 2.0),
}
_WHY: Mapping[str, str] = {
    "enclosed_share": "bone surrounds only {value:.0%} of the brain-like tissue: no head, or a phantom",
    "cut_side_cm2": "the field of view cuts the head off at its side ({value:.0f} cm2)",
    "cut_top_cm2": "the top of the head is not in the slices ({value:.0f} cm2 of brain end there)",
    "cut_bottom_cm2": "the base of the head is not in the slices ({value:.0f} cm2 of brain end there)",
    "vessel_ml": "{value:.1f} mL inside the skull are as bright as contrast medium or calcium",
    "dark_ml": "{value:.0f} mL inside the skull are as dark as air: an open skull, or streaks of metal",
    "metal_ml": "{value:.1f} mL of metal in or near the skull",
    "air_above_share": "the air cells lie above the brain: the slices stand upside down",
    "length_to_width": "the skull is wider than long: the images lie on their side",
    "wider_back_mm": "the skull is wider in front than behind: the images are flipped",
    "continuity": "neighbouring slices do not go on from each other: motion, or slices out of their places",
    "continuity_worst": "a slice does not go on from its neighbours: motion, or a slice out of its place",
}
# Wider steps hide what continues; across the head, left and right of the middle are alike by nature.
_WIDEST_STEP_MM = 8.0
_AXIAL = 0.7


@dataclass(frozen=True)
class InputMeasures:
    """What the guard measures on a volume; volumes in mL, grey values in HU, lengths in mm."""

    hu_min: float
    hu_max: float
    coverage_mm: float
    brain_ml: float
    skull_ml: float
    brain_median_hu: float
    brain_std_hu: float
    brain_share: float


def measure_input(volume: NDArray[np.floating[Any]], spacing_mm: Sequence[float]) -> InputMeasures:
    """Measure a regular volume [z, y, x]; works on blocks of about 4 mm, so noise hardly counts.

    ``brain_ml`` is the largest connected region of 12..60 HU after a one-block opening (scalp and vessels
    fall away, the skull cuts it from the face); ``brain_share`` is its part of its own bounding box.
    """
    blocks = _blocks(volume, spacing_mm)
    step = [max(1, round(_BLOCK_MM / s)) * s for s in spacing_mm]
    block_ml = float(np.prod(step)) / 1000.0
    brain_ml, median, std, share = 0.0, 0.0, 0.0, 0.0
    brain = _brain_of(blocks)
    if brain is not None:
        values = blocks[brain]
        brain_ml = float(brain.sum()) * block_ml
        median, std = float(np.median(values)), float(values.std())
        box = brain[ndimage.find_objects(brain.astype(np.uint8))[0]]
        share = float(box.mean())
    return InputMeasures(
        hu_min=float(volume.min()),
        hu_max=float(volume.max()),
        coverage_mm=volume.shape[0] * float(spacing_mm[0]),
        brain_ml=brain_ml,
        skull_ml=float((blocks > _BONE_HU).sum()) * block_ml,
        brain_median_hu=median,
        brain_std_hu=std,
        brain_share=share,
    )


def check_input(
    volume: NDArray[np.floating[Any]], spacing_mm: Sequence[float], limits: Mapping[str, Any]
) -> list[str]:
    """Reasons why a volume lies outside a bundle's input limits; empty when it may be analysed.

    ``volume`` is a regular volume [z, y, x] in HU, ``spacing_mm`` (z, y, x), ``limits`` the ``input_limits``
    of ``configs/firstread.json``; each of ``coverage_mm``, ``brain_ml``, ``skull_ml``, ``brain_median_hu``,
    ``brain_std_hu``, ``brain_share``, ``hu_min`` and ``hu_max`` there is an allowed [min, max], and a limit
    that is absent is not applied; with ``brain_ml`` there, HEAD_LIMITS are. For what has no Hounsfield units
    (``modality`` without CT) only those named are. Raises ValueError when ``volume`` is not three-dimensional.
    """
    if volume.ndim != 3 or len(spacing_mm) != 3:
        raise ValueError(f"expected a [z, y, x] volume and three spacings, got {volume.shape}, {spacing_mm}")
    if volume.size == 0:
        return ["the volume is empty"]
    if not np.isfinite(volume).all():
        return ["the volume holds values that are not numbers"]
    in_hu = "CT" in (limits.get("modality") or ["CT"])
    # Within a half, because resampling rounds.
    if in_hu and float(volume.min()) >= -0.5 and float(volume.max()) <= 255.5:
        return ["the grey values run from 0 to 255: an 8-bit picture, not Hounsfield units"]
    measures = asdict(measure_input(volume, spacing_mm))
    reasons = []
    for name, (text, unit) in _TEXTS.items():
        if name not in limits:
            continue
        low, high = (float(v) for v in limits[name])
        value = measures[name]
        if not low <= value <= high:
            reasons.append(
                f"{text} {value:.4g} {unit}, outside {low:g} to {high:g} {unit}".replace(" ,", ",")
            )
    if in_hu and "brain_ml" in limits:
        reasons += _odd(_head_measures(volume, spacing_mm, measures["skull_ml"]), limits)
    return reasons


def check_stack(stack: SliceStack, limits: Mapping[str, Any]) -> list[str]:
    """Reasons why the native slices of a head do not make one head; empty when they may be analysed.

    Looks at axial slices up to 8 mm apart of bundles with a ``brain_ml`` limit; for others it says nothing.
    """
    close = len(stack.gaps_mm) > 0 and float(np.median(stack.gaps_mm)) <= _WIDEST_STEP_MM
    if "brain_ml" not in limits or not close or abs(float(stack.normal[2])) < _AXIAL:
        return []
    typical, worst = continuity(stack)
    reasons = _odd({"continuity": typical}, limits)
    return reasons or _odd({"continuity_worst": worst}, limits)


def _head_measures(
    volume: NDArray[np.floating[Any]], spacing_mm: Sequence[float], skull_ml: float
) -> dict[str, float]:
    measures = {"cut_side_cm2": cut_side_cm2(volume, spacing_mm)}
    if skull_ml > _STRIPPED_ML:
        measures["enclosed_share"] = _enclosed(_blocks(volume, spacing_mm))
    head = measure_head(volume, spacing_mm)
    return measures | (asdict(head) if head is not None else {})


def _enclosed(blocks: NDArray[np.float32]) -> float:
    brain = _brain_of(blocks)
    # No brain at all is told by `brain_ml`.
    return 1.0 if brain is None else enclosed_share(brain, blocks > _BONE_HU)


def _odd(measures: Mapping[str, float], limits: Mapping[str, Any]) -> list[str]:
    reasons = []
    for name, value in measures.items():
        low, high = (float(v) for v in limits.get(name, HEAD_LIMITS[name]))
        if not low <= value <= high:
            reasons.append(_WHY[name].format(value=value))
    return reasons


def _brain_of(blocks: NDArray[np.float32]) -> NDArray[np.bool_] | None:
    """The largest connected brain-like region after a one-block opening, or None."""
    soft = (blocks > _BRAIN_HU[0]) & (blocks < _BRAIN_HU[1])
    core = ndimage.binary_opening(soft, structure=ndimage.generate_binary_structure(3, 1))
    labels, count = ndimage.label(core)
    if not count:
        return None
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    brain: NDArray[np.bool_] = labels == int(sizes.argmax())
    return brain


_TEXTS: dict[str, tuple[str, str]] = {
    "coverage_mm": ("the slices cover", "mm"),
    "hu_min": ("the lowest value is", "HU"),
    "hu_max": ("the highest value is", "HU"),
    "brain_ml": ("brain-like tissue measures", "mL"),
    "skull_ml": ("bone measures", "mL"),
    "brain_median_hu": ("the median of brain-like tissue is", "HU"),
    "brain_std_hu": ("the spread of grey values in brain-like tissue is", "HU"),
    "brain_share": ("brain-like tissue fills of its own box", "parts of one"),
}


def _blocks(volume: NDArray[np.floating[Any]], spacing_mm: Sequence[float]) -> NDArray[np.float32]:
    """Mean over blocks of about 4 mm; what does not fill a block at the far end is left out."""
    n = [max(1, round(_BLOCK_MM / s)) for s in spacing_mm]
    shape = [max(1, size // k) for size, k in zip(volume.shape, n, strict=True)]
    n = [min(k, size) for k, size in zip(n, volume.shape, strict=True)]
    cut = volume[: shape[0] * n[0], : shape[1] * n[1], : shape[2] * n[2]]
    blocks: NDArray[np.float32] = (
        cut.reshape(shape[0], n[0], shape[1], n[1], shape[2], n[2]).mean(axis=(1, 3, 5)).astype(np.float32)
    )
    return blocks
