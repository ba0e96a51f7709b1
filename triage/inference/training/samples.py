"""Training and evaluation samples: a base head, none to two bleeds, a scanner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pacs.synthetic.fields import Array, ellipsoid
from pacs.synthetic.heads import SyntheticHead, make_head
from pacs.synthetic.lesions import LESION_KINDS, insert_lesion, insert_shape
from pacs.synthetic.parameters import HeadParameters, draw_parameters
from triage.inference.training.acquisition import Volume, acquire
from triage.inference.training.anatomy import lesion_shapes, make_reference_head, reference_brains

Split = Literal["train", "calibrate", "test"]

#: First seed of each split: they never overlap.
FIRST_SEED: dict[Split, int] = {"train": 1_000_000, "calibrate": 2_000_000, "test": 3_000_000}
VOLUME_RANGE_ML = (0.6, 60.0)


@dataclass(frozen=True)
class Sample:
    """One scan with what is in it; ``kinds`` is empty for a negative, ``volume_ml`` sums all bleeds."""

    volume: Volume
    kinds: tuple[str, ...]
    volume_ml: float
    base: str


def held_out_anatomy(p: HeadParameters) -> bool:
    """Heads whose form is kept for the test set: narrow or broad ones, and the largest ventricles."""
    index = p.scale[0] / p.scale[1]
    return not 0.955 < index < 1.05 or p.ventricle_size > 1.5


def make_samples(
    split: Split, number: int, count: int, spacing_mm: Sequence[float], *, hard: bool = True
) -> list[Sample]:
    """``count`` samples on one base head; ``number`` counts base heads within the split.

    Deterministic for given arguments. The test set takes procedural heads only, half of them of a form that
    training never sees, and single bleeds; training and calibration take average brains too where at hand.
    """
    seed = FIRST_SEED[split] + number
    rng = np.random.default_rng([seed, 41])
    head, base = _base_head(split, seed, rng)
    samples = []
    for index in range(count):
        kinds = _draw_kinds(split, number * count + index, rng)
        samples.append(_sample(head, base, kinds, seed * 100 + index, spacing_mm, rng, hard))
    return samples


def _base_head(split: Split, seed: int, rng: np.random.Generator) -> tuple[SyntheticHead, str]:
    spacing = (2.5, 1.2, 1.2)
    brains = reference_brains()
    draw = rng.random()
    if split != "test" and brains and draw < 0.36:
        brain = brains[0] if draw < 0.22 else brains[1]
        skull = rng.random() < 0.6
        return make_reference_head(brain, seed, spacing, with_skull=skull), brain.name
    wanted = split == "test" and seed % 2 == 0
    for attempt in range(1000):
        p = draw_parameters(seed * 1000 + attempt)
        if held_out_anatomy(p) == wanted:
            break
    tilt = float(rng.uniform(6.0, 24.0) * rng.choice([-1.0, 1.0, 1.0])) if rng.random() < 0.5 else 0.0
    if split == "train":
        p = _harder(p, rng)
    return make_head(
        p.seed, spacing, parameters=p, tilt_deg=tilt
    ), "procedural, held-out form" if wanted else "procedural"


def _harder(p: HeadParameters, rng: np.random.Generator) -> HeadParameters:
    """Wider spread than the demo's heads, and more of what looks like blood but is not."""
    return replace(
        p,
        rotation_deg=tuple(2.0 * a for a in p.rotation_deg),  # type: ignore[arg-type]
        falx_hu=float(rng.uniform(42, 72)),
        sinus_hu=float(rng.uniform(45, 76)),
        white_hu=p.white_hu + float(rng.normal(0, 1.5)),
        grey_hu=p.grey_hu + float(rng.normal(0, 1.5)),
        infarct=bool(rng.random() < 0.35),
        basal_calcium=bool(rng.random() < 0.25),
        falx_calcium=bool(rng.random() < 0.25),
        pineal_hu=float(rng.uniform(80, 400)) if rng.random() < 0.75 else 0.0,
        choroid_hu=float(rng.uniform(60, 350)) if rng.random() < 0.75 else 0.0,
        beam_hardening_hu=float(rng.uniform(0, 16)),
    )


