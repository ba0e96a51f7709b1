"""Where a voxel lies: native slices, the regular grid that models see, and the way back.

Everything is done in patient coordinates (LPS, mm; PS3.3 C.7.6.2.1.1), never by slice number. A point
belongs to a slice by its depth along the slices' common normal, and to a pixel by its projection onto
that slice. That is exact for any orientation, for gantry tilt (slices then shift sideways against each
other) and for uneven spacing, because no step between slices is assumed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

Array = NDArray[np.float32]
Points = NDArray[np.float64]

AIR_HU = -1024.0
# Blur before sampling coarser than the pixels, in target steps: little aliasing, little loss.
_ANTI_ALIAS = 0.4
_BLUR: Final[dict[str, Any]] = {"mode": "nearest", "truncate": 3.0}
_MOST_SUBSAMPLES = 8


class VolumeError(Exception):
    """The images do not make a volume; the message says why, without patient text."""


@dataclass(frozen=True)
class FrameSource:
    """The DICOM frame that a slice came from; `frame` counts from 1."""

    sop_instance_uid: str
    frame: int = 1


@dataclass(frozen=True)
class SliceStack:
    """Parallel slices with their places, sorted upwards along `normal`.

    Attributes:
        pixels: float32 [slice, row, column] in HU (MR: its own grey values).
        positions: float64 [slice, 3], LPS in mm of the centre of pixel [0, 0].
        row_direction: unit vector along which the column index grows.
        column_direction: unit vector along which the row index grows.
        pixel_spacing_mm: between rows, between columns.
        thickness_mm: float64 [slice], nominal.
        sources: the frame of each slice.
        frame_of_reference_uid: as received.
        notes: what was left out or is missing, in words.
        empty: the value where no slice is: air for CT, 0 for MR.
    """

    pixels: Array
    positions: Points
    row_direction: Points
    column_direction: Points
    pixel_spacing_mm: tuple[float, float]
    thickness_mm: Points
    sources: tuple[FrameSource, ...]
    frame_of_reference_uid: str = ""
    notes: tuple[str, ...] = field(default=())
    empty: float = AIR_HU

    @cached_property
    def normal(self) -> Points:
        """Unit vector across the slices, towards left, back or head, whichever it is closest to."""
        return stacking_normal(self.row_direction, self.column_direction)

    @cached_property
    def depths_mm(self) -> Points:
        """Depth of each slice along `normal`, rising."""
        return self.positions @ self.normal

    @cached_property
    def gaps_mm(self) -> Points:
        """Distance between neighbouring slices along the normal, float64 [slice - 1]."""
        return np.diff(self.depths_mm)

    @property
    def coverage_mm(self) -> float:
        """From the outer face of the first slice to that of the last, along the normal."""
        ends = (self.thickness_mm[0] + self.thickness_mm[-1]) / 2.0
        return float(self.depths_mm[-1] - self.depths_mm[0] + ends)

    @cached_property
    def slabs_mm(self) -> Points:
        """The depth range that each slice answers for, float64 [slice, 2].

        Neighbours meet halfway, so that the slabs leave no gap and no point belongs to two.
        """
        middle = (self.depths_mm[1:] + self.depths_mm[:-1]) / 2.0
        first = self.depths_mm[0] - self.thickness_mm[0] / 2.0
        last = self.depths_mm[-1] + self.thickness_mm[-1] / 2.0
        return np.stack([np.r_[first, middle], np.r_[middle, last]], axis=1)

    def points_of(self, index: int, rows: NDArray[Any], columns: NDArray[Any]) -> Points:
        """LPS in mm of pixel centres of slice `index`, float64 [..., 3]."""
        down, across = self.pixel_spacing_mm
        return (
            self.positions[index]
            + np.asarray(rows, dtype=np.float64)[..., None] * down * self.column_direction
            + np.asarray(columns, dtype=np.float64)[..., None] * across * self.row_direction
        )

    def pixels_of(self, index: NDArray[Any] | int, points: Points) -> tuple[Points, Points]:
        """Row and column (fractional) of points projected onto the slices `index`."""
        away = points - self.positions[index]
        down, across = self.pixel_spacing_mm
        return away @ self.column_direction / down, away @ self.row_direction / across


@dataclass(frozen=True)
class RegularVolume:
    """An axis-aligned LPS grid: x grows to the left, y to the back, z to the head.

    Attributes:
        array: float32 [z, y, x] in HU, -1024 where no slice is (MR: 0); read-only from `to_regular`.
        spacing_mm: (z, y, x).
        origin_lps_mm: patient (x, y, z) of the centre of voxel [0, 0, 0].
    """

    array: Array
    spacing_mm: tuple[float, float, float]
    origin_lps_mm: tuple[float, float, float]

    def voxels_of(self, points: Points) -> Points:
        """Fractional voxel indices (z, y, x) of LPS points, float64 [..., 3]."""
        xyz = (points - np.asarray(self.origin_lps_mm)) / np.asarray(self.spacing_mm[::-1])
        return np.asarray(xyz[..., ::-1])

    def points_of(self, voxels: NDArray[Any]) -> Points:
        """LPS in mm of voxel indices (z, y, x), float64 [..., 3]."""
        xyz = np.asarray(voxels, dtype=np.float64)[..., ::-1]
        return np.asarray(xyz * np.asarray(self.spacing_mm[::-1]) + np.asarray(self.origin_lps_mm))


def stacking_normal(row_direction: Points, column_direction: Points) -> Points:
    """The normal of slices, turned so that its largest component is positive."""
    normal = np.cross(row_direction, column_direction)
    return np.asarray(normal * np.sign(normal[np.argmax(np.abs(normal))]))


def to_regular(stack: SliceStack, spacing_mm: tuple[float, float, float]) -> RegularVolume:
    """Resample slices into the regular grid that covers all of them.

    Linear between neighbouring slices and between pixels; grids coarser than the data are averaged over
    the voxel first. Nothing is invented outside: those voxels are air (-1024; MR: 0).

    Args:
        stack: two slices or more.
        spacing_mm: (z, y, x) of the grid.
    """
    if len(stack.pixels) < 2:
        raise VolumeError("a volume needs two slices or more")
    if min(spacing_mm) <= 0.0:
        raise ValueError(f"spacing must be positive, got {spacing_mm}")
    step = np.asarray(spacing_mm[::-1], dtype=np.float64)
    low, high = _bounds(stack)
    size = np.maximum(1, np.ceil((high - low) / step - 1e-6)).astype(int)
    origin = (low + high) / 2.0 - (size - 1) / 2.0 * step
    through = int(np.argmax(np.abs(stack.normal)))
    count = int(np.clip(step[through] / np.median(stack.gaps_mm), 1, _MOST_SUBSAMPLES))
    shifts = np.zeros((count, 3))
    shifts[:, through] = ((np.arange(count) + 0.5) / count - 0.5) * step[through]
    resample = _along_the_axes if _is_straight(stack) else _anywhere
    array = resample(stack, step, origin, size, shifts)
    array.flags.writeable = False
    return RegularVolume(array, spacing_mm, (float(origin[0]), float(origin[1]), float(origin[2])))


def _is_straight(stack: SliceStack) -> bool:
    """Do rows, columns and slices run along the patient's axes, the slices right above each other?"""
    right, down = np.abs(stack.row_direction), np.abs(stack.column_direction)
    above = np.abs(stack.positions[:, :2] - stack.positions[0, :2]).max()
    return bool(right[0] > 1.0 - 1e-9 and down[1] > 1.0 - 1e-9 and above < 1e-3)


