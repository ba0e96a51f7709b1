"""Samples of the chest radiograph demonstration: synthetic radiographs, with and without a lesion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy import ndimage

from pacs.synthetic.chest import CHEST_LESIONS, ChestParameters, draw_chest, make_chest
from triage.inference.training.classifier import Images

#: First seed of each split: they never overlap.
FIRST_SEED: Final = {"train": 4_000_000, "calibrate": 5_000_000, "test": 6_000_000}
MATRIX: Final = 125
#: The test's lesions are smaller, and its technique wider, than what training shows.
SIZES: Final = {"train": (0.1, 1.0), "calibrate": (0.1, 1.0), "test": (0.05, 0.9)}


@dataclass(frozen=True)
class ChestCase:
    """One case of a split: `lesion` None for a negative; `parameters` of the chest."""

    seed: int
    lesion: str | None
    size: float
    parameters: ChestParameters


def chest_cases(split: str, count: int) -> Iterator[ChestCase]:
    """Half without a lesion, the rest of each kind in turn; the same for the same arguments."""
    for number in range(count):
        seed = FIRST_SEED[split] + number
        rng = np.random.default_rng([seed, 73])
        lesion = None if number % 2 else CHEST_LESIONS[number // 2 % len(CHEST_LESIONS)]
        p = draw_chest(seed)
        if split == "test":
            p = _other_technique(p, rng)
        yield ChestCase(seed, lesion, float(rng.uniform(*SIZES[split])), p)


def chest_image(case: ChestCase, matrix: int = MATRIX) -> Images:
    """The radiograph as the house gives it to the bundle: [1, row, column], 0 to 1, bright where dense."""
    made = make_chest(case.seed, case.lesion, size=case.size, matrix=matrix, parameters=case.parameters)
    return made.image[None]


def chest_labels(case: ChestCase) -> list[float]:
    """0 or 1 for each of CHEST_LESIONS."""
    return [float(case.lesion == kind) for kind in CHEST_LESIONS]


def change_chest(image: Images, rng: np.random.Generator) -> Images:
    """Another position, contrast and noise; seldom mirrored, as a radiograph may be."""
    angle, zoom = np.radians(rng.normal(0, 4.0)), rng.uniform(0.9, 1.12)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / zoom
    middle = (np.array(image.shape[1:]) - 1) / 2
    offset = middle - turn @ (middle + rng.normal(0, 3.5, 2))
    moved = ndimage.affine_transform(image[0], turn, offset, order=1, mode="nearest")
    if rng.random() < 0.1:
        moved = moved[:, ::-1]
    toned = np.clip(moved, 0.0, 1.0) ** np.exp(rng.normal(0, 0.25))
    toned = toned * rng.uniform(0.8, 1.1) + rng.normal(0, 0.04)
    toned += rng.standard_normal(toned.shape, dtype=np.float32) * rng.uniform(0, 0.02)
    return np.asarray(toned[None], dtype=np.float32)


def _other_technique(p: ChestParameters, rng: np.random.Generator) -> ChestParameters:
    """More noise, more scatter, other proportions and more distractions than training ever shows."""
    return replace(
        p,
        noise=float(rng.uniform(0.012, 0.028)),
        scatter=float(rng.uniform(0.2, 0.42)),
        width=p.width * float(rng.choice([0.95, 1.08])),
        depth=p.depth * float(rng.uniform(0.85, 1.25)),
        heart=p.heart * float(rng.uniform(0.95, 1.15)),
        rotation=p.rotation * 1.5,
        markings=p.markings * float(rng.choice([0.8, 1.25])),
    )
