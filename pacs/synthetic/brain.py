"""What lies inside the skull: cortex and white matter, deep nuclei, fluid spaces, dura, sinuses, calcium."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pacs.synthetic.fields import (
    Array,
    NoiseField,
    Points,
    blend,
    capsule,
    coverage,
    ellipsoid,
    smooth_union,
    tube,
)
from pacs.synthetic.parameters import HeadParameters
from pacs.synthetic.skull import mirrored


@dataclass(frozen=True)
class BrainTissue:
    """Values at the given points: grey value in HU, depth inside the ventricles in mm (negative outside),
    part of fluid outside the ventricles 0..1, and how far a point is inside brain tissue in mm."""

    hu: Array
    ventricles: Array
    outer_fluid: Array
    depth: Array


def paint_brain(points: Points, cavity: Array, p: HeadParameters, width: float) -> BrainTissue:
    """Grey values inside the cranial cavity at 1-D arrays of points (head coordinates, mm)."""
    rng = np.random.default_rng([p.seed, 13])
    slow = NoiseField(rng, 60.0)
    warp = NoiseField(rng, 24.0)
    wx = 1.8 * warp.at(points)
    wy = 1.8 * warp.at((points[1] + 31.0, points[2] - 17.0, points[0] + 5.0))
    wz = 1.5 * warp.at((points[2] - 23.0, points[0] + 41.0, points[1] - 9.0))
    x, y, z = points[0] + wx, points[1] + wy, points[2] + wz
    warped = (x, y, z)
    side = mirrored(warped)
    frontal = 0.6 + 0.4 * np.clip(-y / 60.0, -0.5, 1.0)
    gap = 0.7 + 2.6 * p.atrophy * frontal * np.clip(0.55 + z / 45.0, 0.25, 1)
    tent = _tentorium_height(x, y)
    below = coverage(tent - z, 3.0) * coverage(y - 14.0 + 0.25 * (z + 20.0), 6.0)
    depth = cavity - gap
    cleft = _midline_cleft(warped, p)
    sylvian = _sylvian(side, p)
    sulci = _sulci(points, (wx, wy, wz), cavity, p, rng)
    stem = _brainstem(warped)
    cisterns = _cisterns(warped, side, stem, tent, p)
    ventricles = _ventricles(warped, side, p)
    lobes = 1.0 - np.maximum(below, coverage(stem, 4.0))
    outer = np.maximum(-depth, np.maximum(cleft, np.maximum(sylvian, cisterns)))
    fluid = np.maximum(coverage(outer, width), coverage(sulci, width) * lobes)
    folia = warp.at((x * 1.2, y * 1.9 + z * 0.6, z * 2.6))
    fluid = np.maximum(fluid, below * (0.25 + 0.5 * p.atrophy) * coverage((folia - 1.1) * 2.0, width))
    ribbon = np.minimum(np.minimum(depth, -cleft), np.minimum(-sylvian, -sulci))
    ribbon += 0.4 * warp.at((x + 60.0, y, z))
    grey = coverage(3.9 - ribbon, width + 1.0) * lobes
    grey = np.maximum(grey, _deep_grey(side) * lobes)
    grey = np.maximum(grey, below * (0.55 + 0.35 * np.clip(folia, -1, 1)))
    hu = p.white_hu + (p.grey_hu - p.white_hu) * grey + 1.0 * slow.at(points)
    hu = hu.astype(np.float32)
    blend(hu, 31.5, coverage(stem, 4.0))
    leuko = p.leukoaraiosis * coverage(ventricles + 5.0 + 3.0 * wx, 7.0) * (1.0 - grey)
    hu -= (9.0 * leuko * lobes).astype(np.float32)
    if p.infarct:
        _paint_infarct(hu, warped, cavity, grey, rng)
    blend(hu, p.csf_hu, fluid.astype(np.float32))
    blend(hu, p.csf_hu, coverage(ventricles, width))
    _paint_dura(hu, points, side, cavity, tent, p, width)
    _paint_calcium(hu, points, mirrored(points), ventricles, p, rng, width)
    return BrainTissue(
        hu=hu.astype(np.float32),
        ventricles=ventricles.astype(np.float32),
        outer_fluid=fluid.astype(np.float32),
        depth=depth.astype(np.float32),
    )


def _tentorium_height(x: Array, y: Array) -> Array:
    back = np.clip((y - 18.0) / 60.0, 0.0, 1.0)
    height: Array = -19.0 + 9.0 * back + (27.0 - 23.0 * back) * np.exp(-((x / 24.0) ** 2))
    return height


def _callosum(points: Points) -> Array:
    """Depth inside the part of the midline that the hemispheres share (no cleft, no falx there)."""
    return ellipsoid(points, (0.0, -1.0, 7.0), (30.0, 39.0, 24.0))


def _midline_cleft(points: Points, p: HeadParameters) -> Array:
    x, y, z = points
    width = 0.35 + 0.9 * p.atrophy * (1.0 + 0.5 * np.clip(-y / 60.0, 0, 1)) + 0.01 * np.clip(-y, 0, 60)
    cleft = width - np.abs(x)
    limit = np.minimum(-_callosum(points), z - np.where(y > 15, _tentorium_height(x, y) - 1.0, -20.0))
    joined: Array = np.minimum(cleft, limit)
    return joined


def _sylvian(side: Points, p: HeadParameters) -> Array:
    """Lateral cleft from the surface to the insula, and the cleft over the insula, as a depth in mm."""
    x, y, z = side
    half = 0.5 + 1.9 * p.atrophy
    plane = z - (-8.0 + 0.33 * (y + 30.0))
    lateral = np.minimum(half - np.abs(plane), np.minimum(x - 33.0, 26.0 - np.abs(y + 6.0)))
    insula = np.minimum(
        half + 0.3 - np.abs(x - 36.0 - 0.06 * np.abs(y + 4.0)),
        np.minimum(11.0 - np.abs(plane - 3.0), 23.0 - np.abs(y + 4.0)),
    )
    stem = capsule(side, (12.0, -14.0, -14.0), (36.0, -24.0, -9.0), 1.8 + half)
    joined: Array = np.maximum(np.maximum(lateral, insula), stem)
    return joined


def _sulci(points: Points, warp: Points, cavity: Array, p: HeadParameters, rng: np.random.Generator) -> Array:
    """Depth in mm inside sulci: level lines of a noise that is constant along the depth of the cortex.

    Points are projected outward from the middle of each hemisphere, so a furrow runs inward as a sheet.
    """
    x, y, z = points
    sign = np.where(x >= 0, 1.0, -1.0)
    u = np.abs(x) - 20.0
    r = np.sqrt(u**2 + (0.8 * y) ** 2 + z**2) + 8.0
    reach = 62.0 / np.maximum(r, 40.0)
    field = NoiseField(rng, 19.0)
    value = field.at((sign * (u * reach + 60.0) + warp[0], y * 0.8 * reach + warp[1], z * reach + warp[2]))
    # 0.32 is the usual slope of the field per mm: it turns the value into a distance.
    distance = np.abs(value) / (0.32 * reach)
    # Furrows of the medial surface are shallow: two of its millimetres count as five of the convexity's.
    medial = np.minimum(cavity, 2.5 * (np.abs(x) - 1.0))
    modulation = NoiseField(rng, 45.0).at(points)
    fold_depth = 13.0 + 5.0 * modulation
    opening = (0.4 + 1.15 * p.atrophy) * (0.8 + 0.5 * np.clip(z / 60.0, -0.6, 1.0)) + 0.35 * modulation
    opening *= 0.55 + 0.45 * np.clip((np.abs(x) - 4.0) / 10.0, 0.0, 1.0)
    opening *= np.clip(1.15 - medial / (fold_depth + 4.0), 0.0, 1.0)
    bottom = np.clip(medial - fold_depth, 0.0, None)
    sheet: Array = opening - np.sqrt(distance**2 + bottom**2)
    return sheet


def _brainstem(points: Points) -> Array:
    pons = ellipsoid(points, (0.0, 9.0, -27.0), (17.0, 13.5, 16.0))
    midbrain = ellipsoid(points, (0.0, 7.0, -6.0), (16.0, 12.0, 14.0))
    medulla = capsule(points, (0.0, 14.0, -40.0), (0.0, 28.0, -110.0), 9.5, 6.5)
    return smooth_union(smooth_union(pons, midbrain, 6.0), medulla, 6.0)


def _cisterns(points: Points, side: Points, stem: Array, tent: Array, p: HeadParameters) -> Array:
    x, y, z = points
    wide = 0.7 + 0.9 * p.atrophy
    ring = np.minimum(wide + 1.2 - np.abs(stem + wide + 1.0), 8.0 - np.abs(z + 5.0))
    ring = np.minimum(ring, y + 4.0)
    front = np.minimum(wide + 2.0 - np.abs(stem + 2.6), np.minimum(4.0 - y + 0.2 * z, -z - 14.0))
    suprasellar = ellipsoid(points, (0.0, -9.0, -15.0), (11.0 + wide, 8.0 + wide, 5.0 + 1.5 * wide))
    star = np.maximum(
        capsule(side, (0.0, -12.0, -15.0), (22.0, -17.0, -15.0), 3.0, 2.0 + wide),
        capsule(points, (0.0, -12.0, -15.0), (0.0, -30.0, -14.0), 3.0, 1.5),
    )
    quadrigeminal = ellipsoid(points, (0.0, 22.5, 0.0), (10.0 + 2 * wide, 2.4 + 1.6 * wide, 7.0))
    angle = ellipsoid(side, (22.0, 12.0, -36.0), (7.0 + 2.0 * wide, 3.0 + wide, 6.0))
    magna = ellipsoid(points, (0.0, 60.0, -58.0), (11.0 + 3 * wide, 16.0, 7.0 + wide))
    canal = np.minimum(-z - 58.0, -stem - 0.5)
    vermis = np.minimum(wide + 0.4 - np.abs(z - tent + 2.0), np.minimum(14.0 - np.abs(x), y - 22.0))
    depth = ring
    for part in (front, suprasellar, star, quadrigeminal, angle, magna, canal, vermis):
        depth = np.maximum(depth, part)
    return depth


def _ventricles(points: Points, side: Points, p: HeadParameters) -> Array:
    """Depth in mm inside the ventricles."""
    v = p.ventricle_size
    grow = 1.7 * (v - 1.0)
    skewed = (
        (side[0] * (1.0 - p.ventricle_skew * np.sign(points[0]))).astype(np.float32),
        side[1],
        side[2],
    )
    out = 2.5 * (v - 1.0)
    lateral = tube(
        skewed,
        [
            (14.5 + out, -36.0, 8.0, 3.0 + grow),
            (9.5 + out, -25.0, 14.0, 5.4 + grow),
            (8.5 + out, -6.0, 21.0, 5.0 + grow),
            (13.0 + out, 12.0, 24.0, 5.4 + grow),
            (18.0 + out, 25.0, 20.0, 6.4 + grow),
            (24.0 + out, 33.0, 8.0, 6.8 + grow),
            (25.0 + out, 48.0, 5.0, 3.2 + grow),
            (20.0 + out, 60.0, 4.0, 1.6 + grow),
        ],
    )
    temporal = tube(
        skewed,
        [
            (24.0 + out, 33.0, 6.0, 5.0 + grow),
            (33.0 + out, 18.0, -8.0, 2.4 + grow),
            (30.0 + out, -2.0, -18.0, 1.6 + grow),
            (26.0, -10.0, -19.0, 0.8 + grow),
        ],
    )
    lateral = np.maximum(lateral, temporal)
    # The head of the caudate and the thalamus bulge into the wall.
    lateral = np.minimum(lateral, -ellipsoid(skewed, (16.5 + out, -21.0, 12.0), (6.0, 9.5, 9.0)))
    lateral = np.minimum(lateral, side[0] - 1.3)
    third = np.minimum(
        (0.2 + 1.3 * v) - side[0],
        ellipsoid(points, (0.0, 0.0, 3.0), (12.0, 15.0, 11.0)),
    )
    fourth = ellipsoid(points, (0.0, 27.0, -28.0), (6.5 * v**0.5, 4.2 * v**0.5, 9.5))
    aqueduct = capsule(points, (0.0, 15.0, 0.0), (0.0, 24.0, -22.0), 1.0)
    depth: Array = np.maximum(np.maximum(lateral, third), np.maximum(fourth, aqueduct))
    return depth


def _deep_grey(side: Points) -> Array:
    caudate = ellipsoid(side, (15.5, -20.0, 13.0), (5.5, 10.0, 9.0))
    lentiform = ellipsoid(side, (25.0, -6.0, 6.0), (6.5, 15.0, 9.5))
    thalamus = ellipsoid(side, (11.5, 7.0, 9.0), (9.0, 13.5, 9.0))
    depth = np.maximum(np.maximum(caudate, lentiform), thalamus)
    claustrum = ellipsoid(side, (36.0, -4.0, 6.0), (3.0, 20.0, 11.0))
    return np.maximum(coverage(depth, 2.0), 0.7 * coverage(claustrum, 2.0))


def _paint_infarct(hu: Array, points: Points, cavity: Array, grey: Array, rng: np.random.Generator) -> None:
    """An old infarct: a wedge of low density that reaches the surface."""
    sign = 1.0 if rng.random() < 0.5 else -1.0
    centre, axes = (
        ((34.0, 52.0, 8.0), (20.0, 26.0, 20.0))
        if rng.random() < 0.5
        else ((45.0, 8.0, 22.0), (22.0, 26.0, 22.0))
    )
    size = rng.uniform(0.55, 1.0)
    where = ellipsoid(
        points,
        (sign * centre[0], centre[1], centre[2]),
        (axes[0] * size, axes[1] * size, axes[2] * size),
    )
    blend(hu, float(rng.uniform(8.0, 18.0)), 0.9 * coverage(where, 5.0))


def _paint_dura(
    hu: Array, points: Points, side: Points, cavity: Array, tent: Array, p: HeadParameters, width: float
) -> None:
    """Falx, tentorium, venous sinuses, large arteries: brighter than brain, never a bleed."""
    x, y, z = points
    above = z - np.where(y > 15, tent, -14.0)
    inner = np.minimum(-_callosum(points) - 3.0, above)
    falx = np.minimum(0.65 + 0.2 * np.clip(y / 60.0, 0, 1) - np.abs(x), inner)
    blend(hu, p.falx_hu, coverage(falx, width))
    leaf = np.minimum(0.6 - np.abs(z - tent), np.minimum(y - 14.0 + 0.15 * side[0], cavity + 2.0))
    leaf = np.minimum(leaf, side[0] + y - 34.0)
    blend(hu, p.falx_hu - 4.0, 0.8 * coverage(leaf, width))
    rim = np.minimum(3.4 - 0.75 * cavity - np.abs(x) * 0.9, above)
    rim = np.minimum(rim, np.maximum(y - 10.0, z - 40.0))
    blend(hu, p.sinus_hu, 0.95 * coverage(rim, width))
    transverse = np.minimum(3.0 - np.abs(z - tent + 0.5), np.minimum(4.2 - cavity, y - 38.0))
    blend(hu, p.sinus_hu, 0.9 * coverage(transverse, width))
    straight = capsule(points, (0.0, 27.0, 8.0), (0.0, 74.0, -8.0), 1.7)
    blend(hu, p.sinus_hu - 4.0, 0.9 * coverage(straight, width))
    basilar = capsule(points, (0.0, -6.5, -12.0), (0.0, -4.5, -36.0), 1.6)
    cerebral = capsule(side, (7.0, -13.0, -13.0), (30.0, -21.0, -10.0), 1.3)
    blend(hu, p.sinus_hu - 8.0, 0.9 * coverage(np.maximum(basilar, cerebral), width))
    blend(hu, 34.0, 0.7 * coverage(0.8 - np.abs(cavity - 0.4), width))


def _paint_calcium(
    hu: Array,
    points: Points,
    side: Points,
    ventricles: Array,
    p: HeadParameters,
    rng: np.random.Generator,
    width: float,
) -> None:
    pineal = ellipsoid(points, (float(rng.normal(0, 0.8)), 17.0, 6.5), (2.6, 3.2, 2.8))
    if p.pineal_hu:
        blend(hu, p.pineal_hu, coverage(pineal, width))
    else:
        blend(hu, 36.0, coverage(pineal, width))
    plexus = ellipsoid(side, (23.5 + 2.5 * (p.ventricle_size - 1.0), 33.0, 8.0), (2.8, 5.0, 3.6))
    blend(hu, 42.0, 0.8 * coverage(np.minimum(plexus + 1.5, ventricles), width))
    if p.choroid_hu:
        one_sided = coverage(rng.choice([-1.0, 1.0]) * points[0], 1.0) if rng.random() < 0.2 else 1.0
        blend(hu, p.choroid_hu, one_sided * coverage(np.minimum(plexus, ventricles + 1.0), width))
    if p.basal_calcium:
        pallidum = ellipsoid(side, (20.0, -6.0, 5.0), (2.5, 5.5, 3.0))
        blend(hu, float(rng.uniform(60, 130)), 0.8 * coverage(pallidum, width + 1.0))
    if p.falx_calcium:
        spot = ellipsoid(
            points, (0.0, float(rng.uniform(-60, -40)), float(rng.uniform(25, 45))), (2.0, 7.0, 6.0)
        )
        blend(hu, float(rng.uniform(120, 500)), coverage(spot, width))