def _along_the_axes(
    stack: SliceStack, step: Points, origin: Points, size: NDArray[np.int_], shifts: Points
) -> Array:
    """What `_anywhere` gives for a straight stack, one axis after the other: most heads, ten times as fast."""
    down, across = stack.pixel_spacing_mm
    rows, columns = stack.pixels.shape[1:]
    x, y, z = (origin[axis] + np.arange(size[axis]) * step[axis] for axis in range(3))
    column = (x - stack.positions[0, 0]) * stack.row_direction[0] / across
    row = (y - stack.positions[0, 1]) * stack.column_direction[1] / down
    to_y, to_x = _weights(row, rows, _blur(step[1], down)), _weights(column, columns, _blur(step[0], across))
    planes = np.stack([(to_y @ plane) @ to_x.T for plane in stack.pixels])
    planes[:, (row < -0.5) | (row > rows - 0.5)] = stack.empty
    planes[:, :, (column < -0.5) | (column > columns - 0.5)] = stack.empty
    array = np.zeros((size[2], size[1], size[0]), dtype=np.float32)
    bottom, top = stack.slabs_mm[0, 0], stack.slabs_mm[-1, 1]
    for shift in shifts[:, 2]:
        depth = z + shift
        lower = np.clip(np.searchsorted(stack.depths_mm, depth, side="right") - 1, 0, len(planes) - 2)
        part = np.clip((depth - stack.depths_mm[lower]) / stack.gaps_mm[lower], 0.0, 1.0)
        part = part.astype(np.float32)[:, None, None]
        sampled = planes[lower] * (1.0 - part) + planes[lower + 1] * part
        sampled[(depth < bottom) | (depth > top)] = stack.empty
        array += sampled / np.float32(len(shifts))
    return array


