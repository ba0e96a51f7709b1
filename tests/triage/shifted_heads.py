"""Synthetic heads whose midline is pushed aside by a known, smooth field, under the blood that pushes it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pacs.synthetic.heads import SyntheticHead, make_head

SPACING_MM = (4.0, 2.0, 2.0)
NOISE_HU = 3.0


@dataclass(frozen=True)
class ShiftedHead:
    """A head [z, y, x] in HU, and where its septum stands, in mm from its own middle, positive to the left.

    ``own_mm`` is what its anatomy alone makes of it, ``shift_mm`` that and the push.
    """

    hu: NDArray[np.float32]
    own_mm: float
    shift_mm: float


@lru_cache(maxsize=8)
def shifted_head(
    seed: int, push_mm: float, spacing_mm: tuple[float, float, float] = SPACING_MM
) -> ShiftedHead:
    """A head whose middle is moved by ``push_mm`` along x; nothing moves at the skull.

    The field rises smoothly over 40 mm below the inner table, so that no tissue folds. A crescent of blood as
    thick as the push lies on the other side. The truth is told from the head's noise-free ventricles.
    """
    head = make_head(seed, spacing_mm)
    rise = np.clip(head.cavity_mm / 40.0, 0.0, 1.0)
    moved = (push_mm * rise * rise * (3.0 - 2.0 * rise)).astype(np.float32)
    z, y, x = np.indices(head.hu.shape, dtype=np.float32)
    hu = ndimage.map_coordinates(head.hu, [z, y, x - moved / spacing_mm[2]], order=1, mode="nearest")
    hx, hy, hz = head.points_mm
    if abs(push_mm) >= 2.0:
        other_side = -np.sign(push_mm) * hx > 15.0
        shell = (head.cavity_mm > 0.0) & (head.cavity_mm < abs(push_mm))
        hu[shell & other_side & (hz > -5.0) & (hz < 50.0)] = 65.0
    grain = np.random.default_rng(seed).standard_normal(hu.shape)
    grain = ndimage.gaussian_filter(grain, [0.0, 1.2 / spacing_mm[1], 1.2 / spacing_mm[2]])
    septum = (np.abs(hx) < 1.5) & (hy > -25.0) & (hy < 0.0) & (hz > 14.0) & (hz < 24.0)
    own = _own_septum_mm(head)
    noisy = hu + grain * (NOISE_HU / grain.std())
    return ShiftedHead(noisy.astype(np.float32), own, own + float(moved[septum].mean()))


def _own_septum_mm(head: SyntheticHead) -> float:
    """Middle between the medial walls of the lateral ventricles, median over the rows that show both."""
    hx, hy, hz = (axis.astype(np.float64) for axis in head.points_mm)
    across = np.linspace(-14.0, 14.0, 281)
    middle = np.abs(hx).argmin(axis=2)[..., None]
    y, z = (np.take_along_axis(axis, middle, axis=2)[..., 0] for axis in (hy, hz))
    found = []
    for level, row in np.argwhere((y > -28.0) & (y < 3.0) & (z > 10.0) & (z < 26.0)):
        x = hx[level, row] * head.parameters.scale[0]
        fluid = across[np.interp(across, x, head.ventricles_mm[level, row]) > 0.0]
        right, left = fluid[fluid < 0.0], fluid[fluid > 0.0]
        if len(right) and len(left):
            found.append((right.max() + left.min()) / 2.0)
    return float(np.median(found))
