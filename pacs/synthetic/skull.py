"""The head outside the brain: cranial cavity, skull, face, scalp, head rest."""

from __future__ import annotations

import numpy as np

from pacs.synthetic.fields import (
    Array,
    NoiseField,
    Points,
    blend,
    capsule,
    coverage,
    ellipsoid,
    smooth_intersection,
    smooth_union,
)
from pacs.synthetic.parameters import HeadParameters

AIR_HU = -1000.0
FAT_HU = -95.0
MUSCLE_HU = 55.0


def mirrored(points: Points) -> Points:
    """Points folded to the left side, for what exists once on each side."""
    return np.abs(points[0]), points[1], points[2]


def cavity_depth(points: Points) -> Array:
    """Depth in mm below the inner table of the skull (negative outside the cranial cavity).

    Three fossae joined: the dome cut by the anterior base, the temporal pits, the posterior pit with the
    foramen magnum; petrous and sphenoid ridges cut in from below.
    """
    x, y, z = points
    side = mirrored(points)
    width = 66.0 + 4.0 * np.tanh((y - 2.0) / 32.0)
    f = (
        ((x / width) ** 2 + (y / 82.0) ** 2) ** 1.2 + np.abs((z - 6.0) / np.where(z > 6.0, 69.0, 60.0)) ** 2.4
    ) ** (1 / 2.4)
    radius = np.sqrt(x**2 + y**2 + (z - 6.0) ** 2) + 1e-3
    dome = ((1.0 - f) / (f + 1e-3) * radius).astype(np.float32)
    roof = 7.0 * np.exp(-(((side[0] - 27.0) / 15.0) ** 2) - ((y + 50.0) / 28.0) ** 2)
    floor = -17.0 + roof + 3.0 * np.tanh((y + 40) / 20.0) + 6.0 * np.clip((y - 45.0) / 40.0, 0, 1)
    depth = smooth_intersection(np.minimum(dome, 60.0), z - floor, 8.0)
    middle = ellipsoid(side, (37.0, -8.0, -19.0), (26.0, 34.0, 22.0))
    depth = smooth_union(depth, middle, 7.0)
    posterior = ellipsoid(points, (0.0, 40.0, -26.0), (55.0, 41.0, 37.0))
    depth = smooth_union(depth, posterior, 7.0)
    depth = smooth_union(depth, capsule(points, (0, 24, -40), (0, 30, -110), 17, 14), 8.0)
    petrous = capsule(side, (17.0, 1.0, -37.0), (60.0, 29.0, -31.0), 8.0, 13.0)
    sphenoid = capsule(side, (6.0, -13.0, -20.0), (52.0, -32.0, -13.0), 3.5, 4.0)
    sella = capsule(points, (-7.0, -2.0, -24.0), (7.0, -2.0, -24.0), 4.0)
    for ridge in (petrous, sphenoid, sella):
        depth = smooth_intersection(depth, -ridge, 3.0)
    return depth.astype(np.float32)


def paint_outside(hu: Array, points: Points, cavity: Array, p: HeadParameters, width: float) -> Array:
    """Paint scalp, face, skull and air spaces into ``hu`` in place, at 1-D points that ascend in z.

    Returns the depth below the skin in mm.
    """
    rng = np.random.default_rng([p.seed, 12])
    coarse = NoiseField(rng, 32.0).at(points)
    fine = NoiseField(rng, 11.0).at(points)
    x, y, z = points
    base = np.clip((-z - 18.0) / 25.0, 0.0, 1.0)
    # Frontal and occipital bone is thicker than the temporal squama; the base is uneven.
    thickness = p.skull_mm * (0.72 + 0.5 * (y / 80.0) ** 2 + 0.1 * coarse) + base * (2.0 + 0.9 * fine)
    thickness = np.maximum(thickness, 2.2).astype(np.float32)
    skull = cavity + thickness
    skin = _skin_depth(points, skull, p, coarse)
    _paint_soft(hu, points, skin, skull, fine + 0.6 * coarse, p, width)
    # The face lies in the lower slices only: painting just those saves half the time.
    low = slice(0, int(np.flatnonzero(z < 22.0)[-1]) + 1 if (z < 22.0).any() else 0)
    low_points = (x[low], y[low], z[low])
    low_side = mirrored(low_points)
    _paint_orbits(hu[low], low_side, width)
    bone = np.minimum(skull, -cavity)
    where = np.clip(-cavity / thickness, 0.0, 1.0)
    spongy = np.exp(-(((where - 0.5) / 0.2) ** 2)) * np.clip((thickness - 3.5) / 3.0, 0.0, 1.0)
    bone_hu = p.table_hu - (p.table_hu - p.diploe_hu) * spongy + 90.0 * fine * spongy
    bone_hu -= base * (350.0 + 250.0 * fine)
    blend(hu, bone_hu.astype(np.float32), coverage(bone, width))
    _paint_face_bones(hu[low], low_side, low_points, width)
    _paint_air(hu[low], low_side, low_points, fine[low], coarse[low], cavity[low], width)
    return skin


