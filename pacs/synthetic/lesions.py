"""Bleeds put into a head: shape by kind, volume as asked for, mass effect, oedema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pacs.synthetic.fields import Array, NoiseField, Triple, rotation
from pacs.synthetic.heads import SyntheticHead

LESION_KINDS: Final = ("epidural", "subdural", "intraparenchymal", "subarachnoid", "intraventricular")

_FOCUS_DEEP: Final[tuple[Triple, ...]] = ((25.0, -5.0, 6.0), (12.0, 7.0, 8.0))
_FOCUS_LOBAR: Final[tuple[Triple, ...]] = (
    (28.0, -48.0, 20.0),
    (40.0, 12.0, 32.0),
    (40.0, 2.0, -16.0),
    (30.0, 50.0, 14.0),
    (25.0, 20.0, 48.0),
    (22.0, 46.0, -34.0),
)
_FOCUS_PONS: Final[Triple] = (0.0, 9.0, -27.0)
_FOCUS_SUBARACHNOID: Final[tuple[Triple, ...]] = (
    (0.0, -9.0, -15.0),
    (38.0, -14.0, -2.0),
    (0.0, -35.0, 0.0),
    (0.0, 14.0, -6.0),
    (45.0, 20.0, 45.0),
    (40.0, -30.0, 40.0),
)


@dataclass(frozen=True)
class _Shape:
    """Candidates as flat voxel indices with a score: the lowest scores become blood.

    ``normal`` points inward from the skull for a collection at the surface and is None for a clot in the
    brain; ``flatness`` is thickness over radius.
    """

    index: NDArray[np.intp]
    score: Array
    focus: Triple
    normal: Triple | None
    flatness: float


def insert_lesion(
    head: SyntheticHead,
    kind: str,
    volume_ml: float,
    seed: int,
    *,
    blood_hu: float | None = None,
    irregular: float = 1.0,
) -> NDArray[np.bool_]:
    """Put one bleed into ``head.hu`` (in place) and return its mask, bool [z, y, x].

    ``kind`` is one of LESION_KINDS, ``volume_ml`` 0.2 to 100 mL; the mask holds that volume to within one
    voxel. ``blood_hu`` fixes the mean grey value (otherwise 54 to 78 HU); ``irregular`` scales how lobed the
    outline is. Raises ValueError for an unknown
    kind or a volume that does not fit into this head.
    """
    if kind not in LESION_KINDS:
        raise ValueError(f"unknown lesion kind {kind!r}: one of {', '.join(LESION_KINDS)}")
    rng = np.random.default_rng([seed, 21, LESION_KINDS.index(kind)])
    shape = _BUILDERS[kind](head, volume_ml, rng, irregular)
    mask, edge = _lowest(head, shape, volume_ml, kind)
    if kind in ("epidural", "subdural", "intraparenchymal") and volume_ml > 3.0:
        _push(head, shape, edge, volume_ml)
    if kind == "intraparenchymal":
        _add_oedema(head, shape, edge, mask, rng)
    _fill(head, mask, kind, rng, blood_hu)
    return mask


def insert_shape(
    head: SyntheticHead, inside_mm: Array, volume_ml: float, seed: int, *, blood_hu: float | None = None
) -> NDArray[np.bool_]:
    """Put a clot of a given shape into ``head.hu`` (in place) and return its mask, bool [z, y, x].

    ``inside_mm`` [z, y, x] is the depth inside the shape (negative outside): the deepest voxels inside the
    brain become blood until ``volume_ml`` is reached. Raises ValueError when it does not fit.
    """
    rng = np.random.default_rng([seed, 22])
    index = np.flatnonzero(head.brain & (head.ventricles_mm < 0.5))
    shape = _Shape(index, -inside_mm.ravel()[index], (0.0, 0.0, 0.0), None, 1.0)
    mask, edge = _lowest(head, shape, volume_ml, "intraparenchymal")
    _add_oedema(head, shape, edge, mask, rng)
    _fill(head, mask, "intraparenchymal", rng, blood_hu)
    return mask


def _lowest(
    head: SyntheticHead, shape: _Shape, volume_ml: float, kind: str
) -> tuple[NDArray[np.bool_], float]:
    """The voxels of lowest score that make up the volume, and the score at their edge."""
    count = max(1, round(volume_ml / head.voxel_ml))
    if count >= len(shape.index):
        room = len(shape.index) * head.voxel_ml
        raise ValueError(f"{volume_ml:g} mL do not fit: room for {kind} blood is {room:.1f} mL")
    order = np.argpartition(shape.score, count)[:count]
    mask = np.zeros(head.hu.shape, dtype=bool)
    mask.ravel()[shape.index[order]] = True
    return mask, float(shape.score[order].max())


def _fill(
    head: SyntheticHead, mask: NDArray[np.bool_], kind: str, rng: np.random.Generator, blood_hu: float | None
) -> None:
    """Blood with slow variation, older or still bleeding parts in some, and soft edges."""
    mean = float(rng.uniform(54.0, 78.0)) if blood_hu is None else blood_hu
    box = _grow(ndimage.find_objects(mask.astype(np.uint8))[0], mask.shape, 3)
    x, y, z = (c[box] for c in head.points_mm)
    texture = NoiseField(rng, 14.0).at((x, y, z))
    blood = mean + 2.5 * texture
    if kind in ("epidural", "subdural") and rng.random() < 0.25:
        blood -= rng.uniform(6.0, 16.0) * (NoiseField(rng, 30.0).at((x, y, z)) > 0.6)
    thin = kind == "subarachnoid"
    amount = ndimage.gaussian_filter(
        mask[box].astype(np.float32), [(0.35 if thin else 0.6) / s for s in head.spacing_mm]
    )
    amount *= head.brain[box]
    if thin:
        amount *= rng.uniform(0.75, 1.0)
    head.hu[box] += (blood.astype(np.float32) - head.hu[box]) * amount


def _grow(box: tuple[slice, ...], shape: tuple[int, ...], by: int) -> tuple[slice, ...]:
    return tuple(slice(max(0, s.start - by), min(n, s.stop + by)) for s, n in zip(box, shape, strict=True))


def _candidates(
    head: SyntheticHead, where: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], Array, Array, Array]:
    index = np.flatnonzero(where)
    x, y, z = (c.ravel()[index] for c in head.points_mm)
    return index, x, y, z


def _surface_point(head: SyntheticHead, rng: np.random.Generator) -> Triple:
    """A random point on the inner table of the convexity."""
    x, y, z = head.points_mm
    near = 1.0 + 1.2 * max(head.spacing_mm[1:])
    where = (head.cavity_mm > 0) & (head.cavity_mm < near) & (np.abs(x) > 24) & (z > -6) & (z < 58)
    index = np.flatnonzero(where)
    if not len(index):
        raise ValueError("the scan does not cover the convexity of the head")
    at = index[rng.integers(len(index))]
    return float(x.ravel()[at]), float(y.ravel()[at]), float(z.ravel()[at])


def _cap(
    head: SyntheticHead,
    focus: Triple,
    rng: np.random.Generator,
    flatness: float,
    stretch: Triple,
    irregular: float,
) -> _Shape:
    """A cap against the inner table: thickness flatness * R at the focus, zero at distance R."""
    x, _, z = head.points_mm
    # Lower down the nearest bone is a ridge of the base, which no cap follows.
    where = head.brain & (np.sign(x) == np.sign(focus[0])) & (z > -11)
    index, px, py, pz = _candidates(head, where)
    depth = head.cavity_mm.ravel()[index]
    away = ((px - focus[0]) * stretch[0]) ** 2 + ((py - focus[1]) * stretch[1]) ** 2
    away += ((pz - focus[2]) * stretch[2]) ** 2
    along = np.clip(away - depth**2, 0.0, None)
    # The cap depth = k (R - s^2 / R) solved for R: voxels are ranked by the smallest cap that holds them.
    score = (depth + np.sqrt(depth**2 + 4 * flatness**2 * along)) / (2 * flatness)
    score = score * (1.0 + 0.07 * irregular * NoiseField(rng, 30.0).at((px, py, pz)))
    length = float(np.linalg.norm(focus))
    normal = (-focus[0] / length, -focus[1] / length, -focus[2] / length)
    return _Shape(index, score.astype(np.float32), focus, normal, flatness)


def _epidural(head: SyntheticHead, volume_ml: float, rng: np.random.Generator, irregular: float) -> _Shape:
    return _cap(
        head, _surface_point(head, rng), rng, float(rng.uniform(0.38, 0.6)), (1.0, 1.0, 1.0), irregular
    )


def _subdural(head: SyntheticHead, volume_ml: float, rng: np.random.Generator, irregular: float) -> _Shape:
    # A small one is a short film; a large one spreads over the hemisphere before it grows thick.
    spread = float(np.clip(volume_ml / 30.0, 0.0, 1.0))
    flatness = float(rng.uniform(0.13 - 0.04 * spread, 0.23 - 0.06 * spread))
    if rng.random() < 0.12 and volume_ml <= 15.0:
        return _falcine(head, rng, flatness)
    return _cap(head, _surface_point(head, rng), rng, flatness, (1.0, 0.8, 1.1), irregular)


def _falcine(head: SyntheticHead, rng: np.random.Generator, flatness: float) -> _Shape:
    """A subdural collection along the falx."""
    side = 1.0 if rng.random() < 0.5 else -1.0
    focus = (side, float(rng.uniform(20, 55)), float(rng.uniform(25, 45)))
    x, _, z = head.points_mm
    index, px, py, pz = _candidates(head, head.brain & (np.sign(x) == side) & (z > 5))
    depth = np.abs(px) * 1.3
    along = (py - focus[1]) ** 2 + (1.3 * (pz - focus[2])) ** 2
    score = (depth + np.sqrt(depth**2 + 4 * flatness**2 * along)) / (2 * flatness)
    return _Shape(index, score.astype(np.float32), focus, None, flatness)


def _intraparenchymal(
    head: SyntheticHead, volume_ml: float, rng: np.random.Generator, irregular: float
) -> _Shape:
    draw = rng.random()
    if draw < 0.08 and volume_ml < 8.0:
        focus = _FOCUS_PONS
    else:
        pool = _FOCUS_DEEP if draw < 0.5 else _FOCUS_LOBAR
        x, y, z = pool[rng.integers(len(pool))]
        side = 1.0 if rng.random() < 0.5 else -1.0
        spread = 2.5 if pool is _FOCUS_DEEP else 7.0
        dx, dy, dz = rng.normal(0.0, spread, 3)
        focus = (side * float(x + dx), float(y + dy), float(z + dz))
    where = head.brain & (head.cavity_mm > 1.5) & (head.ventricles_mm < 0.5)
    index, px, py, pz = _candidates(head, where)
    lobes = NoiseField(rng, 26.0).at((px, py, pz))
    stretch = np.exp(rng.normal(0.0, 0.16, 3))
    away = np.sqrt(
        ((px - focus[0]) * stretch[0]) ** 2
        + ((py - focus[1]) * stretch[1]) ** 2
        + ((pz - focus[2]) * stretch[2]) ** 2
    )
    score = away * (1.0 + rng.uniform(0.05, 0.2) * irregular * lobes)
    return _Shape(index, score.astype(np.float32), focus, None, 1.0)


def _subarachnoid(
    head: SyntheticHead, volume_ml: float, rng: np.random.Generator, irregular: float
) -> _Shape:
    """Blood where cisterns and sulci are, nearest to its source first."""
    draw = rng.integers(len(_FOCUS_SUBARACHNOID))
    side = 1.0 if rng.random() < 0.5 else -1.0
    x, y, z = _FOCUS_SUBARACHNOID[draw]
    focus = (side * x, y, z)
    wet = ndimage.gaussian_filter(head.outer_fluid, [0.7 / s for s in head.spacing_mm])
    where = head.brain & (wet > 0.06) & (head.ventricles_mm < -1.0)
    index, px, py, pz = _candidates(head, where)
    away = np.sqrt((px - focus[0]) ** 2 + (0.75 * (py - focus[1])) ** 2 + (1.1 * (pz - focus[2])) ** 2)
    dry = 1.0 - np.minimum(wet.ravel()[index] / 0.45, 1.0)
    score = away + 38.0 * dry + 6.0 * irregular * NoiseField(rng, 30.0).at((px, py, pz))
    return _Shape(index, score.astype(np.float32), focus, None, 1.0)


def _intraventricular(
    head: SyntheticHead, volume_ml: float, rng: np.random.Generator, irregular: float
) -> _Shape:
    """Blood sinks to the back of the ventricles; what they cannot hold widens them."""
    index, px, py, pz = _candidates(head, head.brain & (head.ventricles_mm > -9.0) & _above_fourth(head))
    outside = np.clip(-head.ventricles_mm.ravel()[index], 0.0, None)
    heavy_side = 1.0 if rng.random() < 0.5 else -1.0
    tilt = float(rng.uniform(0.0, 9.0))
    score = -py + tilt * (np.sign(px) != heavy_side) + 13.0 * outside + 0.25 * np.abs(pz - 5.0)
    return _Shape(index, score.astype(np.float32), (0.0, 40.0, 6.0), None, 1.0)


def _above_fourth(head: SyntheticHead) -> NDArray[np.bool_]:
    """Voxels above the fourth ventricle: a small bleed layers in the lateral ventricles."""
    above: NDArray[np.bool_] = head.points_mm[2] > -18.0
    return above


_BUILDERS: Final = {
    "epidural": _epidural,
    "subdural": _subdural,
    "intraparenchymal": _intraparenchymal,
    "subarachnoid": _subarachnoid,
    "intraventricular": _intraventricular,
}


def _push(head: SyntheticHead, shape: _Shape, edge: float, volume_ml: float) -> None:
    """Move brain aside: away from a clot inside it, or inward under a collection at the surface."""
    index, x, y, z = _candidates(head, head.brain)
    depth = head.cavity_mm.ravel()[index]
    dx, dy, dz = x - shape.focus[0], y - shape.focus[1], z - shape.focus[2]
    r = np.sqrt(dx * dx + dy * dy + dz * dz) + 1e-3
    if shape.normal is not None:
        thick = 0.75 * shape.flatness * edge
        amount = thick * np.exp(-((r / (1.1 * edge + 25.0)) ** 2)) * np.exp(-depth / 45.0)
        amount = np.minimum(amount, 0.5 * np.clip(depth - 1.5, 0.0, None))
        move = [amount * n for n in shape.normal]
    else:
        radius = (volume_ml * 750.0 / np.pi) ** (1 / 3) * 0.75
        came_from = np.cbrt(np.clip(r**3 - radius**3, 0.0, None))
        amount = (r - came_from) * np.clip(depth / 14.0, 0.0, 1.0) * np.exp(-r / 60.0)
        move = [amount * d / r for d in (dx, dy, dz)]
    use = amount > 0.2
    turn = rotation(head.parameters.rotation_deg)
    scaled = [m[use] * s for m, s in zip(move, head.parameters.scale, strict=True)]
    shift = [turn[i, 0] * scaled[0] + turn[i, 1] * scaled[1] + turn[i, 2] * scaled[2] for i in range(3)]
    at = np.unravel_index(index[use], head.hu.shape)
    source = np.stack(
        [a - s / step for a, s, step in zip(at, reversed(shift), head.spacing_mm, strict=True)]
    ).astype(np.float32)
    moved = ndimage.map_coordinates(head.hu, source, order=1, mode="nearest")
    # Neither bone nor its blurred edge must be drawn in: under the vertex it would look like blood.
    from_depth = ndimage.map_coordinates(head.cavity_mm, source, order=1, mode="nearest")
    usable = (moved < 150.0) & (from_depth > 1.2 * max(head.spacing_mm))
    head.hu.ravel()[index[use]] = np.where(usable, moved, head.hu.ravel()[index[use]])


def _add_oedema(
    head: SyntheticHead, shape: _Shape, edge: float, mask: NDArray[np.bool_], rng: np.random.Generator
) -> None:
    """A dark rim around a clot, wider the older it is, mostly in white matter."""
    rim_mm = float(rng.uniform(1.0, 9.0)) * min(1.0, mask.sum() * head.voxel_ml / 8.0 + 0.2)
    distance = (shape.score - edge) / max(rim_mm, 0.5)
    near = distance < 1.0
    index = shape.index[near]
    amount = 0.8 * (1.0 - np.clip(distance[near], 0.0, 1.0)) ** 0.5
    values = head.hu.ravel()
    usable = (values[index] < 60.0) & (values[index] > 12.0)
    target = float(rng.uniform(15.0, 24.0))
    index, amount = index[usable], amount[usable]
    values[index] += (np.minimum(target, values[index]) - values[index]) * amount
