"""Midline shift: how far the septum between the lateral ventricles stands from the skull's midplane.

The midplane is the plane that the inner table of the vault is most symmetric about; at its ends lie the
attachments of the falx. The septum is the bright ridge between the two dark frontal horns and bodies of the
lateral ventricles, looked for row by row. What it says is a measurement with its own uncertainty, or None with
the reason why there is none; never a guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import structlog
from numpy.typing import NDArray
from scipy import ndimage, optimize

from triage.inference.cavity import analysable
from triage.inference.volume import RegularVolume

log = structlog.get_logger(__name__)

Floats = NDArray[np.float64]

COVERAGE_FACTOR: Final = 2.0
"""The uncertainty is twice the standard uncertainty: about 95 of 100 true values lie within it."""
# What agreeing slices and a good plane still leave open: a grid of 2 mm, horns of unequal size.
RESIDUAL_MM: Final = 0.6
# A plane that is known worse than this at the septum (standard error) measures nothing.
WORST_PLANE_MM: Final = 2.0
WORST_UNCERTAINTY_MM: Final = 5.0
FEWEST_ROWS: Final = 12
FEWEST_SLICES: Final = 2

_GRID_MM = (4.0, 2.0, 2.0)
_FLUID_HU, _BRAIN_HU = 8.0, 28.0
_REACH_MM = 26.0
_WIDEST_SEPTUM_MM = 14.0
_NARROWEST_HORN_MM = 2.0
# Lateral ventricles lie that far below the inner table, in the slice.
_DEEP_MM = 28.0
_SMALLEST_HORN_ML = 0.5
_ROW_STEP_MM = 2.0
_PROFILE_STEP_MM = 0.5
_CLUSTER_MM = 3.5
# Neighbouring boundary points err together: so many of them tell as much as one.
_POINTS_AS_ONE = 60.0


@dataclass(frozen=True)
class MidlineShift:
    """Shift in mm, positive to the patient's left, and the half width of its interval of about 95 %.

    Both are None when it cannot be measured; ``reason`` then says why, and is "" otherwise.
    """

    shift_mm: float | None
    uncertainty_mm: float | None
    reason: str = ""


@dataclass(frozen=True)
class _Plane:
    """x = offset + yaw * y + roll * z in mm from the cavity's centre; ``normal`` is a unit vector (x, y, z)."""

    centre: Floats
    offset: float
    yaw: float
    roll: float
    covariance: Floats

    @property
    def normal(self) -> Floats:
        direction = np.array([1.0, -self.yaw, -self.roll])
        return direction / np.linalg.norm(direction)

    def error_at(self, point: Floats) -> float:
        """Standard error of the plane's place at a point (x, y, z), in mm."""
        _, y, z = point - self.centre
        row = np.array([1.0, y, z])
        return float(np.sqrt(row @ self.covariance @ row))


@dataclass(frozen=True)
class _Ridges:
    """Where rows show a bright ridge between two dark horns, one entry a row.

    ``place`` is the signed distance from the midplane in mm, ``weight`` how clear it is, ``level`` the slice,
    ``along`` the distance from the cavity's centre to the back in mm.
    """

    place: Floats
    weight: Floats
    level: NDArray[np.int_]
    along: Floats


def midline_shift(volume_hu: NDArray[np.floating[Any]], spacing_mm: Sequence[float]) -> MidlineShift:
    """Measure the midline shift at the septum of the lateral ventricles.

    Args:
        volume_hu: [z, y, x] in HU, x to the patient's left, y to the back, z to the head.
        spacing_mm: (z, y, x).
    """
    volume, spacing = _coarse(np.asarray(volume_hu, dtype=np.float32), np.asarray(spacing_mm, dtype=float))
    inside = analysable(volume, [float(v) for v in spacing])
    if inside.all():
        return _none("no closed skull of an adult head is in the images")
    plane = _midplane(inside, spacing)
    if plane is None:
        return _none("the skull shows too little to find its midplane")
    ridges = _ridges(volume, inside, spacing, plane)
    if len(ridges.place) < FEWEST_ROWS:
        return _none("the lateral ventricles do not show on both sides of a septum")
    return _measured(ridges, plane)


def midline_measurements(regular: RegularVolume) -> dict[str, float]:
    """Shift and uncertainty by the names of Analysis.measurements; empty when it cannot be measured."""
    found = midline_shift(regular.array, regular.spacing_mm)
    if found.shift_mm is None or found.uncertainty_mm is None:
        log.info("midline_not_measured", reason=found.reason)
        return {}
    return {"midline_shift_mm": found.shift_mm, "midline_shift_uncertainty_mm": found.uncertainty_mm}