def _skin_depth(points: Points, skull: Array, p: HeadParameters, coarse: Array) -> Array:
    """Depth in mm below the skin."""
    y = points[1]
    scalp = skull + p.scalp_mm * (1.0 + 0.07 * coarse + 0.35 * np.clip(y / 80.0, 0, 1))
    side = mirrored(points)
    temple = ellipsoid(side, (52.0, -22.0, -18.0), (21.0, 30.0, 34.0))
    face = ellipsoid(points, (0.0, -40.0, -52.0), (64.0, 56.0, 62.0))
    neck = ellipsoid(points, (0.0, 28.0, -90.0), (62.0, 60.0, 62.0))
    nose = capsule(points, (0, -90, -36), (0, -108, -66), 6, 12)
    depth = smooth_union(scalp.astype(np.float32), temple, 8.0)
    depth = smooth_union(depth, smooth_union(face, neck, 15.0), 12.0)
    depth = smooth_union(depth, nose, 6.0)
    ear = ellipsoid(side, (75.0, 18.0, -30.0), (9.0, 14.0, 27.0)) - 2.0 * np.abs(coarse)
    return np.maximum(depth, ear).astype(np.float32)


def _paint_soft(
    hu: Array, points: Points, skin: Array, skull: Array, mix: Array, p: HeadParameters, width: float
) -> None:
    """Skin, fat and muscle: muscle where the face and neck are deep, and the temporal muscle on the skull."""
    _, y, z = points
    fat = np.full_like(hu, FAT_HU) + 8.0 * mix
    low = np.clip((-z - 12.0) / 20.0, 0.0, 1.0)
    muscle = coverage((mix + 1.1 * low - 0.75) * 4.0, 1.0) * coverage(skin - 5.0, 3.0)
    temporal = coverage(-np.abs(skull + 3.5) + 3.0, width * 1.5) * coverage(
        15.0 - np.abs(z + 10.0) - 0.3 * np.abs(y + 20.0), 4.0
    )
    galea = 0.55 * coverage(1.2 - np.abs(skull + 1.2), width)
    amount = np.maximum(np.maximum(muscle, temporal), galea)
    blend(fat, MUSCLE_HU, amount)
    blend(fat, 40.0, coverage(2.3 - skin, width))
    blend(hu, fat, coverage(skin, width))


def _paint_orbits(hu: Array, side: Points, width: float) -> None:
    fat = ellipsoid(side, (27.0, -63.0, -31.0), (16.0, 27.0, 15.0))
    blend(hu, 1150.0, coverage(np.minimum(fat + 2.4, -fat), width))
    front = side[1] + 82.0
    blend(hu, -85.0, coverage(np.minimum(fat, front), width))
    for centre, end in (((37.0, -72.0), (13.0, -38.0)), ((17.0, -72.0), (9.0, -40.0))):
        muscle = capsule(side, (centre[0], centre[1], -30.0), (end[0], end[1], -30.0), 2.4, 1.8)
        blend(hu, 50.0, coverage(muscle, width))
    for offset in (-9.0, 9.0):
        muscle = capsule(side, (28.0, -70.0, -31.0 + offset), (11.0, -38.0, -30.0), 2.4, 1.8)
        blend(hu, 50.0, coverage(muscle, width))
    blend(hu, 32.0, coverage(capsule(side, (27.0, -66.0, -31.0), (9.0, -34.0, -29.0), 2.3), width))
    globe = ellipsoid(side, (28.5, -78.0, -31.0), (12.2, 12.2, 12.2))
    blend(hu, 45.0, coverage(globe, width))
    blend(hu, 10.0, coverage(globe - 1.3, width))
    blend(hu, 78.0, coverage(ellipsoid(side, (28.5, -86.0, -31.0), (4.8, 2.4, 4.8)), width))


