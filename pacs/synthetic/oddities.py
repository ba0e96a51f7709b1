"""What a head CT model is not made for: contrast medium, metal, a body, phantoms; drawn to test refusals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pacs.synthetic.fields import Array, Points, blend, capsule, coverage, ellipsoid, tube
from pacs.synthetic.heads import SyntheticHead


def add_contrast(head: SyntheticHead, vessel_hu: float) -> None:
    """Fill arteries and venous sinuses with contrast medium of ``vessel_hu``, in place.

    About 150 HU is a scan some minutes after injection, 300 HU and more an angiography.
    """
    x, y, z = head.points_mm
    side = (np.abs(x), y, z)
    width = max(1.0, 1.15 * head.spacing_mm[1])
    sagittal = np.minimum(4.5 - np.abs(head.cavity_mm - 3.5), 4.5 - np.abs(x))
    sagittal = np.minimum(sagittal, np.maximum(z, y - 20.0))
    vessels = [
        sagittal,
        tube(side, [(0, 76, -6, 4.0), (30, 68, -12, 4.0), (52, 42, -20, 4.0), (52, 24, -40, 4.0)]),
        capsule(head.points_mm, (0, 30, 10), (0, 76, -4), 3.0),
        tube(side, [(12, 2, -45, 2.6), (9, -6, -30, 2.6), (8, -14, -16, 2.4)]),
        tube(side, [(8, -14, -15, 2.2), (24, -20, -10, 2.0), (38, -14, -2, 1.8), (42, 8, 12, 1.6)]),
        tube(side, [(42, 8, 12, 1.6), (50, 24, 24, 1.4), (48, 30, 45, 1.2)]),
        tube(side, [(8, -16, -14, 1.8), (2, -36, -4, 1.6), (2, -44, 22, 1.5), (2, -6, 46, 1.3)]),
        tube(side, [(2, 2, -16, 1.8), (16, 14, -12, 1.6), (22, 44, -4, 1.4)]),
        capsule(head.points_mm, (0, 2, -48), (0, 1, -16), 2.2),
    ]
    _paint(head, vessels, vessel_hu, width)
    # The brain takes up a little, the plexus a lot.
    head.hu[head.brain] += np.float32(0.015 * vessel_hu)


def add_metal(head: SyntheticHead, radius_mm: float, seed: int) -> None:
    """A coil or a fragment inside the brain, with dark and bright streaks through its slices, in place."""
    rng = np.random.default_rng([seed, 61])
    centre = (float(rng.uniform(-25, 25)), float(rng.uniform(-35, 30)), float(rng.uniform(-10, 35)))
    x, y, z = head.points_mm
    away = np.hypot(x - centre[0], y - centre[1])
    angle = np.arctan2(y - centre[1], x - centre[0])
    rays = np.sin(8 * angle + float(rng.uniform(0, 6))) + 0.7 * np.sin(13 * angle + float(rng.uniform(0, 6)))
    reach = np.exp(-away / 40.0) * (np.abs(z - centre[2]) < radius_mm + 2.5)
    head.hu += (320.0 * rays * reach * (head.hu > -500.0)).astype(np.float32)
    ball = ellipsoid(head.points_mm, centre, (radius_mm, radius_mm, radius_mm))
    blend(head.hu, 3071.0, coverage(ball, max(1.0, head.spacing_mm[1])))


def make_torso(seed: int, spacing_mm: Sequence[float], height_mm: float = 160.0) -> Array:
    """A chest in HU [z, y, x]: wall, ribs, spine, lungs, heart; 360 mm wide."""
    rng = np.random.default_rng([seed, 62])
    x, y, z = _grid((height_mm, 280.0, 400.0), spacing_mm)
    points: Points = (x, y, z)
    side: Points = (np.abs(x), y, z)
    hu = np.full(x.shape, -1000.0, dtype=np.float32)
    wall = ellipsoid(points, (0, 0, 0), (180.0, 115.0, 900.0))
    blend(hu, -95.0, coverage(wall, 2.0))
    blend(hu, 50.0, coverage(wall - 14.0, 2.0))
    ribs = np.minimum(3.5 - np.abs(wall - 24.0), 5.0 - np.abs((z + 0.35 * y + 8.0) % 26.0 - 13.0))
    blend(hu, 700.0, coverage(ribs, 2.0))
    blend(hu, -860.0, coverage(ellipsoid(side, (88, 0, 0), (68.0, 82.0, 400.0)), 2.0))
    blend(hu, 42.0, coverage(ellipsoid(points, (-22, -20, -20), (62.0, 55.0, 75.0)), 2.0))
    blend(hu, 350.0, coverage(ellipsoid(points, (0, 72, 0), (20.0, 17.0, 900.0)), 2.0))
    return (hu + rng.normal(0.0, 6.0, hu.shape)).astype(np.float32)


def make_phantom(seed: int, spacing_mm: Sequence[float], filling_hu: float = 0.0) -> Array:
    """A quality phantom in HU [z, y, x]: a water-filled bowl of plastic with test inserts."""
    rng = np.random.default_rng([seed, 63])
    x, y, _ = _grid((160.0, 220.0, 220.0), spacing_mm)
    hu = np.full(x.shape, -1000.0, dtype=np.float32)
    bowl = 85.0 - np.hypot(x, y)
    blend(hu, 900.0, coverage(bowl, 2.0))
    blend(hu, filling_hu, coverage(bowl - 7.0, 2.0))
    for number, insert in enumerate((-100.0, 60.0, 120.0, 350.0)):
        turn = number * np.pi / 2
        rod = 11.0 - np.hypot(x - 45.0 * np.cos(turn), y - 45.0 * np.sin(turn))
        blend(hu, insert, coverage(rod, 2.0))
    return (hu + rng.normal(0.0, 4.0, hu.shape)).astype(np.float32)


def _paint(head: SyntheticHead, solids: Sequence[Array], hu: float, width: float) -> None:
    for solid in solids:
        blend(head.hu, hu, coverage(np.minimum(solid, head.cavity_mm + 1.0), width))


def _grid(reach_mm: Sequence[float], spacing_mm: Sequence[float]) -> Points:
    axes = [
        ((np.arange(int(r / s)) - (int(r / s) - 1) / 2) * s).astype(np.float32)
        for r, s in zip(reach_mm, spacing_mm, strict=True)
    ]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    return x, y, z