def _weights(place: Points, count: int, sigma: float) -> sparse.csr_array:
    """float32 [place, pixel]: linear between the pixels of a row that was blurred by `sigma` pixels."""
    inside = np.clip(place, 0.0, count - 1.0)
    first = np.minimum(inside.astype(np.int64), max(count - 2, 0))
    second, part = np.minimum(first + 1, count - 1), inside - first
    linear = np.zeros((len(place), count))
    linear[np.arange(len(place)), first] = 1.0 - part
    linear[np.arange(len(place)), second] += part
    if sigma:
        linear = linear @ ndimage.gaussian_filter1d(np.eye(count), sigma, axis=0, **_BLUR)
    return sparse.csr_array(linear.astype(np.float32))


def _blur(wanted: float, native: float) -> float:
    """Standard deviation in pixels of the blur before sampling at `wanted` mm; 0 where pixels are as coarse."""
    return _ANTI_ALIAS * wanted / native if wanted > native else 0.0


def _anywhere(
    stack: SliceStack, step: Points, origin: Points, size: NDArray[np.int_], shifts: Points
) -> Array:
    """The grid's voxels one by one, however the slices lie."""
    planes = _smoothed(stack, step)
    nx, ny, nz = (int(n) for n in size)
    array = np.empty((nz, ny, nx), dtype=np.float32)
    plane = np.zeros((ny, nx, 3))
    plane[..., 0] = origin[0] + np.arange(nx) * step[0]
    plane[..., 1] = (origin[1] + np.arange(ny) * step[1])[:, None]
    for k in range(nz):
        plane[..., 2] = origin[2] + k * step[2]
        array[k] = sum(_sample(stack, planes, plane + shift) for shift in shifts) / len(shifts)
    return array


def mask_to_stack(mask: NDArray[np.bool_], regular: RegularVolume, stack: SliceStack) -> NDArray[np.bool_]:
    """A mask on the regular grid, drawn on the native slices: bool [slice, row, column].

    A pixel is set when the lesion passes through its slice's slab there, so a slice inside a lesion's
    extent always shows it, and a lesion thinner than the gap between slices is drawn on the slice that
    answers for that depth. No part of the mask is lost: a component that meets no pixel centre is drawn
    on the pixels nearest to its voxels.
    """
    if mask.shape != regular.array.shape:
        raise ValueError(f"mask {mask.shape} for a volume {regular.array.shape}")
    drawn = np.zeros(stack.pixels.shape, dtype=bool)
    if not mask.any():
        return drawn
    inside = np.argwhere(mask)
    low, high = inside.min(axis=0) - 1.0, inside.max(axis=0) + 1.0
    corners = regular.points_of(
        np.stack(np.meshgrid(*zip(low, high, strict=True), indexing="ij"), axis=-1).reshape(-1, 3)
    )
    depth = corners @ stack.normal
    smooth = mask.astype(np.float32)
    for index, (bottom, top) in enumerate(stack.slabs_mm):
        if top < depth.min() or bottom > depth.max():
            continue
        box = _pixel_box(stack, index, corners)
        if box is not None:
            rows, columns = box
            drawn[index, rows, columns] = _crossed(smooth, regular, stack, index, rows, columns)
    _draw_missed(mask, regular, stack, drawn)
    return drawn


def _bounds(stack: SliceStack) -> tuple[Points, Points]:
    """LPS corners of the box around all slabs of the stack."""
    rows, columns = stack.pixels.shape[1:]
    r = np.array([-0.5, -0.5, rows - 0.5, rows - 0.5])
    c = np.array([-0.5, columns - 0.5, -0.5, columns - 0.5])
    first, last = stack.points_of(0, r, c), stack.points_of(len(stack.pixels) - 1, r, c)
    outer = np.concatenate([stack.points_of(i, r, c) for i in range(len(stack.pixels))])
    outer = np.concatenate(
        [
            outer,
            first - stack.thickness_mm[0] / 2.0 * stack.normal,
            last + stack.thickness_mm[-1] / 2.0 * stack.normal,
        ]
    )
    return outer.min(axis=0), outer.max(axis=0)


