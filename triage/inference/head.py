"""What a volume shows of a head, measured so that what the models were never shown can be told.

Each measure stands for something that a reader sees at once: contrast medium in vessels, metal, a head cut
off by the field of view, a head that lies the other way round than its headers say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from triage.inference.cavity import closed_cavity
from triage.inference.volume import AIR_HU, SliceStack

# The measures are taken on about this grid (z, y, x), mm: coarse enough to be quick and to average noise.
_GRID_MM = (4.0, 2.0, 2.0)
# Off the inner table and off dense bone, so that partial volume counts for nothing.
_OFF_BONE_MM = 4.0
# Streaks close the skull's cavity off in a few slices; what lies between closed slices is inside all the same.
_BRIDGED_MM = 12.0
_METAL_HU = 2300.0
_DENSE_HU = 400.0
_BRIGHT_HU = 100.0
_DARK_HU = -60.0
_AIR_HU = -350.0
# The grid's sides count as cut only where slices are there this far above and below.
_WITHIN_MM = 12.0
_HEAD_SLICE_CM2 = 20.0
_WIDE_SLICE = 0.7
# Below this the air cells say nothing about which end is up.
_FEW_AIR_CELLS_ML = 1.0
# Slices are compared in slabs of at least this thickness, on pixels of about this size, within soft tissue.
_SLAB_MM, _PIXEL_MM, _SEEN_HU = 3.5, 4.0, (-200.0, 200.0)

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class HeadMeasures:
    """Volumes in mL, areas in cm2, lengths in mm.

    Attributes:
        vessel_ml: 100 to 400 HU inside the skull, away from bone: contrast medium, or much calcium.
        dark_ml: darker than -60 HU inside the skull, away from bone: air, or the streaks of metal.
        metal_ml: brighter than 2300 HU, inside the skull or within 2 cm of it; teeth are further away.
        cut_top_cm2: brain that ends at the uppermost slice.
        cut_bottom_cm2: what ends at the lowest slice at most 2 cm below closed skull.
        air_above_share: of the air cells in the head's walls, the part above the brain's middle; 0 when
            there are hardly any.
        length_to_width: of the skull's cavity, front to back over side to side.
        wider_back_mm: how far behind the middle of the skull's length its width has its centre.
    """

    vessel_ml: float
    dark_ml: float
    metal_ml: float
    cut_top_cm2: float
    cut_bottom_cm2: float
    air_above_share: float
    length_to_width: float
    wider_back_mm: float


def measure_head(volume: NDArray[np.floating[Any]], spacing_mm: Sequence[float]) -> HeadMeasures | None:
    """Measure a regular volume [z, y, x] in HU; None where no skull of 500 mL is closed."""
    coarse, step = _coarse(volume, spacing_mm)
    cavity = closed_cavity(coarse, step)
    if cavity is None:
        return None
    voxel_ml = float(np.prod(step)) / 1000.0
    filled = np.stack([ndimage.binary_fill_holes(plane) for plane in cavity])
    bridge = 2 * round(_BRIDGED_MM / step[0]) + 1
    inside = _lowest(_highest(filled, bridge), bridge)
    # Bridges may lead through sinuses and mastoid cells: air counts in closed slices only.
    off_skull = ~_grown(~filled, 6.0, step)
    off_bone = ~_grown(~inside, _OFF_BONE_MM, step) & ~_grown(_thicker(coarse > _DENSE_HU), 2.0, step)
    nothing = coarse <= AIR_HU + 0.5
    soft = (coarse > 0.0) & (coarse < 100.0)
    above_base = _highest(filled, 2 * round(20.0 / step[0]) + 1)
    pixel_cm2 = step[1] * step[2] / 100.0
    return HeadMeasures(
        vessel_ml=float((off_bone & (coarse > _BRIGHT_HU)).sum()) * voxel_ml,
        dark_ml=float((off_skull & (coarse < _DARK_HU)).sum()) * voxel_ml,
        metal_ml=float((_grown(_highest(inside, bridge), 20.0, step) & (coarse > _METAL_HU)).sum())
        * voxel_ml,
        cut_top_cm2=float(_cut(soft & cavity, nothing, 0, -1).sum()) * pixel_cm2,
        cut_bottom_cm2=float(_cut(soft & above_base, nothing, 0, 1).sum()) * pixel_cm2,
        air_above_share=_air_above_share(coarse, filled, nothing, voxel_ml),
        length_to_width=_length_to_width(filled) * step[1] / step[2],
        wider_back_mm=_wider_back(filled) * step[1],
    )


def cut_side_cm2(volume: NDArray[np.floating[Any]], spacing_mm: Sequence[float]) -> float:
    """Tissue that ends at the field of view, in the upper half of the head: chin and neck often do."""
    coarse, step = _coarse(volume, spacing_mm)
    nothing = coarse <= AIR_HU + 0.5
    reach = max(1, round(_WITHIN_MM / step[0]))
    within = ndimage.minimum_filter1d((~nothing).view(np.uint8), 2 * reach + 1, axis=0, mode="constant")
    tissue = (coarse > 0.0) & within.astype(bool)
    heights = np.flatnonzero(tissue.sum(axis=(1, 2)) * step[1] * step[2] / 100.0 > _HEAD_SLICE_CM2)
    if not len(heights):
        return 0.0
    tissue[: int(heights[0] + heights[-1]) // 2] = False
    across = sum(int(_cut(tissue, nothing, 1, way).sum()) for way in (-1, 1)) * step[2]
    down = sum(int(_cut(tissue, nothing, 2, way).sum()) for way in (-1, 1)) * step[1]
    return float(across + down) * step[0] / 100.0


def enclosed_share(brain: Mask, bone: Mask) -> float:
    """Share of the in-plane edge of `brain` that has bone within three voxels; 0 without brain."""
    edge = brain & ~ndimage.binary_erosion(brain, structure=np.ones((1, 3, 3)))
    near = ndimage.binary_dilation(bone, structure=np.ones((1, 7, 7)))
    return float((edge & near).sum() / edge.sum()) if edge.any() else 0.0


def continuity(stack: SliceStack) -> tuple[float, float]:
    """How well slices go on from each other: for most of them, and for the one that does worst.

    Anatomy changes steadily, so that slices two apart differ by nearly as much as both steps between them
    together (1.0); a slice out of its place differs from both its neighbours while these are alike (0.2).
    The first value is what four of five slices reach, the second the lowest. (1, 1) where a stack is too
    short to tell.
    """
    slabs = _slabs(stack)
    if len(slabs) < 8:
        return 1.0, 1.0
    steps = np.abs(np.diff(slabs, axis=0)).mean(axis=(1, 2))
    double = np.abs(slabs[2:] - slabs[:-2]).mean(axis=(1, 2))
    # Air above the vertex is alike in every slice: nothing to compare.
    told = steps[:-1] + steps[1:] > 0.1 * np.median(steps)
    ratio = double[told] / (steps[:-1] + steps[1:])[told]
    return (float(np.percentile(ratio, 20)), float(ratio.min())) if len(ratio) else (1.0, 1.0)


def _slabs(stack: SliceStack) -> NDArray[np.float32]:
    down, across = stack.pixel_spacing_mm
    rows, columns = (max(1, round(_PIXEL_MM / size)) for size in (down, across))
    count, height, width = stack.pixels.shape
    cut = stack.pixels[:, : height // rows * rows, : width // columns * columns].clip(*_SEEN_HU)
    blocks = cut.reshape(count, height // rows, rows, width // columns, columns).mean(axis=(2, 4))
    together = max(1, round(_SLAB_MM / max(float(np.median(stack.gaps_mm)), 0.1)))
    whole = count // together * together
    slabs: NDArray[np.float32] = blocks[:whole].reshape(-1, together, *blocks.shape[1:]).mean(axis=1)
    return slabs


def _coarse(
    volume: NDArray[np.floating[Any]], spacing_mm: Sequence[float]
) -> tuple[NDArray[np.float32], tuple[float, float, float]]:
    """The volume in blocks of about the measuring grid; what does not fill a block at the end is left out."""
    n = [max(1, round(g / s)) for g, s in zip(_GRID_MM, spacing_mm, strict=True)]
    step = (n[0] * float(spacing_mm[0]), n[1] * float(spacing_mm[1]), n[2] * float(spacing_mm[2]))
    if n == [1, 1, 1]:
        return np.asarray(volume, dtype=np.float32), step
    z, y, x = (size // k for size, k in zip(volume.shape, n, strict=True))
    cut = np.asarray(volume, dtype=np.float32)[: z * n[0], : y * n[1], : x * n[2]]
    blocks = cut.reshape(z, n[0], y, n[1], x, n[2])
    mean: NDArray[np.float32] = blocks.mean(axis=(1, 3, 5))
    # Half outside the slices is outside. Not less: the noise of air reaches down to the lowest value, too.
    mean[(blocks <= AIR_HU).mean(axis=(1, 3, 5)) >= 0.5] = AIR_HU
    return mean, step


def _grown(mask: Mask, radius_mm: float, step: tuple[float, float, float]) -> Mask:
    """The mask and what lies within `radius_mm` along rows and columns of each slice."""
    grown = np.ascontiguousarray(mask).view(np.uint8)
    for axis in (1, 2):
        grown = ndimage.maximum_filter1d(grown, 2 * max(1, round(radius_mm / step[axis])) + 1, axis=axis)
    return np.asarray(grown.astype(bool))


def _highest(mask: Mask, slices: int) -> Mask:
    """True where any of `slices` slices around is."""
    raw = np.ascontiguousarray(mask).view(np.uint8)
    return np.asarray(ndimage.maximum_filter1d(raw, slices, axis=0, mode="nearest").astype(bool))


def _lowest(mask: Mask, slices: int) -> Mask:
    """True where all of `slices` slices around are."""
    raw = np.ascontiguousarray(mask).view(np.uint8)
    return np.asarray(ndimage.minimum_filter1d(raw, slices, axis=0, mode="nearest").astype(bool))


def _opened(mask: Mask, size: int) -> Mask:
    """An opening by `size` x `size` pixels in each slice; outside the grid is nothing."""
    raw = np.ascontiguousarray(mask).view(np.uint8)
    for extreme in (ndimage.minimum_filter1d, ndimage.maximum_filter1d):
        for axis in (1, 2):
            raw = extreme(raw, size, axis=axis, mode="constant")
    return np.asarray(raw.astype(bool))


def _thicker(mask: Mask) -> Mask:
    """The mask and the slices right above and below."""
    thick = mask.copy()
    thick[1:] |= mask[:-1]
    thick[:-1] |= mask[1:]
    return thick


def _cut(tissue: Mask, nothing: Mask, axis: int, way: int) -> Mask:
    """Tissue whose neighbour along `axis` is outside the slices; -1 looks towards higher indices."""
    beyond = np.roll(nothing, way, axis)
    end = [slice(None)] * 3
    end[axis] = slice(-1, None) if way == -1 else slice(0, 1)
    beyond[tuple(end)] = True
    return tissue & beyond


def _air_above_share(coarse: NDArray[np.float32], filled: Mask, nothing: Mask, voxel_ml: float) -> float:
    """Of the air that tissue encloses in its slice, outside the skull's cavity, the part above its middle."""
    tissue = _opened(coarse > -300.0, 5)
    labels, count = ndimage.label(tissue)
    if not count:
        return 0.0
    head = labels == 1 + int(np.bincount(labels.ravel())[1:].argmax())
    closed = np.stack([ndimage.binary_fill_holes(plane) for plane in head])
    cells = closed & (coarse < _AIR_HU) & ~nothing & ~ndimage.binary_dilation(filled, np.ones((1, 3, 3)))
    areas = filled.sum(axis=(1, 2))
    middle = round(float(np.average(np.arange(len(areas)), weights=areas)))
    above, whole = float(cells[middle:].sum()), float(cells.sum())
    return above / whole if whole * voxel_ml >= _FEW_AIR_CELLS_ML else 0.0


def _wider_back(cavity: Mask) -> float:
    """Median over the wide slices of the width's centre behind the middle of the length, in voxels."""
    area = cavity.sum(axis=(1, 2))
    offsets = []
    for plane in cavity[area > _WIDE_SLICE * area.max()]:
        width = plane.sum(axis=1)
        rows = np.flatnonzero(width)
        offsets.append(float(np.average(rows, weights=width[rows])) - (rows[0] + rows[-1]) / 2.0)
    return float(np.median(offsets))


def _length_to_width(cavity: Mask) -> float:
    """Median over the wide slices of rows over columns that the cavity spans, in voxels."""
    area = cavity.sum(axis=(1, 2))
    shares = []
    for plane in cavity[area > _WIDE_SLICE * area.max()]:
        rows, columns = np.flatnonzero(plane.any(axis=1)), np.flatnonzero(plane.any(axis=0))
        shares.append((rows[-1] - rows[0] + 1) / (columns[-1] - columns[0] + 1))
    return float(np.median(shares))
