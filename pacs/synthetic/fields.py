"""Distances to simple solids and smooth random fields, on points in millimetres."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.floating[Any]]
Points = tuple[Array, Array, Array]
Triple = tuple[float, float, float]


def ellipsoid(points: Points, centre: Triple, axes: Triple) -> Array:
    """Approximate signed depth in mm inside an ellipsoid (positive inside)."""
    x, y, z = points
    a, b, c = (1.0 / float(axis) for axis in axes)
    u, v, w = (x - float(centre[0])) * a, (y - float(centre[1])) * b, (z - float(centre[2])) * c
    k0 = np.sqrt(u * u + v * v + w * w) + 1e-6
    u, v, w = u * a, v * b, w * c
    k1 = np.sqrt(u * u + v * v + w * w) + 1e-6
    depth: Array = k0 * (1.0 - k0) / k1
    return depth


def capsule(points: Points, start: Triple, end: Triple, radius: float, end_radius: float = -1.0) -> Array:
    """Signed depth in mm inside a capsule whose radius changes linearly from start to end."""
    x, y, z = points
    # Plain floats: a NumPy scalar would turn the whole grid into float64.
    dx, dy, dz = (float(b - a) for a, b in zip(start, end, strict=True))
    u, v, w = x - float(start[0]), y - float(start[1]), z - float(start[2])
    t = np.clip((u * dx + v * dy + w * dz) / (dx * dx + dy * dy + dz * dz), 0.0, 1.0)
    u -= t * dx
    v -= t * dy
    w -= t * dz
    change = (radius if end_radius < 0 else end_radius) - radius
    depth: Array = radius + t * change - np.sqrt(u * u + v * v + w * w)
    return depth


def tube(points: Points, path: Sequence[tuple[float, float, float, float]]) -> Array:
    """Signed depth inside a chain of capsules through (x, y, z, radius)."""
    parts = [capsule(points, a[:3], b[:3], a[3], b[3]) for a, b in pairwise(path)]
    depth = parts[0]
    for part in parts[1:]:
        depth = smooth_union(depth, part, 2.0)
    return depth


def smooth_union(a: Array, b: Array, blend_mm: float) -> Array:
    """Union of two depths with a fillet of ``blend_mm``."""
    h = np.clip(0.5 + 0.5 * (a - b) / blend_mm, 0.0, 1.0)
    joined: Array = b + h * (a - b) + blend_mm * h * (1.0 - h)
    return joined


def smooth_intersection(a: Array, b: Array, blend_mm: float) -> Array:
    """Intersection of two depths with a rounded edge of ``blend_mm``."""
    joined: Array = -smooth_union(-a, -b, blend_mm)
    return joined


def coverage(depth: Array, width_mm: float) -> Array:
    """Part of a voxel inside a surface, 0..1, for a point spread of ``width_mm``."""
    inside: Array = np.clip(depth / width_mm + 0.5, 0.0, 1.0)
    return inside


def blend(base: Array, value: float | Array, amount: Array) -> None:
    """Mix ``value`` into ``base`` in place by ``amount`` (0..1)."""
    base += (value - base) * amount


class NoiseField:
    """A smooth random field, mean 0 and standard deviation 1, defined over a cube around the origin."""

    def __init__(self, rng: np.random.Generator, wavelength_mm: float, reach_mm: float = 120.0) -> None:
        self.step = wavelength_mm / 5.0
        self.reach = reach_mm
        n = int(np.ceil(2 * reach_mm / self.step)) + 2
        raw = rng.standard_normal((n, n, n), dtype=np.float32)
        # Difference of two blurs keeps one band of wavelengths, so that stripes have an even spacing.
        band = ndimage.gaussian_filter(raw, 1.1) - 0.8 * ndimage.gaussian_filter(raw, 2.2)
        self.values: Array = (band / band.std()).astype(np.float32)

    def at(self, points: Points) -> Array:
        """Values at points (mm), linear interpolation, repeating beyond the cube."""
        x, y, z = points
        where = np.stack([(p + self.reach) / self.step for p in (z, y, x)])
        values: Array = ndimage.map_coordinates(self.values, where, order=1, mode="grid-wrap")
        return values


def rotation(angles_deg: Triple) -> NDArray[np.float64]:
    """Rotation matrix about x, then y, then z (degrees)."""
    a, b, c = np.deg2rad(angles_deg)
    rx = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    ry = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    rz = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    matrix: NDArray[Any] = rz @ ry @ rx
    return matrix
