"""What tells a bleed from its look-alikes, region by region: size, grey value, surroundings, bone and metal nearby."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

#: Names of the features, all of the order of one.
REGION_FEATURES: Final = (
    "log_ml",
    "peak",
    "mean",
    "grey",
    "contrast",
    "grain",
    "near_bone",
    "near_metal",
    "thickness",
    "slices",
)

_BONE_HU = 250.0
_METAL_HU = 1900.0
_TISSUE_HU = (-10.0, 100.0)
_SHELL_MM = (2.5, 8.0)
_NEAR_BONE_MM = 3.0
_NEAR_METAL_MM = 25.0

Box = tuple[slice, slice, slice]


def region_features(
    region: NDArray[np.bool_],
    prob: NDArray[np.floating[Any]],
    volume_hu: NDArray[np.floating[Any]],
    spacing_mm: Sequence[float],
) -> dict[str, float]:
    """Measure one region of a probability map; all arrays are [z, y, x], ``spacing_mm`` is (z, y, x).

    ``grey`` is the mean grey value above 50 HU and ``contrast`` that above the tissue 2.5 to 8 mm around, both in
    tens of HU; ``grain`` the spread in tens of HU; ``near_bone`` the part within 3 mm of bone; ``near_metal`` is 1
    with metal within 25 mm; ``thickness`` the widest place within a slice and ``slices`` the height, in cm.
    """
    where = _around(region, _SHELL_MM[1], spacing_mm)
    inside, hu = region[where], np.asarray(volume_hu[where], dtype=np.float32)
    steps = [float(s) for s in spacing_mm]
    away = ndimage.distance_transform_edt(~inside, sampling=steps)
    shell = (away > _SHELL_MM[0]) & (away <= _SHELL_MM[1]) & (hu > _TISSUE_HU[0]) & (hu < _TISSUE_HU[1])
    bone = hu > _BONE_HU
    bone_mm = ndimage.distance_transform_edt(~bone, sampling=steps) if bone.any() else np.full(hu.shape, 99.0)
    values = hu[inside]
    grey = float(values.mean())
    around = float(np.median(hu[shell])) if shell.any() else grey
    flat = np.pad(inside, ((0, 0), (1, 1), (1, 1)))
    depth = max(float(ndimage.distance_transform_edt(plane, sampling=steps[1:]).max()) for plane in flat)
    metal = np.asarray(volume_hu[_around(region, _NEAR_METAL_MM, spacing_mm)]) > _METAL_HU
    return {
        "log_ml": math.log(float(inside.sum()) * math.prod(steps) / 1000.0),
        "peak": float(prob[where][inside].max()),
        "mean": float(prob[where][inside].mean()),
        "grey": (min(grey, 150.0) - 50.0) / 10.0,
        "contrast": max(-5.0, min(5.0, (grey - around) / 10.0)),
        "grain": min(float(values.std()), 60.0) / 10.0,
        "near_bone": float((bone_mm[inside] <= _NEAR_BONE_MM).mean()),
        "near_metal": float(metal.any()),
        "thickness": 2.0 * depth / 10.0,
        "slices": float(inside.any(axis=(1, 2)).sum()) * steps[0] / 10.0,
    }


def _around(region: NDArray[np.bool_], margin_mm: float, spacing_mm: Sequence[float]) -> Box:
    """The region's box, wider by a margin on every side, within the volume."""
    (box,) = ndimage.find_objects(region.astype(np.uint8))
    wide = [
        slice(max(0, part.start - math.ceil(margin_mm / s)), part.stop + math.ceil(margin_mm / s))
        for part, s in zip(box, spacing_mm, strict=True)
    ]
    return wide[0], wide[1], wide[2]
