"""From a probability map to what a finding needs: study probability, mask, volume, size, side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from triage.inference.cavity import analysable
from triage.inference.regions import region_features

Side = Literal["left", "right", "bilateral", "midline", ""]

_MIDLINE_BAND_MM = 5.0
_BILATERAL_SHARE = 0.2
_TISSUE_HU = -200.0

#: Features of a scan in which no region was kept.
NOTHING_FOUND: Final = {
    "found": 0.0,
    "log1p_volume_ml": 0.0,
    "peak": 0.0,
    "mean": 0.0,
    "log1p_largest_ml": 0.0,
    "best_region": 0.0,
}
#: A region's score, its logit, is kept within this.
_HIGHEST_LOGIT = 8.0


@dataclass(frozen=True)
class Component:
    """One connected suspicious region; indices are voxel indices (z, y, x) of the regular volume.

    ``features`` are those of ``triage.inference.regions``, measured where the bundle has a rule for regions.
    """

    volume_ml: float
    peak: float
    centroid_zyx: tuple[float, float, float]
    z_from: int
    z_to: int
    features: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Extraction:
    """What a probability map says about a study.

    ``probability`` is the calibrated study-level probability in [0, 1]; ``mask`` is bool [z, y, x] and holds
    the retained components only; ``centroid_zyx`` is the centroid of the largest component (voxel indices),
    ``None`` when nothing was retained. ``key_z`` is the slice with most suspicious voxels.
    """

    probability: float
    mask: NDArray[np.bool_]
    volume_ml: float
    largest_diameter_mm: float
    components: tuple[Component, ...]
    centroid_zyx: tuple[float, float, float] | None
    key_z: int | None
    side: Side
    features: dict[str, float]


def extract(
    prob: NDArray[np.floating[Any]],
    spacing_mm: Sequence[float],
    config: Mapping[str, Any],
    *,
    volume_hu: NDArray[np.floating[Any]] | None = None,
) -> Extraction:
    """Reduce a hemorrhage probability map to study-level values.

    ``prob`` is [z, y, x] in [0, 1] on a regular volume (x grows to the patient's left); ``spacing_mm`` is
    (z, y, x); ``config`` is the bundle's ``configs/firstread.json`` (``mask_threshold``,
    ``min_component_ml``, ``probability``). With ``regions`` in it and a volume, each region gets a score of its own;
    those below the rule's ``keep`` are left out. With ``volume_hu`` of the same shape only the skull's
    cavity is looked at (``triage.inference.cavity``) and the side is told from the head's own midline, without
    it from the middle of the grid. Raises ValueError on a shape or value that is
    not a probability map.
    """
    if prob.ndim != 3 or len(spacing_mm) != 3:
        raise ValueError(f"expected a [z, y, x] map and three spacings, got {prob.shape} and {spacing_mm}")
    if not np.isfinite(prob).all() or prob.min() < 0.0 or prob.max() > 1.0:
        raise ValueError("the probability map holds values outside [0, 1]")
    if volume_hu is not None:
        prob = np.where(analysable(volume_hu, spacing_mm), prob, 0.0)
    voxel_ml = float(np.prod(spacing_mm)) / 1000.0
    labels, count = ndimage.label(prob >= float(config["mask_threshold"]), structure=np.ones((3, 3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1) * voxel_ml
    kept = [i for i in range(1, count + 1) if sizes[i] >= float(config["min_component_ml"])]
    kept.sort(key=lambda i: -sizes[i])
    rule = config.get("regions")
    measured: dict[int, dict[str, float]] = {}
    if rule is not None and volume_hu is not None:
        measured = {i: region_features(labels == i, prob, volume_hu, spacing_mm) for i in kept}
        kept = [i for i in kept if study_probability(measured[i], rule) >= float(rule["keep"])]
    mask: NDArray[np.bool_] = np.isin(labels, kept) if kept else np.zeros(prob.shape, dtype=bool)
    smooth = ndimage.gaussian_filter(prob.astype(np.float32), [2.0 / s for s in spacing_mm])
    components = tuple(_component(labels, i, smooth, voxel_ml, measured.get(i, {})) for i in kept)
    features = _features(prob, smooth, mask, voxel_ml)
    if rule is not None and components:
        features["best_region"] = max(region_score(c.features, rule) for c in components)
    return Extraction(
        probability=study_probability(features, config["probability"]),
        mask=mask,
        volume_ml=float(mask.sum()) * voxel_ml,
        largest_diameter_mm=max((_diameter(labels == i, spacing_mm) for i in kept[:5]), default=0.0),
        components=components,
        centroid_zyx=components[0].centroid_zyx if components else None,
        key_z=int(mask.sum(axis=(1, 2)).argmax()) if components else None,
        side=_side(mask, spacing_mm, volume_hu),
        features=features,
    )


def region_score(features: Mapping[str, float], rule: Mapping[str, Any]) -> float:
    """Logit that a region is a bleed, within bounds; 0 where it was not measured, as without a volume."""
    if not features:
        return 0.0
    p = study_probability(features, rule)
    return min(max(math.log(p / (1.0 - p)) if p < 1.0 else _HIGHEST_LOGIT, -_HIGHEST_LOGIT), _HIGHEST_LOGIT)


def study_probability(features: Mapping[str, float], rule: Mapping[str, Any]) -> float:
    """Logistic calibration: 1 / (1 + exp(-(intercept + sum coefficient * feature)))."""
    score = float(rule["intercept"])
    for name, coefficient in zip(rule["features"], rule["coefficients"], strict=True):
        score += float(coefficient) * features[name]
    return 1.0 / (1.0 + math.exp(-min(max(score, -60.0), 60.0)))


def _features(
    prob: NDArray[np.floating[Any]], smooth: NDArray[np.float32], mask: NDArray[np.bool_], voxel_ml: float
) -> dict[str, float]:
    """Features of the retained components only, so that a flag always comes with a mask to show."""
    if not mask.any():
        return dict(NOTHING_FOUND)
    labels, _ = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    return {
        "found": 1.0,
        "log1p_volume_ml": math.log1p(float(prob[mask].sum()) * voxel_ml),
        "peak": float(smooth[mask].max()),
        "mean": float(prob[mask].mean()),
        "log1p_largest_ml": math.log1p(float(np.bincount(labels.ravel())[1:].max()) * voxel_ml),
        "best_region": 0.0,
    }


def _component(
    labels: NDArray[Any],
    index: int,
    smooth: NDArray[np.float32],
    voxel_ml: float,
    features: Mapping[str, float],
) -> Component:
    where = np.argwhere(labels == index)
    z, y, x = (float(v) for v in where.mean(axis=0))
    return Component(
        volume_ml=len(where) * voxel_ml,
        peak=float(smooth[tuple(where.T)].max()),
        centroid_zyx=(z, y, x),
        z_from=int(where[:, 0].min()),
        z_to=int(where[:, 0].max()),
        features=features,
    )


def _diameter(region: NDArray[np.bool_], spacing_mm: Sequence[float]) -> float:
    """Largest in-plane diameter in mm over all slices, between outer voxel edges (as a reader measures)."""
    best = 0.0
    for plane in region:
        points = np.argwhere(plane).astype(np.float64)
        if not len(points):
            continue
        corners = np.concatenate([points + (dy, dx) for dy in (-0.5, 0.5) for dx in (-0.5, 0.5)])
        corners *= np.asarray(spacing_mm[1:])
        try:
            corners = corners[ConvexHull(corners).vertices]
        except QhullError:
            corners = np.unique(corners, axis=0)
        best = max(best, max(math.dist(a, b) for a, b in combinations(corners, 2)))
    return best


def _side(
    mask: NDArray[np.bool_], spacing_mm: Sequence[float], volume_hu: NDArray[np.floating[Any]] | None
) -> Side:
    if not mask.any():
        return ""
    z, y, x = np.nonzero(mask)
    offset_mm = (x - midline_x(mask.shape, volume_hu)[z, y]) * float(spacing_mm[2])
    left, right = float((offset_mm > 0).mean()), float((offset_mm < 0).mean())
    if float((np.abs(offset_mm) < _MIDLINE_BAND_MM).mean()) > 0.5:
        return "midline"
    if min(left, right) > _BILATERAL_SHARE:
        return "bilateral"
    return "left" if left > right else "right"


def midline_x(
    shape: tuple[int, ...], volume_hu: NDArray[np.floating[Any]] | None
) -> NDArray[np.floating[Any]]:
    """Column index of the head's midline for each (z, y), shape [z, y].

    A plane fitted to the middle between the outermost tissue voxels of each row, refitted without its
    outliers, so that a rotated head or a head rest on one side does not move it.
    """
    centre = np.full(shape[:2], (shape[2] - 1) / 2.0)
    if volume_hu is None:
        return centre
    tissue = ndimage.binary_opening(np.asarray(volume_hu) > _TISSUE_HU, structure=np.ones((1, 3, 3)))
    filled = tissue.sum(axis=2) >= 0.25 * shape[2]
    if filled.sum() < 50:
        return centre
    first = tissue.argmax(axis=2)
    last = shape[2] - 1 - tissue[:, :, ::-1].argmax(axis=2)
    z, y = np.nonzero(filled)
    middle = (first[z, y] + last[z, y]) / 2.0
    design = np.stack([np.ones(len(z)), z, y], axis=1).astype(float)
    use = np.ones(len(z), dtype=bool)
    fit = np.zeros(3)
    for _ in range(3):
        fit = np.linalg.lstsq(design[use], middle[use], rcond=None)[0]
        error = np.abs(middle - design @ fit)
        use = error <= max(2.0, 2.0 * float(np.median(error)))
    zz, yy = np.indices(shape[:2])
    plane: NDArray[np.floating[Any]] = fit[0] + fit[1] * zz + fit[2] * yy
    return plane
