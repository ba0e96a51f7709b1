"""From probability maps on the regular grid to targets with masks on the native slices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from triage.inference.analysis import Target
from triage.inference.extract import Extraction, extract
from triage.inference.volume import RegularVolume, SliceStack, mask_to_stack
from triage.targets import TargetFinding, targets

SIDES: Final = {"bilateral": "both"}
METHOD: Final = "logistic on features of the marked regions"


def segmented(
    maps: NDArray[np.float32], regular: RegularVolume, stack: SliceStack, config: Mapping[str, Any]
) -> tuple[Target, ...]:
    """One target for each finding of the bundle.

    Args:
        maps: probabilities [z, y, x], or [channel, z, y, x] for several findings, on the regular grid.
        regular: the volume that they were made from.
        stack: its native slices.
        config: the bundle's configs/firstread.json.
    """
    channels = maps[None] if maps.ndim == 3 else maps
    return tuple(_target(channels, finding, regular, stack, config) for finding in targets(config))


def _target(
    channels: NDArray[np.float32],
    finding: TargetFinding,
    regular: RegularVolume,
    stack: SliceStack,
    config: Mapping[str, Any],
) -> Target:
    rule = {**config, "probability": finding.probability}
    found = extract(channels[finding.output], regular.spacing_mm, rule, volume_hu=regular.array)
    mask = mask_to_stack(found.mask, regular, stack)
    drawn = bool(mask.any())
    return Target(
        name=finding.name,
        probability=found.probability,
        method=str(finding.probability.get("method", METHOD)),
        volume_ml=found.volume_ml if drawn else None,
        largest_diameter_mm=found.largest_diameter_mm if drawn else None,
        side=SIDES.get(found.side, found.side),
        subtype=finding.subtype,
        centroid_lps_mm=_centroid(found, regular),
        box_lps_mm=_box(found, regular),
        mask=mask,
    )


def _centroid(found: Extraction, regular: RegularVolume) -> tuple[float, float, float] | None:
    if found.centroid_zyx is None:
        return None
    x, y, z = (round(float(v), 1) for v in regular.points_of(np.asarray(found.centroid_zyx)))
    return x, y, z


def _box(found: Extraction, regular: RegularVolume) -> tuple[float, float, float, float, float, float] | None:
    """Outer faces of the voxels that were kept."""
    if not found.mask.any():
        return None
    inside = np.argwhere(found.mask)
    low = regular.points_of(inside.min(axis=0) - 0.5)
    high = regular.points_of(inside.max(axis=0) + 0.5)
    x0, y0, z0, x1, y1, z1 = (round(float(v), 1) for v in (*low, *high))
    return x0, y0, z0, x1, y1, z1
