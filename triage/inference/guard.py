"""Input limits: is this volume a head CT in HU that the model may look at?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_BLOCK_MM = 4.0
_BRAIN_HU = (12.0, 60.0)
_BONE_HU = 300.0


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
    soft = (blocks > _BRAIN_HU[0]) & (blocks < _BRAIN_HU[1])
    core = ndimage.binary_opening(soft, structure=ndimage.generate_binary_structure(3, 1))
    labels, count = ndimage.label(core)
    brain_ml, median, std, share = 0.0, 0.0, 0.0, 0.0
    if count:
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        brain = labels == int(sizes.argmax())
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
    that is absent is not applied. Raises ValueError when ``volume`` is not three-dimensional.
    """
    if volume.ndim != 3 or len(spacing_mm) != 3:
        raise ValueError(f"expected a [z, y, x] volume and three spacings, got {volume.shape}, {spacing_mm}")
    if volume.size == 0:
        return ["the volume is empty"]
    if not np.isfinite(volume).all():
        return ["the volume holds values that are not numbers"]
    if float(volume.min()) >= 0.0 and float(volume.max()) <= 255.0:
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
    return reasons


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