def _smoothed(stack: SliceStack, step: Points) -> Array:
    """Slices blurred to what the grid can hold, in the plane only."""
    down, across = stack.pixel_spacing_mm
    wanted_down = step[np.argmax(np.abs(stack.column_direction))]
    wanted_across = step[np.argmax(np.abs(stack.row_direction))]
    sigma = [_blur(wanted_down, down), _blur(wanted_across, across)]
    if not any(sigma):
        return stack.pixels
    smooth = np.empty_like(stack.pixels)
    for index, plane in enumerate(stack.pixels):
        ndimage.gaussian_filter(plane, sigma, output=smooth[index], **_BLUR)
    return smooth


def _sample(stack: SliceStack, planes: Array, points: Points) -> Array:
    """HU at LPS points, linear between the two slices around each."""
    depth = points @ stack.normal
    lower = np.clip(np.searchsorted(stack.depths_mm, depth, side="right") - 1, 0, len(planes) - 2)
    part = np.clip((depth - stack.depths_mm[lower]) / stack.gaps_mm[lower], 0.0, 1.0)
    below = _bilinear(planes, lower, *stack.pixels_of(lower, points), stack.empty)
    above = _bilinear(planes, lower + 1, *stack.pixels_of(lower + 1, points), stack.empty)
    value = below * (1.0 - part) + above * part
    bottom, top = stack.slabs_mm[0, 0], stack.slabs_mm[-1, 1]
    return np.where((depth < bottom) | (depth > top), stack.empty, value).astype(np.float32)


def _bilinear(planes: Array, index: NDArray[Any], row: Points, column: Points, empty: float) -> Points:
    rows, columns = planes.shape[1:]
    outside = (row < -0.5) | (row > rows - 0.5) | (column < -0.5) | (column > columns - 0.5)
    row, column = np.clip(row, 0.0, rows - 1.0), np.clip(column, 0.0, columns - 1.0)
    r0 = np.minimum(row.astype(np.int64), max(rows - 2, 0))
    c0 = np.minimum(column.astype(np.int64), max(columns - 2, 0))
    r1, c1 = np.minimum(r0 + 1, rows - 1), np.minimum(c0 + 1, columns - 1)
    dr, dc = row - r0, column - c0
    value = (planes[index, r0, c0] * (1 - dc) + planes[index, r0, c1] * dc) * (1 - dr)
    value += (planes[index, r1, c0] * (1 - dc) + planes[index, r1, c1] * dc) * dr
    return np.where(outside, empty, value)


def _pixel_box(stack: SliceStack, index: int, corners: Points) -> tuple[slice, slice] | None:
    """The pixels of a slice that may lie within the box with these corners."""
    row, column = stack.pixels_of(index, corners)
    rows, columns = stack.pixels.shape[1:]
    r0, r1 = max(0, int(np.floor(row.min()))), min(rows, int(np.ceil(row.max())) + 1)
    c0, c1 = max(0, int(np.floor(column.min()))), min(columns, int(np.ceil(column.max())) + 1)
    if r0 >= r1 or c0 >= c1:
        return None
    return slice(r0, r1), slice(c0, c1)


def _crossed(
    mask: Array, regular: RegularVolume, stack: SliceStack, index: int, rows: slice, columns: slice
) -> NDArray[np.bool_]:
    """Does the lesion pass through the slab of slice `index` at these pixels?"""
    bottom, top = stack.slabs_mm[index]
    count = max(1, int(np.ceil((top - bottom) / min(regular.spacing_mm))))
    depths = bottom + (np.arange(count) + 0.5) / count * (top - bottom)
    grid = np.mgrid[rows, columns]
    points = stack.points_of(index, grid[0], grid[1])
    hit = np.zeros(grid.shape[1:], dtype=bool)
    for depth in depths:
        voxels = regular.voxels_of(points + (depth - stack.depths_mm[index]) * stack.normal)
        hit |= ndimage.map_coordinates(mask, np.moveaxis(voxels, -1, 0), order=1, mode="constant") >= 0.5
    return hit


def _draw_missed(
    mask: NDArray[np.bool_], regular: RegularVolume, stack: SliceStack, drawn: NDArray[np.bool_]
) -> None:
    labels, count = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    edges = stack.slabs_mm[1:, 0]
    rows, columns = stack.pixels.shape[1:]
    for number in range(1, count + 1):
        points = regular.points_of(np.argwhere(labels == number))
        index = np.searchsorted(edges, points @ stack.normal)
        row, column = stack.pixels_of(index, points)
        r = np.clip(np.rint(row), 0, rows - 1).astype(int)
        c = np.clip(np.rint(column), 0, columns - 1).astype(int)
        if not drawn[index, r, c].any():
            drawn[index, r, c] = True
