"""A procedural head as a grid of grey values in HU, with the distances that lesions need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pacs.synthetic.brain import paint_brain
from pacs.synthetic.fields import Array, Points, Triple, rotation
from pacs.synthetic.parameters import HeadParameters, draw_parameters
from pacs.synthetic.skull import AIR_HU, cavity_depth, paint_head_rest, paint_outside

#: Lowest and highest z of the usual scan, mm from the middle of the brain: skull base to vertex.
SCAN_Z_MM = (-72.0, 88.0)
FIELD_MM = (250.0, 230.0)


@dataclass
class SyntheticHead:
    """A head on a regular grid; all arrays are [z, y, x], x to the patient's left, y to posterior, z to head.

    ``hu`` noise-free grey values in HU (changed in place by ``insert_lesion``), ``brain`` bool: inside the
    skull, ``cavity_mm`` depth below the inner table, ``ventricles_mm`` depth inside the ventricles (both
    negative outside), ``outer_fluid`` part of fluid in cisterns and sulci, ``points_mm`` head coordinates
    (x, y, z) of each voxel in mm, ``spacing_mm`` (z, y, x), ``origin_lps_mm`` patient (x, y, z) of voxel 0.
    With ``tilt_deg`` the grid is sheared: rows run down along the tilted gantry, slices follow the table.
    """

    hu: Array
    brain: NDArray[np.bool_]
    cavity_mm: Array
    ventricles_mm: Array
    outer_fluid: Array
    points_mm: Points
    spacing_mm: tuple[float, float, float]
    origin_lps_mm: Triple
    parameters: HeadParameters
    tilt_deg: float = 0.0

    @property
    def voxel_ml(self) -> float:
        return float(np.prod(self.spacing_mm)) / 1000.0


def make_head(
    seed: int,
    spacing_mm: Sequence[float] = (2.5, 1.0, 1.0),
    shape: Sequence[int] | None = None,
    *,
    parameters: HeadParameters | None = None,
    tilt_deg: float = 0.0,
) -> SyntheticHead:
    """Build a head on a grid of ``spacing_mm`` (z, y, x), by default from the skull base to the vertex.

    ``shape`` is (z, y, x); the grid is centred on the scan range. Same seed, spacing and shape give the same
    head. ``parameters`` replaces what the seed would draw. With ``tilt_deg`` rows run down along a tilted
    gantry while slices still follow the table, so the grid is sheared. Takes 2 s at the default spacing.
    """
    p = parameters or draw_parameters(seed)
    spacing = (float(spacing_mm[0]), float(spacing_mm[1]), float(spacing_mm[2]))
    if shape is None:
        reach = (SCAN_Z_MM[1] - SCAN_Z_MM[0], *FIELD_MM)
        shape = [int(np.ceil(r / s)) for r, s in zip(reach, spacing, strict=True)]
    middle = ((SCAN_Z_MM[0] + SCAN_Z_MM[1]) / 2, 0.0, 0.0)
    axes = [
        ((np.arange(n) - (n - 1) / 2) * s + m).astype(np.float32)
        for n, s, m in zip(shape, spacing, middle, strict=True)
    ]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    tilt = np.deg2rad(tilt_deg)
    scanner = (x, (y * np.cos(tilt)).astype(np.float32), (z - y * np.sin(tilt)).astype(np.float32))
    points = head_coordinates(scanner if tilt_deg else (x, y, z), p)
    width = max(1.0, 1.15 * spacing[1])
    # Only points near the head are worth computing: half of the grid is air.
    near = np.flatnonzero(_near_head(points))
    flat = _take(points, near)
    depth = cavity_depth(flat)
    cavity = _spread(depth, near, x.shape, -60.0)
    painted = np.full(depth.shape, AIR_HU, dtype=np.float32)
    skin = _spread(paint_outside(painted, flat, depth, p, width), near, x.shape, -60.0)
    hu = _spread(painted, near, x.shape, AIR_HU)
    if p.head_rest:
        paint_head_rest(hu, (x[0], y[0]), skin, width)
    inside = np.flatnonzero(cavity > -width)
    tissue = paint_brain(_take(points, inside), cavity.ravel()[inside], p, width)
    values = hu.ravel()
    share = np.clip(cavity.ravel()[inside] / width + 0.5, 0.0, 1.0)
    values[inside] += (tissue.hu - values[inside]) * share
    ventricles = _spread(tissue.ventricles, inside, x.shape, -50.0)
    fluid = _spread(tissue.outer_fluid * share, inside, x.shape, 0.0)
    brain = cavity > 0.0
    harden_beam(hu, brain, points, p, spacing)
    return SyntheticHead(
        hu=hu,
        brain=brain,
        cavity_mm=cavity,
        ventricles_mm=ventricles,
        outer_fluid=fluid,
        points_mm=points,
        spacing_mm=spacing,
        origin_lps_mm=(float(scanner[0][0, 0, 0]), float(scanner[1][0, 0, 0]), float(scanner[2][0, 0, 0])),
        parameters=p,
        tilt_deg=tilt_deg,
    )


def _near_head(points: Points) -> NDArray[np.bool_]:
    x, y, z = points
    radius = (x / 96.0) ** 2 + ((y + 8.0) / 118.0) ** 2 + (np.abs(z - 6.0) / 118.0) ** 3
    near: NDArray[np.bool_] = radius < 1.0
    return near


def _take(points: Points, index: NDArray[np.intp]) -> Points:
    x, y, z = (c.ravel()[index] for c in points)
    return x, y, z


def _spread(values: Array, index: NDArray[np.intp], shape: tuple[int, ...], fill: float) -> Array:
    grid = np.full(shape, fill, dtype=np.float32)
    grid.ravel()[index] = values
    return grid


def head_coordinates(scanner: Points, p: HeadParameters) -> Points:
    """Scanner (x, y, z) in mm to coordinates of the average head: moved, rotated and scaled back."""
    back = rotation(p.rotation_deg).T
    x, y, z = (c - o for c, o in zip(scanner, p.offset_mm, strict=True))
    rows = [
        ((back[i, 0] * x + back[i, 1] * y + back[i, 2] * z) / p.scale[i]).astype(np.float32) for i in range(3)
    ]
    return rows[0], rows[1], rows[2]


def harden_beam(
    hu: Array,
    brain: NDArray[np.bool_],
    points: Points,
    p: HeadParameters,
    spacing: tuple[float, float, float],
) -> None:
    """Dark bands between the petrous bones and a bright rim under the vault, in place, inside the skull."""
    x, y, z = points
    band = np.exp(-(((z + 33.0) / 7.0) ** 2) - ((y - 14.0 - 5 * np.sin(z / 3.0)) / 6.0) ** 2)
    bone = np.minimum(np.clip(hu - 250.0, 0.0, None), 1200.0)
    step = tuple(max(1, round(5.0 / s)) for s in spacing)
    small = bone[:: step[0], :: step[1], :: step[2]]
    glow = ndimage.gaussian_filter(small, [4.5 / (s * k) for s, k in zip(spacing, step, strict=True)])
    factors = [n / m for n, m in zip(hu.shape, glow.shape, strict=True)]
    zoomed = ndimage.zoom(glow, factors, order=1, grid_mode=True, mode="nearest")
    change = 0.006 * zoomed - p.beam_hardening_hu * band * (np.abs(x) < 45.0)
    hu[brain] += change[brain].astype(np.float32)