def _draw_kinds(split: Split, number: int, rng: np.random.Generator) -> tuple[str, ...]:
    if split != "train":
        # Half negatives; the kinds in turn, so that every kind has the same number of cases.
        return () if number % 2 else (LESION_KINDS[number // 2 % len(LESION_KINDS)],)
    draw = rng.random()
    if draw < 0.33:
        return ()
    kinds = [*LESION_KINDS, "reference shape"]
    return tuple(str(k) for k in rng.choice(kinds, size=1 if draw < 0.82 else 2, replace=False))


def _sample(
    base: SyntheticHead,
    name: str,
    kinds: tuple[str, ...],
    seed: int,
    spacing_mm: Sequence[float],
    rng: np.random.Generator,
    hard: bool,
) -> Sample:
    head = replace(base, hu=base.hu.copy())
    mask = np.zeros(head.hu.shape, dtype=bool)
    placed = []
    if hard:
        _add_confounders(head, rng)
    for index, kind in enumerate(kinds):
        wanted = float(np.exp(rng.uniform(*np.log(VOLUME_RANGE_ML))))
        if kind == "reference shape":
            found = _insert_reference_shape(head, wanted, seed + 7 * index, rng)
            if found is None:
                continue
            mask |= found
        else:
            blood = float(rng.uniform(50.0, 84.0)) if hard else None
            wanted = min(wanted, 25.0) if kind == "intraventricular" else wanted
            mask |= insert_lesion(head, kind, wanted, seed + 7 * index, blood_hu=blood)
        placed.append(kind)
    volume = acquire(head, mask, spacing_mm, rng, hard=hard)
    if rng.random() < 0.5:
        volume = Volume(volume.hu[:, :, ::-1], volume.target[:, :, ::-1])
    return Sample(volume, tuple(placed), float(mask.sum()) * head.voxel_ml, name)


def _insert_reference_shape(
    head: SyntheticHead, volume_ml: float, seed: int, rng: np.random.Generator
) -> NDArray[np.bool_] | None:
    shapes = lesion_shapes()
    if not shapes:
        return None
    depth, shape_ml = shapes[rng.integers(len(shapes))]
    centres = np.flatnonzero(head.brain & (head.cavity_mm > 8.0))
    at = centres[rng.integers(len(centres))]
    grow = (volume_ml / shape_ml) ** (1 / 3)
    angle = float(rng.uniform(0, 2 * np.pi))
    x, y, z = (c - c.ravel()[at] for c in head.points_mm)
    turned = (np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x, z)
    where = np.stack([t / grow + (n - 1) / 2 for t, n in zip(reversed(turned), depth.shape, strict=True)])
    inside = ndimage.map_coordinates(depth, where, order=1, mode="nearest")
    outside = np.sqrt(x * x + y * y + z * z) > 45.0 + 2 * volume_ml
    inside[outside] -= 100.0
    return insert_shape(head, inside, min(volume_ml, 40.0), seed, blood_hu=float(rng.uniform(50.0, 84.0)))


def _add_confounders(head: SyntheticHead, rng: np.random.Generator) -> None:
    """Specks of calcium and dark old damage anywhere in the brain: neither is blood."""
    where = np.flatnonzero(head.brain & (head.cavity_mm > 3.0))
    for _ in range(int(rng.poisson(0.8))):
        at = where[rng.integers(len(where))]
        centre = tuple(float(c.ravel()[at]) for c in head.points_mm)
        r = float(rng.uniform(0.8, 2.6))
        _paint_ball(head, centre, (r, r, r), float(rng.uniform(110, 600)), 1.0, 1.0)
    for _ in range(int(rng.random() < 0.3)):
        at = where[rng.integers(len(where))]
        centre = tuple(float(c.ravel()[at]) for c in head.points_mm)
        axes = tuple(float(v) for v in rng.uniform(5.0, 24.0, 3))
        _paint_ball(head, centre, axes, float(rng.uniform(4.0, 22.0)), float(rng.uniform(1.0, 7.0)), 0.9)


def _paint_ball(
    head: SyntheticHead,
    centre: tuple[float, ...],
    axes: tuple[float, ...],
    value: float,
    edge_mm: float,
    strength: float,
) -> None:
    depth: Array = ellipsoid(head.points_mm, (centre[0], centre[1], centre[2]), (axes[0], axes[1], axes[2]))
    amount = strength * np.clip(depth / edge_mm + 0.5, 0.0, 1.0) * (head.cavity_mm > 0.5)
    head.hu += ((value - head.hu) * amount).astype(np.float32)


def write_samples(
    folder: Path, split: Split, numbers: Sequence[int], count: int, spacing_mm: Sequence[float]
) -> int:
    """Make and keep samples as .npz files; what is there already is kept. Returns how many were made."""
    folder.mkdir(parents=True, exist_ok=True)
    made = 0
    for number in numbers:
        last = folder / f"{split}-{number:05d}-{count - 1:02d}.npz"
        if last.exists():
            continue
        for index, sample in enumerate(make_samples(split, number, count, spacing_mm)):
            partial = folder / f"{split}-{number:05d}-{index:02d}.part"
            with partial.open("wb") as file:
                np.savez(
                    file,
                    hu=np.round(sample.volume.hu * 8.0).clip(-32768, 32767).astype(np.int16),
                    target=(sample.volume.target * 255.0).astype(np.uint8),
                )
            partial.rename(partial.with_suffix(".npz"))
            made += 1
    return made