def _coarse(volume: NDArray[np.float32], spacing: Floats) -> tuple[NDArray[np.float32], Floats]:
    """Whole blocks of voxels averaged up to what the measurement needs: a fine grid costs only time."""
    blocks = [max(1, int(wanted // s)) for wanted, s in zip(_GRID_MM, spacing, strict=True)]
    for axis, block in enumerate(blocks):
        count = volume.shape[axis] // block
        if block > 1 and count > 0:
            shape = [*volume.shape[:axis], count, block, *volume.shape[axis + 1 :]]
            whole = volume.take(np.arange(count * block), axis=axis)
            volume = whole.reshape(shape).mean(axis=axis + 1, dtype=np.float32)
    return volume, spacing * blocks


def _none(reason: str) -> MidlineShift:
    return MidlineShift(None, None, reason)


def _measured(ridges: _Ridges, plane: _Plane) -> MidlineShift:
    place = _mode(ridges.place, ridges.weight)
    use = np.abs(ridges.place - place) <= _CLUSTER_MM
    levels = [level for level in np.unique(ridges.level[use]) if (use & (ridges.level == level)).sum() >= 3]
    if use.sum() < FEWEST_ROWS or len(levels) < FEWEST_SLICES:
        return _none("too few slices agree on where the septum stands")
    by_level = [use & (ridges.level == level) for level in levels]
    medians = np.array([_median(ridges.place[rows], ridges.weight[rows]) for rows in by_level])
    weights = np.array([float(ridges.weight[rows].sum()) for rows in by_level])
    shift = _median(medians, weights)
    # Neighbouring slices share much of what they err by: however many they are, they tell as much as two.
    scatter = float(np.sqrt(np.average((medians - shift) ** 2, weights=weights) / 2.0))
    at = plane.centre + np.array([plane.offset, float(np.average(ridges.along[use])), 0.0])
    error = plane.error_at(at)
    if error > WORST_PLANE_MM:
        return _none("the skull's midplane is too uncertain")
    uncertainty = COVERAGE_FACTOR * float(np.sqrt(RESIDUAL_MM**2 + error**2 + scatter**2))
    if uncertainty > WORST_UNCERTAINTY_MM:
        return _none("the slices do not agree on where the septum stands")
    return MidlineShift(round(shift, 1), round(uncertainty, 1))


def _midplane(inside: NDArray[np.bool_], spacing: Floats) -> _Plane | None:
    """The plane that the vault's inner table mirrors itself on best."""
    area = inside.sum(axis=(1, 2))
    widest = _widest(area)
    # Below the widest slice the outline is that of the base, which bone and air cells break up.
    vault = widest + np.flatnonzero(area[widest:] >= 0.55 * area[widest])
    if len(vault) * spacing[0] < 15.0:
        return None
    box = inside[vault[0] : vault[-1] + 1]
    depth = _signed_depth(box, spacing)
    edge = box & ~ndimage.binary_erosion(box, np.ones((1, 3, 3)), border_value=1)
    points = np.argwhere(edge) * spacing
    if len(points) < 400:
        return None
    points = points[:: max(1, len(points) // 4000)]
    middle = points.mean(axis=0)
    away = points - middle
    z, y, x = away.T

    def mirrored(p: Floats) -> Floats:
        offset, yaw, roll = p
        scale = 1.0 / np.sqrt(1.0 + yaw**2 + roll**2)
        distance = (x - offset - yaw * y - roll * z) * scale
        twice = 2.0 * distance * scale
        index = np.stack([z + twice * roll, y + twice * yaw, x - twice]) + middle[:, None]
        found: Floats = ndimage.map_coordinates(depth, index / spacing[:, None], order=1, mode="nearest")
        return found

    # The depth at the mirrored place is the asymmetry in mm; a swollen scalp or a bulge pulls little.
    fit = optimize.least_squares(
        mirrored, np.zeros(3), loss="soft_l1", f_scale=1.0, x_scale=[1.0, 0.02, 0.02], diff_step=1e-3
    )
    if np.abs(fit.x[1:]).max() > 0.6:
        return None
    noise = float(np.mean(fit.fun**2))
    try:
        spread = np.linalg.inv(fit.jac.T @ fit.jac)
    except np.linalg.LinAlgError:
        return None
    origin = (middle + np.array([vault[0] * spacing[0], 0.0, 0.0]))[::-1]
    offset, yaw, roll = (float(v) for v in fit.x)
    return _Plane(origin, offset, yaw, roll, spread * noise * _POINTS_AS_ONE)


def _widest(area: NDArray[np.int_]) -> int:
    """The widest slice of the vault: found from the top down to where the base narrows the cavity."""
    best = len(area) - 1
    for level in range(len(area) - 1, -1, -1):
        if area[level] > area[best]:
            best = level
        elif area[level] < 0.6 * area[best]:
            break
    return best


def _signed_depth(box: NDArray[np.bool_], spacing: Floats) -> NDArray[np.float32]:
    """Distance to the inner table in the slice's plane in mm, positive inside."""
    depth = np.empty(box.shape, dtype=np.float32)
    for level, plane in enumerate(box):
        inner = ndimage.distance_transform_edt(plane, spacing[1:])
        outer = ndimage.distance_transform_edt(~plane, spacing[1:])
        depth[level] = np.where(plane, inner - spacing[1] / 2, spacing[1] / 2 - outer)
    return depth


def _fluid(
    volume: NDArray[np.float32], inside: NDArray[np.bool_], spacing: Floats, levels: NDArray[np.int_]
) -> NDArray[np.float32]:
    """How much of each voxel is fluid of the lateral ventricles, 0 to 1: deep, and no thin sheet as sulci are."""
    low, high = int(levels[0]), int(levels[-1]) + 1
    dark = np.clip((_BRAIN_HU - volume[low:high]) / (_BRAIN_HU - _FLUID_HU), 0.0, 1.0)
    dark[~inside[low:high]] = 0.0
    broad = ndimage.gaussian_filter(dark, [0.0, 1.6 / spacing[1], 1.6 / spacing[2]]) > 0.4
    deep = np.stack([ndimage.distance_transform_edt(plane, spacing[1:]) for plane in inside[low:high]])
    labels, count = ndimage.label(broad & (deep > _DEEP_MM), structure=np.ones((3, 3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1) * float(np.prod(spacing)) / 1000.0
    kept = np.flatnonzero(sizes >= _SMALLEST_HORN_ML)
    horns = np.isin(labels, kept[kept > 0])
    near = ndimage.binary_dilation(horns, np.ones((1, 3, 3)))
    fluid = np.zeros(volume.shape, dtype=np.float32)
    fluid[low:high] = dark * near
    return fluid


def _ridges(
    volume: NDArray[np.float32], inside: NDArray[np.bool_], spacing: Floats, plane: _Plane
) -> _Ridges:
    """Rows across the midplane, in the middle third of the head from front to back."""
    area = inside.sum(axis=(1, 2))
    widest = _widest(area)
    levels = np.arange(
        max(0, widest - round(8 / spacing[0])), min(len(area), widest + round(36 / spacing[0]))
    )
    fluid = _fluid(volume, inside, spacing, levels)
    along = np.arange(-45.0, 20.0, _ROW_STEP_MM)
    across = np.arange(-_REACH_MM, _REACH_MM + 1e-6, _PROFILE_STEP_MM)
    normal = plane.normal
    level, s, t = np.meshgrid(levels, along, across, indexing="ij")
    z = level * spacing[0] - plane.centre[2]
    # A point of the plane at this row and slice, then along the normal within the slice.
    in_slice = np.array([normal[0], normal[1]]) / np.hypot(normal[0], normal[1])
    x = plane.offset + plane.yaw * s + plane.roll * z + t * in_slice[0]
    y = s + t * in_slice[1]
    index = np.stack([level, (y + plane.centre[1]) / spacing[1], (x + plane.centre[0]) / spacing[2]])
    dark = ndimage.map_coordinates(fluid, index, order=1, mode="nearest")
    dark = ndimage.gaussian_filter(dark, [0.0, 2.0 / _ROW_STEP_MM, 0.8 / _PROFILE_STEP_MM])
    rows = [
        (place, weight, int(levels[i]), along[j])
        for i in range(len(levels))
        for j in range(len(along))
        for place, weight in _ridges_of_row(dark[i, j], across)
    ]
    if not rows:
        return _Ridges(np.empty(0), np.empty(0), np.empty(0, dtype=int), np.empty(0))
    place, weight, at, where = (np.array(v) for v in zip(*rows, strict=True))
    return _Ridges(place, weight, at, where)


def _ridges_of_row(dark: NDArray[np.floating[Any]], across: Floats) -> list[tuple[float, float]]:
    """Middle and clearness of each bright ridge between two dark wells of a profile."""
    wells = _runs(dark > 0.4, across)
    found = []
    for (_, right_end, right_width), (left_start, _, left_width) in pairwise(wells):
        gap = left_start - right_end
        if gap <= _WIDEST_SEPTUM_MM and min(right_width, left_width) >= _NARROWEST_HORN_MM:
            clear = min(right_width, left_width, 6.0) / 6.0
            found.append(((right_end + left_start) / 2.0, clear / (1.0 + gap / 10.0)))
    return found


def _runs(mask: NDArray[np.bool_], across: Floats) -> list[tuple[float, float, float]]:
    """First place, last place and width in mm of each run of True."""
    edges = np.flatnonzero(np.diff(np.r_[False, mask, False].astype(np.int8)))
    return [
        (float(across[a]), float(across[b - 1]), (b - a) * _PROFILE_STEP_MM)
        for a, b in zip(edges[::2], edges[1::2], strict=True)
    ]


def _mode(values: Floats, weights: Floats) -> float:
    """The place with most weight around it (Gauss kernel of 2 mm)."""
    grid = np.arange(-_REACH_MM, _REACH_MM, 0.25)
    density = (np.exp(-0.5 * ((grid[:, None] - values) / 2.0) ** 2) * weights).sum(axis=1)
    return float(grid[int(density.argmax())])


def _median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values)
    share = np.cumsum(weights[order])
    return float(values[order][int(np.searchsorted(share, share[-1] / 2.0))])