def _paint_face_bones(hu: Array, side: Points, points: Points, width: float) -> None:
    maxilla = ellipsoid(side, (27.0, -52.0, -66.0), (14.0, 17.0, 17.0))
    blend(hu, 1000.0, coverage(np.minimum(maxilla + 2.2, -maxilla), width))
    arch = np.maximum(
        capsule(side, (48.0, -66.0, -42.0), (66.0, -34.0, -42.0), 5.0, 3.0),
        capsule(side, (66.0, -34.0, -42.0), (67.0, -2.0, -40.0), 3.0, 3.5),
    )
    ramus = capsule(side, (53.0, -3.0, -48.0), (50.0, -12.0, -100.0), 6.0, 5.5)
    condyle = ellipsoid(side, (20.0, 24.0, -68.0), (9.0, 13.0, 8.0))
    clivus = capsule(points, (0.0, -4.0, -30.0), (0.0, 8.0, -62.0), 7.0, 5.0)
    rim = capsule(side, (44.0, -70.0, -14.0), (46.0, -68.0, -44.0), 4.5, 5.0)
    for bone in (arch, ramus, condyle, clivus, rim):
        blend(hu, (1050.0 - 380.0 * coverage(bone - 2.0, 3.0)).astype(np.float32), coverage(bone, width))


def _paint_air(
    hu: Array, side: Points, points: Points, fine: Array, coarse: Array, cavity: Array, width: float
) -> None:
    """Sinuses, nose, mastoid cells, ear canal; cells have thin bony walls."""
    _, y, z = points
    outside = coverage(-cavity - 2.0, 2.0)
    sphenoid = ellipsoid(points, (0.0, -16.0, -35.0), (11.0, 13.0, 9.0))
    maxilla = ellipsoid(side, (27.0, -52.0, -66.0), (14.0, 17.0, 17.0))
    frontal = ellipsoid(side, (10.0, -85.0, -8.0), (10.0, 5.0, 11.0)) - 1.5 * np.abs(coarse)
    ethmoid = ellipsoid(points, (0.0, -53.0, -36.0), (13.5, 26.0, 17.0)) + 0.8 * fine
    nose = np.minimum(np.minimum(10.0 - side[0], 26.0 - np.abs(y + 64.0)), 24.0 - np.abs(z + 72.0))
    mastoid = ellipsoid(side, (58.0, 31.0, -38.0), (14.0, 17.0, 17.0))
    blend(hu, 850.0, outside * coverage(np.maximum(frontal, ethmoid) + 2.0, width))
    blend(hu, 40.0, outside * coverage(nose, width))
    cells = np.abs(fine) - 0.35
    for space, walls in (
        (sphenoid, 3.0 * (side[0] - 0.8)),
        (maxilla, maxilla),
        (frontal, 3.0 * (side[0] - 0.8)),
        (ethmoid - 1.0, 3.5 * (np.abs(fine) - 0.25)),
        (nose - 1.0, np.minimum(side[0] - 1.5, 3.0 * (fine + 0.4))),
        (mastoid, 5.0 * cells),
    ):
        blend(hu, -950.0, outside * coverage(np.minimum(space, walls), width))
    canal = capsule(side, (80.0, 10.0, -41.0), (48.0, 8.0, -39.0), 3.2)
    blend(hu, AIR_HU, outside * coverage(canal, width))


def paint_head_rest(hu: Array, plane: tuple[Array, Array], skin: Array, width: float) -> None:
    """A carbon shell open to the front with a foam lining, at scanner (not head) columns and rows [y, x]."""
    x, y = plane
    r = np.sqrt((x / 1.02) ** 2 + (y - 6.0) ** 2)
    open_front = coverage(y - 8.0, 8.0) * coverage(98.0 - y, 4.0)
    outside = coverage(-skin - 1.0, width)
    blend(hu, -930.0, outside * open_front * coverage(4.0 - np.abs(r - 108.0), width))
    shell = np.maximum(1.5 - np.abs(r - 112.0), 1.1 - np.abs(r - 104.0))
    blend(hu, 90.0, outside * open_front * coverage(shell, width))
