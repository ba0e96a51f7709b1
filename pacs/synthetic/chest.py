"""Procedural frontal chest radiographs: an attenuation map, its noise, and a lesion if asked for.

Everything is a sum of path lengths times attenuation on one plane, in mm: column grows to the patient's left,
row to the feet, the middle of the field at (0, 0). No patient's image was used. What it shows is a stylised
chest, good for exercising an archive and a worklist and for nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float32]
Side = Literal["left", "right"]

FIELD_MM: Final = 400.0
CHEST_LESIONS: Final = ("pneumothorax", "effusion")
# Attenuation per mm at the energies of a chest radiograph: soft tissue; bone adds to it; lung is a quarter.
_SOFT, _BONE, _LUNG_PART = 0.018, 0.026, 0.28


@dataclass(frozen=True)
class ChestParameters:
    """One chest; lengths in mm, all of it drawn from a seed by `draw_chest`."""

    sex: str
    age: int
    view: str
    width: float
    depth: float
    lung_width: float
    lung_height: float
    lung_depth: float
    inspiration: float
    heart: float
    rotation: float
    rib_gap: float
    markings: float
    emphysema: float
    noise: float
    scatter: float
    extras: tuple[str, ...]


@dataclass(frozen=True)
class SyntheticChest:
    """A radiograph: `image` [row, column] in 0..1, bright where dense; `mask` bool, the lesion; its side."""

    image: Array
    mask: NDArray[np.bool_]
    side: Side | None
    parameters: ChestParameters


@dataclass
class _Plane:
    x: Array
    y: Array
    pixel: float
    rng: np.random.Generator


EXTRAS: Final = ("skin fold", "leads", "tube", "consolidation", "band", "nodule", "pacemaker")


def draw_chest(seed: int) -> ChestParameters:
    """Anatomy, technique and distractions of chest number `seed`."""
    rng = np.random.default_rng([seed, 71])
    sex = str(rng.choice(["F", "M"]))
    scale = float(rng.normal(1.0 if sex == "M" else 0.93, 0.05))
    view = str(rng.choice(["PA", "AP"], p=[0.65, 0.35]))
    return ChestParameters(
        sex=sex,
        age=int(rng.integers(19, 93)),
        view=view,
        width=165.0 * scale * float(rng.uniform(0.94, 1.1)),
        depth=115.0 * scale * float(rng.uniform(0.85, 1.25)),
        lung_width=61.0 * scale * float(rng.uniform(0.92, 1.08)),
        lung_height=150.0 * scale * float(rng.uniform(0.9, 1.08)),
        lung_depth=88.0 * scale * float(rng.uniform(0.85, 1.1)),
        inspiration=float(rng.uniform(-22, 14) - (12 if view == "AP" else 0)),
        heart=float(rng.uniform(0.85, 1.25) * (1.12 if view == "AP" else 1.0)),
        rotation=float(rng.normal(0.0, 5.0)),
        rib_gap=float(rng.uniform(20.0, 24.0)) * scale,
        markings=float(rng.uniform(0.55, 1.5)),
        emphysema=float(max(0.0, rng.normal(0.0, 0.35))),
        noise=float(rng.uniform(0.006, 0.02)),
        scatter=float(rng.uniform(0.05, 0.3)),
        extras=tuple(str(e) for e in EXTRAS if rng.random() < 0.16),
    )


def make_chest(
    seed: int,
    lesion: str | None = None,
    *,
    size: float = 0.5,
    side: Side | None = None,
    matrix: int = 512,
    parameters: ChestParameters | None = None,
) -> SyntheticChest:
    """One frontal radiograph, the same for the same arguments.

    `lesion` is None or one of CHEST_LESIONS, `size` 0 to 1: of a pneumothorax the part of the lung's radius that
    is empty (0.1 to 0.5), of an effusion the height of its level (a fifth to three quarters of the lung).
    Raises ValueError for another lesion or size.
    """
    if lesion not in (None, *CHEST_LESIONS) or not 0.0 <= size <= 1.0:
        raise ValueError(f"no lesion {lesion!r} of size {size}")
    p = parameters or draw_chest(seed)
    plane = _plane(seed, matrix)
    where: Side = side or ("left" if plane.rng.random() < 0.5 else "right")
    soft = body = _torso(plane, p)
    bone = _bones(plane, p)
    mask = np.zeros((matrix, matrix), dtype=bool)
    line = np.zeros_like(soft)
    sides: tuple[Side, Side] = ("right", "left")
    for which in sides:
        air, place = _lung(plane, p, which)
        thickness = 2.0 * p.lung_depth * air
        part = np.full_like(air, _LUNG_PART * (1.0 - 0.35 * min(1.0, p.emphysema)))
        part += _markings(plane, p, place) * (1.0 - 0.5 * min(1.0, p.emphysema))
        if which == where and lesion == "pneumothorax":
            mask, edge = _pneumothorax(place, air, size, plane)
            part = np.where(mask, 0.0, part * (1.0 + 0.5 * (0.1 + 0.4 * size)))
            line = 2.2 * edge
        if which == where and lesion == "effusion":
            filled = _effusion(place, size, plane)
            part = part * (1.0 - filled) + filled
            mask = (filled > 0.5) & (air > 0.05)
        soft = soft - thickness * (1.0 - part)
    soft = soft + line + (_heart(plane, p) + _extras(plane, p)) * np.clip(body / 40.0, 0.0, 1.0)
    attenuation = _SOFT * np.maximum(soft, 2.0) + _BONE * bone
    image = _detector(attenuation, plane, p)
    return SyntheticChest(image, mask, where if lesion else None, p)


def _plane(seed: int, matrix: int) -> _Plane:
    pixel = FIELD_MM / matrix
    axis = ((np.arange(matrix) + 0.5) * pixel - FIELD_MM / 2).astype(np.float32)
    x, y = np.meshgrid(axis, axis)
    return _Plane(x, y, pixel, np.random.default_rng([seed, 72]))


def _torso(plane: _Plane, p: ChestParameters) -> Array:
    """Thickness of the body from front to back, arms and shoulders with it."""
    neck = np.clip((-plane.y - 140.0) / 60.0, 0.0, 1.0)
    width = p.width * (1.0 + 0.35 * np.clip((-plane.y - 60.0) / 120.0, 0, 1)) * (1.0 - 0.65 * neck)
    body = 2.0 * p.depth * np.sqrt(np.clip(1.0 - (plane.x / width) ** 2, 0.0, 1.0))
    if p.sex == "F":
        for centre in (-70.0, 70.0):
            inside = 1.0 - ((plane.x - centre) / 58.0) ** 2 - ((plane.y - 70.0) / 62.0) ** 2
            body += 34.0 * np.sqrt(np.clip(inside, 0.0, 1.0))
    return np.asarray(body, dtype=np.float32)


@dataclass
class _Place:
    """Where a pixel lies in a lung: `radius` from its middle (1 at its wall), `x` outwards from there, and `y`."""

    radius: Array
    outward: Array
    y: Array
    top: float
    floor: Array
    hilum: tuple[float, float]
    sign: float


def _lung(plane: _Plane, p: ChestParameters, which: Side) -> tuple[Array, _Place]:
    """Its part of the full depth at each pixel, 0 to 1, and the places of pixels in it."""
    sign = 1.0 if which == "left" else -1.0
    centre = sign * (p.lung_width + 14.0) + p.rotation * 0.6
    bottom = 92.0 + p.inspiration + (8.0 if which == "left" else 0.0)
    top = bottom - 1.42 * p.lung_height
    outward = sign * (plane.x - centre)
    height = np.clip((plane.y - top) / (bottom + 45.0 - top), 0.0, 1.0)
    width = p.lung_width * (
        0.42 + 0.66 * np.sqrt(np.clip(np.sin(np.pi * 0.5 * np.clip(height * 1.5, 0, 1)), 0, 1))
    )
    across = outward / np.where(outward > 0, width, p.lung_width * 0.92)
    up = np.clip((top + 46.0 - plane.y) / 46.0, 0.0, 3.0)
    radius = np.sqrt(across**2 + up**2)
    floor = bottom + 30.0 * np.clip(outward / p.lung_width, -1.2, 1.2) ** 2 * np.sign(outward + 8.0) - 6.0
    air = np.sqrt(np.clip(1.0 - radius**2.6, 0.0, 1.0))
    air *= 1.0 / (1.0 + np.exp(np.clip((plane.y - floor) / 2.5, -30, 30)))
    place = _Place(
        radius, outward, plane.y, top, floor, (centre - sign * 40.0, (top + bottom) / 2 - 6.0), sign
    )
    return np.asarray(air, dtype=np.float32), place


def _pneumothorax(place: _Place, air: Array, size: float, plane: _Plane) -> tuple[NDArray[np.bool_], Array]:
    """Empty rim between the wall and a lung shrunk towards its hilum, most at the apex; and the pleural line."""
    empty = 0.10 + 0.40 * size
    height = np.clip((place.y - place.top) / np.maximum(place.floor - place.top, 1.0), 0.0, 1.0)
    wave = 0.02 * np.sin(place.y / 17.0 + plane.rng.uniform(0, 6.0))
    limit = 1.0 - empty * (1.25 - 0.75 * height) + wave
    apex = place.top + 46.0 * min(1.2, 1.9 * empty) + 16.0 * np.clip(place.outward / 40.0, -2.0, 2.0) ** 2
    wall = 60.0 * (limit - place.radius) + 22.0 * np.clip(-place.outward / 18.0, 0.0, 3.0) ** 2
    # A rounded corner where the lateral and the apical line meet.
    distance = -12.0 * np.logaddexp(-wall / 12.0, -(place.y - apex) / 12.0)
    outside = (distance < 0.0) & (air > 0.02)
    edge = np.exp(-((distance / 1.1) ** 2)) * (air > 0.05)
    return outside, np.asarray(edge, dtype=np.float32)


def _effusion(place: _Place, size: float, plane: _Plane) -> Array:
    """Part of the depth that fluid fills: a level that rises to the wall, soft where it thins out."""
    span = place.floor - place.top
    level = place.floor - span * (0.16 + 0.5 * size)
    meniscus = 30.0 * np.clip(place.outward / 60.0, -0.6, 1.1) ** 2
    depth = place.y - (level - meniscus) + 2.5 * np.sin(place.outward / 21.0 + plane.rng.uniform(0, 6.0))
    return np.asarray(0.96 / (1.0 + np.exp(np.clip(-depth / 6.0, -30, 30))), dtype=np.float32)


def _markings(plane: _Plane, p: ChestParameters, place: _Place) -> Array:
    """Vessels: bright strands that leave the hilum, finer and fainter towards the wall, and a fine texture."""
    strands = np.zeros_like(plane.x)
    hx, hy = place.hilum
    columns = np.flatnonzero(np.abs(plane.x[0] - hx - place.sign * 50.0) < 75.0)
    half = np.s_[:, columns[0] : columns[-1] + 1]  # one lung: the rest need not be computed
    x, y, part = plane.x[half], plane.y[half], strands[half]
    for _ in range(26):
        angle = plane.rng.uniform(-1.35, 1.35)
        length = plane.rng.uniform(45.0, 110.0)
        bend = plane.rng.normal(0.0, 0.004)
        away = place.sign * (x - hx)
        cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        u = away * cos + (y - hy) * sin
        v = (y - hy) * cos - away * sin - np.float32(bend) * u * u
        near = (u > 0) & (u < length) & (np.abs(v) < 10.0)
        u, v = u[near], v[near]
        thick = 3.4 * np.clip(1.0 - u / (1.15 * length), 0.12, 1.0)
        part[near] += np.exp(-((v / thick) ** 2)) * thick / 3.4
    grain = ndimage.gaussian_filter(
        plane.rng.standard_normal(plane.x.shape, dtype=np.float32), 2.2 / plane.pixel, mode="wrap"
    )
    grain /= float(grain.std()) + 1e-6
    hilar = np.exp(-(((plane.x - hx) / 13.0) ** 2) - ((plane.y - hy) / 26.0) ** 2)
    return np.asarray(p.markings * (0.10 * strands + 0.022 * grain) + 0.3 * hilar, dtype=np.float32)


def _heart(plane: _Plane, p: ChestParameters) -> Array:
    """Soft tissue of heart, mediastinum and great vessels in place of lung, and the air of the trachea."""
    x, y = plane.x - p.rotation, plane.y - p.inspiration * 0.7
    u, v = 0.86 * (x - 20.0) + 0.5 * (y - 52.0), -0.5 * (x - 20.0) + 0.86 * (y - 52.0)
    heart = 1.0 - (u / (66.0 * p.heart)) ** 2 - (v / (47.0 * p.heart)) ** 2
    arch = 1.0 - ((x - 24.0) / 17.0) ** 2 - ((y + 40.0) / 17.0) ** 2
    band = np.exp(-((x / 27.0) ** 4)) / (1.0 + np.exp((y - 105.0) / 8.0))
    tissue = 72.0 * np.sqrt(np.clip(heart, 0, 1)) + 60.0 * np.sqrt(np.clip(arch, 0, 1)) + 55.0 * band
    trachea = np.exp(-(((x + 3.0) / 8.0) ** 4)) / (1.0 + np.exp((y + 28.0) / 5.0)) * 15.0
    below = np.clip((plane.y - 100.0 - p.inspiration) / 25.0, 0.0, 1.0)
    return np.asarray(tissue - trachea + 45.0 * below, dtype=np.float32)


def _bones(plane: _Plane, p: ChestParameters) -> Array:
    """Bone thickness: spine, ribs in front and behind, clavicles, shoulder blades."""
    x, y = plane.x - p.rotation * 0.3, plane.y
    body = 0.85 + 0.15 * np.cos(2.0 * np.pi * y / (p.rib_gap * 1.05))
    bone = 22.0 * np.exp(-((x / 17.0) ** 6)) * body
    reach = 2.05 * p.lung_width + 10.0
    for sign in (-1.0, 1.0):
        away = sign * x
        for k in range(11):
            start = -150.0 + k * p.rib_gap
            back = start + 0.30 * (away - 20.0) + 0.0022 * (away - 20.0) ** 2 - 0.1 * k
            bone += 9.5 * _strip(y - back, 5.2) * _between(away, 14.0, reach - abs(k - 5) * 3.0)
            if k < 8:
                front = start + 70.0 - 0.55 * (away - reach) * -1.0 * 0.9 - 0.0015 * (away - reach) ** 2
                bone += 5.0 * _strip(y - front, 6.5) * _between(away, 48.0, reach)
        clavicle = -118.0 - 0.16 * away - 9.0 * np.sin(away / 38.0)
        bone += 11.0 * _strip(y - clavicle, 5.5) * _between(away, 16.0, 160.0)
        blade = (away - (1.95 * p.lung_width + 26.0 + 0.12 * (y + 60.0))) / 15.0
        bone += 4.0 * np.exp(-(blade**4)) * _between(y, -115.0, 10.0)
    return np.asarray(bone, dtype=np.float32)


def _strip(distance: NDArray[Any], half: float) -> Array:
    """A flat bone seen on edge: cortex brighter than its middle."""
    inside = np.clip(1.0 - (distance / half) ** 2, 0.0, 1.0)
    return np.asarray(np.sqrt(inside) * (1.0 + 0.7 * (np.abs(distance) / half) ** 2), dtype=np.float32)


def _between(value: NDArray[Any], low: float, high: float) -> Array:
    return np.asarray(
        1.0 / (1.0 + np.exp(np.clip((low - value) / 2.0, -30, 30)))
        / (1.0 + np.exp(np.clip((value - high) / 2.0, -30, 30))),
        dtype=np.float32,
    )  # fmt: skip


def _extras(plane: _Plane, p: ChestParameters) -> Array:
    """What a model must not take for a lesion: folds, leads, tubes, shadows; thickness of soft tissue in mm."""
    rng, x, y = plane.rng, plane.x, plane.y
    total = np.zeros_like(x)
    sign = 1.0 if rng.random() < 0.5 else -1.0
    if "skin fold" in p.extras:  # an edge with lung markings on both of its sides, dark on one side only
        edge = sign * x - rng.uniform(70, 100) - 0.25 * y
        total += 7.0 / (1.0 + np.exp(np.clip(edge / 0.8, -30, 30))) * np.exp(-np.clip(-edge, 0, None) / 14.0)
    if "leads" in p.extras:
        for _ in range(3):
            start, slope = rng.uniform(-120, 120), rng.uniform(-0.8, 0.8)
            total += 12.0 * np.exp(-(((x - start - slope * y) / 1.2) ** 2)) * (y > rng.uniform(-80, 40))
            cx, cy = rng.uniform(-110, 110), rng.uniform(-100, 80)
            total += 30.0 * (np.hypot(x - cx, y - cy) < 5.0)
    if "tube" in p.extras:
        total += 14.0 * _strip(x - 5.0 * np.sin(y / 60.0) - p.rotation, 3.0) * (y < rng.uniform(-30, 90))
    if "consolidation" in p.extras:
        cx, cy = sign * rng.uniform(45, 95), rng.uniform(-60, 60)
        cloud = np.exp(-(((x - cx) / rng.uniform(18, 34)) ** 2) - ((y - cy) / rng.uniform(18, 40)) ** 2)
        grain = ndimage.gaussian_filter(rng.standard_normal(x.shape, dtype=np.float32), 5.0 / plane.pixel)
        total += 70.0 * cloud * np.clip(0.7 + 0.25 * grain / (float(grain.std()) + 1e-6), 0, 1.4)
    if "band" in p.extras:
        band = y - rng.uniform(40, 80) - rng.uniform(-0.3, 0.3) * x
        total += 16.0 * np.exp(-((band / 3.0) ** 2)) * _between(sign * x, 35.0, rng.uniform(70, 110))
    if "nodule" in p.extras:
        cx, cy, radius = sign * rng.uniform(40, 100), rng.uniform(-90, 60), rng.uniform(5, 14)
        total += 2.0 * np.sqrt(np.clip(radius**2 - (x - cx) ** 2 - (y - cy) ** 2, 0, None))
    if "pacemaker" in p.extras:
        total += 120.0 * (np.abs((x - 88.0) / 20.0) ** 4 + np.abs((y + 95.0) / 16.0) ** 4 < 1.0)
        total += 16.0 * np.exp(-(((x - 40.0 - 0.3 * y) / 1.4) ** 2)) * _between(y, -85.0, 70.0)
    return np.asarray(total, dtype=np.float32)


def _detector(attenuation: Array, plane: _Plane, p: ChestParameters) -> Array:
    """Scatter, blur, quantum noise, and the tone curve of a processed radiograph: 0..1, bright where dense."""
    signal = np.exp(-attenuation)
    spread = ndimage.gaussian_filter(signal, 22.0 / plane.pixel, mode="nearest")
    signal = (1.0 - p.scatter) * signal + p.scatter * spread
    signal = ndimage.gaussian_filter(signal, 0.45 / plane.pixel)
    typical = float(np.median(signal))
    grain = plane.rng.standard_normal(signal.shape, dtype=np.float32)
    signal = signal + p.noise * np.sqrt(np.maximum(signal, 1e-6) * typical) * grain
    density = -np.log(np.maximum(signal, 1e-5))
    low, high = np.percentile(density, [1.0, 99.5])
    toned: Any = np.clip((density - low) / max(high - low, 1e-3), 0.0, 1.0)
    return np.asarray(toned, dtype=np.float32)


def make_lateral(seed: int, matrix: int, parameters: ChestParameters) -> Array:
    """A lateral view of the same chest without a lesion, 0 to 1: columns to the front, rows to the feet."""
    p, plane = parameters, _plane(seed + 1, matrix)
    x, y = plane.x, plane.y
    half = 1.05 * p.depth + 15.0 * np.exp(-(((y - 20.0) / 90.0) ** 2))
    body = 1.7 * p.width * np.sqrt(np.clip(1.0 - (x / half) ** 2, 0.0, 1.0))
    bottom = 95.0 + p.inspiration - 0.45 * x
    lung = np.clip(1.0 - (x / (0.86 * p.depth)) ** 4 - ((y + 20.0) / 130.0) ** 4, 0.0, 1.0) ** 0.5
    lung /= 1.0 + np.exp(np.clip((y - bottom) / 3.0, -30, 30))
    soft = body - 3.2 * p.lung_width * lung * (1.0 - _LUNG_PART)
    heart = 1.0 - ((x - 38.0) / 42.0) ** 2 - ((y - 45.0) / 50.0) ** 2
    soft += 70.0 * np.sqrt(np.clip(heart, 0.0, 1.0))
    spine = x + 0.62 * p.depth - 12.0 * np.cos(y / 120.0)
    bone = 26.0 * np.exp(-((spine / 15.0) ** 6)) * (0.8 + 0.2 * np.cos(2 * np.pi * y / (1.05 * p.rib_gap)))
    for k in range(10):
        bone += 4.0 * _strip(y + 130.0 - k * p.rib_gap - 0.45 * (x + 60.0), 4.5) * _between(x, -90.0, 80.0)
    return _detector((_SOFT * np.maximum(soft, 2.0) + _BONE * bone).astype(np.float32), plane, p)
