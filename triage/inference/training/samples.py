"""Training and evaluation samples: a base head, none to two bleeds, a scanner."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pacs.synthetic.heads import SyntheticHead, make_head
from pacs.synthetic.lesions import LESION_KINDS, insert_lesion, insert_shape
from pacs.synthetic.parameters import HeadParameters, draw_parameters
from triage.inference.training.acquisition import HELD_OUT_SCANNER, TRAINING_SCANNER, Volume, acquire
from triage.inference.training.anatomy import lesion_shapes, make_reference_head, reference_brains
from triage.inference.training.lookalikes import add_lookalikes, add_more_lookalikes
from triage.inference.training.variation import vary_tissue, widened

Split = Literal["train", "calibrate", "test"]

#: First seed of each split: they never overlap.
FIRST_SEED: dict[Split, int] = {"train": 1_000_000, "calibrate": 2_000_000, "test": 3_000_000}
VOLUME_RANGE_ML = (0.6, 60.0)
#: Grey value of blood in HU, how lobed its outline is, and the size of look-alikes; the test's differ.
BLOOD_HU = {"train": (50.0, 84.0), "calibrate": (50.0, 84.0), "test": (52.0, 80.0)}
IRREGULAR = {"train": (0.5, 1.4), "calibrate": (0.5, 1.4), "test": (0.8, 1.8)}
LOOKALIKE_SIZE = {"train": 1.0, "calibrate": 1.0, "test": 1.2}
#: Thin bleeds are hard to learn: training shows more of them.
_TRAINING_KINDS = {
    "epidural": 0.15,
    "subdural": 0.25,
    "intraparenchymal": 0.13,
    "subarachnoid": 0.27,
    "intraventricular": 0.12,
    "reference shape": 0.08,
}


@dataclass(frozen=True)
class Sample:
    """One scan with what is in it; ``kinds`` is empty for a negative, ``volume_ml`` sums all bleeds."""

    volume: Volume
    kinds: tuple[str, ...]
    volume_ml: float
    base: str
    lookalikes: tuple[str, ...] = ()


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
        samples.append(_sample(split, head, base, kinds, seed * 100 + index, spacing_mm, rng, hard))
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
    scanner = HELD_OUT_SCANNER if split == "test" else TRAINING_SCANNER
    tilt = float(rng.uniform(*scanner.tilt_deg) * rng.choice([-1.0, 1.0, 1.0])) if rng.random() < 0.5 else 0.0
    if split != "test":
        p = widened(p, rng)
    return make_head(
        p.seed, spacing, parameters=p, tilt_deg=tilt
    ), "procedural, held-out form" if wanted else "procedural"


def _draw_kinds(split: Split, number: int, rng: np.random.Generator) -> tuple[str, ...]:
    if split != "train":
        # Half negatives; the kinds in turn, so that every kind has the same number of cases.
        return () if number % 2 else (LESION_KINDS[number // 2 % len(LESION_KINDS)],)
    draw = rng.random()
    if draw < 0.33:
        return ()
    kinds, shares = list(_TRAINING_KINDS), list(_TRAINING_KINDS.values())
    chosen = rng.choice(kinds, size=1 if draw < 0.82 else 2, replace=False, p=shares)
    return tuple(str(kind) for kind in chosen)


def _sample(
    split: Split,
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
    lookalikes = add_lookalikes(head, rng, more=LOOKALIKE_SIZE[split])
    if split != "test":
        add_more_lookalikes(head, rng)
    for index, kind in enumerate(kinds):
        wanted = float(np.exp(rng.uniform(*np.log(VOLUME_RANGE_ML))))
        if kind == "reference shape":
            found = _insert_reference_shape(head, wanted, seed + 7 * index, rng)
            if found is None:
                continue
            mask |= found
        else:
            blood = float(rng.uniform(*BLOOD_HU[split]))
            irregular = float(rng.uniform(*IRREGULAR[split]))
            wanted = min(wanted, 25.0) if kind == "intraventricular" else wanted
            mask |= insert_lesion(head, kind, wanted, seed + 7 * index, blood_hu=blood, irregular=irregular)
        placed.append(kind)
    if split != "test" and hard:
        vary_tissue(head, rng)
    scanner = HELD_OUT_SCANNER if split == "test" else TRAINING_SCANNER
    volume = acquire(head, mask, spacing_mm, rng, hard=hard, scanner=scanner)
    if rng.random() < 0.5:
        volume = Volume(volume.hu[:, :, ::-1], volume.target[:, :, ::-1])
    return Sample(volume, tuple(placed), float(mask.sum()) * head.voxel_ml, name, lookalikes)


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


def write_samples(
    folder: Path,
    split: Split,
    numbers: Sequence[int],
    count: int,
    spacing_mm: Sequence[float],
    *,
    processes: int = 1,
) -> int:
    """Make and keep samples as .npz files; what is there already is kept. Returns how many were made."""
    folder.mkdir(parents=True, exist_ok=True)
    last = [folder / f"{split}-{number:05d}-{count - 1:02d}.npz" for number in numbers]
    missing = [number for number, path in zip(numbers, last, strict=True) if not path.exists()]
    write = partial(_write_head, folder, split, count=count, spacing_mm=tuple(spacing_mm))
    if processes < 2:
        return sum(write(number) for number in missing)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return sum(pool.map(write, missing))


def _write_head(folder: Path, split: Split, number: int, *, count: int, spacing_mm: tuple[float, ...]) -> int:
    made = make_samples(split, number, count, spacing_mm)
    for index, sample in enumerate(made):
        unfinished = folder / f"{split}-{number:05d}-{index:02d}.part"
        with unfinished.open("wb") as file:
            np.savez(
                file,
                hu=np.round(sample.volume.hu * 8.0).clip(-32768, 32767).astype(np.int16),
                target=(sample.volume.target * 255.0).astype(np.uint8),
            )
        unfinished.rename(unfinished.with_suffix(".npz"))
    return len(made)
