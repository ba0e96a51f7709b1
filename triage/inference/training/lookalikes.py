"""What looks like fresh blood or lies beside it, and is none: hard negatives for training and evaluation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pacs.synthetic.fields import Array, NoiseField, Triple, capsule, coverage, ellipsoid
from pacs.synthetic.heads import SyntheticHead
from pacs.synthetic.lesions import insert_lesion

_BONE_HU = 200.0


def add_lookalikes(head: SyntheticHead, rng: np.random.Generator, *, more: float = 1.0) -> tuple[str, ...]:
    """Put look-alikes into ``head.hu`` (in place), each by its own chance; returns their names.

    ``more`` scales sizes and densities: 1 in training, another value in the held-out test. None of them is
    blood, so the truth stays as it is. Call it before bleeds are inserted.
    """
    placed = []
    for name, (chance, add) in _LOOKALIKES.items():
        if rng.random() < chance and add(head, rng, more):
            placed.append(name)
    return tuple(placed)


def add_more_lookalikes(head: SyntheticHead, rng: np.random.Generator) -> None:
    """Look-alikes that only training and calibration show, never the held-out test; in place, each by chance."""
    for chance, add in _MORE:
        if rng.random() < chance:
            add(head, rng, 1.0)


def _inside(head: SyntheticHead, rng: np.random.Generator, depth_mm: float) -> Triple | None:
    """A random point of the brain at least ``depth_mm`` below the skull."""
    where = np.flatnonzero(head.brain & (head.cavity_mm > depth_mm))
    return _point(head, int(where[rng.integers(len(where))])) if len(where) else None


def _point(head: SyntheticHead, at: int) -> Triple:
    x, y, z = (float(c.ravel()[at]) for c in head.points_mm)
    return x, y, z


def _on_vault(head: SyntheticHead, rng: np.random.Generator) -> Triple | None:
    """A random point of the inner table of the vault."""
    x, _, z = head.points_mm
    near = (np.abs(head.cavity_mm) < 1.5 * head.spacing_mm[1]) & (z > 0.0) & (z < 55.0) & (np.abs(x) > 15.0)
    where = np.flatnonzero(near)
    return _point(head, int(where[rng.integers(len(where))])) if len(where) else None


def _blend(head: SyntheticHead, value: float | Array, amount: Array, *, bone: bool = False) -> None:
    share = amount if bone else amount * (head.cavity_mm > 0.5)
    head.hu += ((value - head.hu) * share).astype(np.float32)


def _specks(head: SyntheticHead, rng: np.random.Generator, more: float) -> bool:
    """Calcium anywhere in the brain."""
    for _ in range(1 + int(rng.poisson(0.6))):
        centre = _inside(head, rng, 3.0)
        if centre is None:
            return False
        r = float(rng.uniform(0.8, 2.6)) * more
        depth = ellipsoid(head.points_mm, centre, (r, r, r))
        _blend(head, float(rng.uniform(110, 600)), coverage(depth, 1.0))
    return True


def _old_damage(head: SyntheticHead, rng: np.random.Generator, more: float) -> bool:
    """An old infarct or a scar: dark, sharp or blurred."""
    centre = _inside(head, rng, 3.0)
    if centre is None:
        return False
    a, b, c = (float(v) * more for v in rng.uniform(5.0, 24.0, 3))
    depth = ellipsoid(head.points_mm, centre, (a, b, c))
    _blend(head, float(rng.uniform(4.0, 22.0)), 0.9 * coverage(depth, float(rng.uniform(1.0, 7.0))))
    return True


def _hygroma(head: SyntheticHead, rng: np.random.Generator, more: float) -> bool:
    """A collection of clear fluid under the dura, of the form of a subdural bleed."""
    ml = float(np.exp(rng.uniform(np.log(4.0), np.log(40.0)))) * more
    try:
        insert_lesion(
            head, "subdural", ml, int(rng.integers(1 << 30)), blood_hu=float(rng.uniform(5.0, 14.0))
        )
    except ValueError:
        # The scan does not reach the convexity, or the head is too small for it.
        return False
    return True


def _dense_dura(head: SyntheticHead, rng: np.random.Generator, more: float) -> bool:
    """A thick falx with plates of calcium, as in the old."""
    x, y, z = head.points_mm
    half = float(rng.uniform(0.7, 1.3)) * more
    above = np.minimum(z - 12.0 + 0.2 * y, head.cavity_mm + 2.0)
    falx = coverage(np.minimum(half - np.abs(x), above), 1.4)
    _blend(head, float(rng.uniform(52.0, 72.0)), 0.9 * falx)
    plates = coverage(3.0 * (NoiseField(rng, 26.0).at(head.points_mm) - 1.1), 1.5) * falx
    _blend(head, float(rng.uniform(120.0, 500.0)), plates)
    return True


def _operated(head: SyntheticHead, rng: np.random.Generator, more: float) -> bool:
    """A replaced bone flap: saw line, burr holes, plates of metal, thick dura, and a scar or air below."""
    middle = _on_vault(head, rng)
    if middle is None:
        return False
    x, y, z = head.points_mm
    away = np.sqrt((x - middle[0]) ** 2 + (y - middle[1]) ** 2 + (z - middle[2]) ** 2)
    radius = float(rng.uniform(20.0, 38.0)) * more
    bone = (head.hu > _BONE_HU) & (head.cavity_mm < 0.5)
    _blend(head, 35.0, coverage(float(rng.uniform(0.6, 1.6)) - np.abs(away - radius), 1.2) * bone, bone=True)
    rim = np.flatnonzero((np.abs(away - radius) < 2.0) & (np.abs(head.cavity_mm + 3.0) < 4.0))
    for number in range(4):
        if not len(rim):
            break
        at = _point(head, int(rim[rng.integers(len(rim))]))
        plate = number < 2
        r = float(rng.uniform(1.0, 2.2) if plate else rng.uniform(4.0, 6.5))
        ball = coverage(ellipsoid(head.points_mm, at, (r, r, r)), 1.2)
        _blend(head, 2600.0 if plate else 40.0, ball * (bone | plate), bone=True)
    thick = float(rng.uniform(0.8, 2.0)) * more
    dura = coverage(thick - np.abs(head.cavity_mm - thick), 1.2) * (away < radius + 6.0)
    _blend(head, float(rng.uniform(38.0, 50.0)), 0.9 * dura)
    if rng.random() < 0.5:
        depth = ellipsoid(head.points_mm, middle, tuple(float(v) for v in rng.uniform(9.0, 24.0, 3)))  # type: ignore[arg-type]
        _blend(head, float(rng.uniform(5.0, 16.0)), coverage(depth, 3.0))
    if rng.random() < 0.35:
        depth = ellipsoid(head.points_mm, middle, (5.0, 5.0, 3.0))
        _blend(head, -850.0, coverage(depth, 1.5))
    return True


def _metal(head: SyntheticHead, rng: np.random.Generator, more: float) -> bool:
    """A clip, a coil or a fragment with its streaks through neighbouring slices."""
    centre = _inside(head, rng, 4.0)
    if centre is None:
        return False
    x, y, z = head.points_mm
    r = float(rng.uniform(1.0, 3.0)) * more
    away = np.hypot(x - centre[0], y - centre[1])
    angle = np.arctan2(y - centre[1], x - centre[0])
    rays = np.zeros_like(away)
    for _ in range(3):
        rays += np.cos(float(rng.integers(2, 9)) * angle + float(rng.uniform(0, 2 * np.pi)))
    reach = np.exp(-away / float(rng.uniform(18.0, 45.0))) * np.exp(-(((z - centre[2]) / (r + 2.5)) ** 2))
    streaks = float(rng.uniform(15.0, 60.0)) * more * rays * reach
    head.hu += (streaks * (head.hu > -300.0)).astype(np.float32)
    _blend(
        head, float(rng.uniform(2200.0, 3000.0)), coverage(ellipsoid(head.points_mm, centre, (r, r, r)), 1.0)
    )
    return True


def _contrast(head: SyntheticHead, rng: np.random.Generator, more: float) -> bool:
    """Contrast medium left in veins, arteries and plexus: brighter than blood, in the vessels only."""
    x, y, z = head.points_mm
    side = (np.abs(x), y, z)
    level = float(rng.uniform(85.0, 210.0)) * more
    rim = np.minimum(3.2 - 0.75 * head.cavity_mm - 0.9 * np.abs(x), np.maximum(y - 10.0, z - 40.0))
    straight = capsule(head.points_mm, (0.0, 27.0, 8.0), (0.0, 74.0, -8.0), 1.7)
    basilar = capsule(head.points_mm, (0.0, -6.5, -12.0), (0.0, -4.5, -36.0), 1.7)
    cerebral = capsule(side, (7.0, -13.0, -13.0), (36.0, -23.0, -8.0), 1.4)
    insular = capsule(side, (36.0, -22.0, -8.0), (38.0, 10.0, 12.0), 1.1)
    depth = np.maximum(np.maximum(rim, straight), np.maximum(basilar, np.maximum(cerebral, insular)))
    _blend(head, level, 0.95 * coverage(depth, 1.3) * (head.cavity_mm > -0.5), bone=False)
    plexus = np.minimum(ellipsoid(side, (23.5, 33.0, 8.0), (3.0, 6.0, 4.0)), head.ventricles_mm + 1.5)
    _blend(head, 0.6 * level, 0.8 * coverage(plexus, 1.3))
    head.hu[head.brain] += np.float32(rng.uniform(0.0, 4.0))
    return True


def _catheter(head: SyntheticHead, rng: np.random.Generator, more: float) -> bool:
    """A shunt from the vault to the ventricles."""
    start = _on_vault(head, rng)
    if start is None:
        return False
    sign = 1.0 if start[0] > 0 else -1.0
    end = (
        sign * float(rng.uniform(3.0, 9.0)),
        float(rng.uniform(-20.0, 5.0)),
        float(rng.uniform(12.0, 22.0)),
    )
    depth = capsule(head.points_mm, start, end, 1.2 * more)
    _blend(head, float(rng.uniform(90.0, 320.0)), 0.95 * coverage(depth, 1.1))
    return True


def _hyperostosis(head: SyntheticHead, rng: np.random.Generator, more: float) -> bool:
    """Lumps of bone on the inner table, whose edge shares voxels with brain."""
    lumps = NoiseField(rng, float(rng.uniform(12.0, 30.0))).at(head.points_mm)
    front = np.clip((-20.0 - head.points_mm[1]) / 20.0, 0.0, 1.0) if rng.random() < 0.6 else 1.0
    height = float(rng.uniform(2.0, 7.0)) * more * np.clip(lumps - 0.3, 0.0, 1.5) * front
    lump = coverage(height - head.cavity_mm, 1.5) * (head.cavity_mm > -1.0) * (height > 0.2)
    _blend(head, float(rng.uniform(300.0, 1100.0)), lump, bone=True)
    return True


def _dural_rim(head: SyntheticHead, rng: np.random.Generator, more: float) -> bool:
    """Dura that shows all around as a thin line of the grey of brain or a little above."""
    thick = float(rng.uniform(0.5, 1.6)) * more
    _blend(head, float(rng.uniform(34.0, 48.0)), 0.9 * coverage(thick - np.abs(head.cavity_mm - 0.5), 1.4))
    return True


def _dense_arteries(head: SyntheticHead, rng: np.random.Generator, more: float) -> bool:
    """Arteries and a basilar tip that stand out, on one side or both."""
    x, y, z = head.points_mm
    side = (np.abs(x), y, z)
    radius = float(rng.uniform(1.0, 2.2)) * more
    middle = capsule(side, (6.0, -12.0, -13.0), (33.0, -22.0, -9.0), radius, 0.7 * radius)
    if rng.random() < 0.5:
        middle = np.minimum(middle, float(rng.choice([-1.0, 1.0])) * x)
    basilar = capsule(head.points_mm, (0.0, -6.5, -11.0), (0.0, -4.5, -36.0), radius)
    carotid = capsule(side, (7.0, -10.0, -13.0), (7.0, -8.0, -26.0), radius)
    depth = np.maximum(middle, np.maximum(basilar, carotid))
    _blend(head, float(rng.uniform(44.0, 68.0)), 0.9 * coverage(depth, 1.3))
    return True


_MORE: Final = ((0.15, _hyperostosis), (0.25, _dural_rim), (0.25, _dense_arteries))

_LOOKALIKES: Final[dict[str, tuple[float, Callable[[SyntheticHead, np.random.Generator, float], bool]]]] = {
    "hygroma": (0.08, _hygroma),
    "old damage": (0.3, _old_damage),
    "calcium": (0.45, _specks),
    "dense dura": (0.12, _dense_dura),
    "operated": (0.1, _operated),
    "catheter": (0.05, _catheter),
    "contrast": (0.07, _contrast),
    "metal": (0.06, _metal),
}

LOOKALIKES: Final[tuple[str, ...]] = tuple(_LOOKALIKES)


def ghost(slices: Array, step_mm: tuple[float, float], rng: np.random.Generator) -> NDArray[np.float32]:
    """Motion during some slices [slice, row, column]: each is mixed with itself a few mm away."""
    moved = slices.astype(np.float32).copy()
    first = int(rng.integers(0, max(1, len(slices) - 2)))
    for i in range(first, min(len(slices), first + int(rng.integers(2, 6)))):
        by = [round(float(rng.uniform(-3.5, 3.5)) / s) for s in step_mm]
        share = float(rng.uniform(0.2, 0.5))
        moved[i] = (1.0 - share) * slices[i] + share * np.roll(slices[i], by, (0, 1))
    return moved
