"""Samples of the subtype demonstration: synthetic heads with none, one or two kinds of bleed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from scipy import ndimage

from pacs.synthetic.heads import FIELD_MM, SCAN_Z_MM, make_head
from pacs.synthetic.lesions import LESION_KINDS, insert_lesion
from triage.inference.training.classifier import Images

#: First seed of each split: they never overlap.
FIRST_SEED: Final = {"train": 7_000_000, "calibrate": 8_000_000, "test": 9_000_000}
VOLUME_RANGE_ML: Final = (2.0, 60.0)
AIR_HU: Final = -1024.0


def head_samples(
    number: int, count: int, spacing_mm: Sequence[float]
) -> tuple[list[Images], list[list[float]]]:
    """`count` training scans of head `number` as regular volumes [1, z, y, x] in HU, and their labels.

    A quarter has no bleed, a quarter two kinds. The grid is shifted from head to head, as a scan's is.
    """
    seed = FIRST_SEED["train"] + number
    rng = np.random.default_rng([seed, 43])
    reach = (SCAN_Z_MM[1] - SCAN_Z_MM[0], *FIELD_MM)
    shape = [int(np.ceil(r / s)) + int(rng.integers(-2, 3)) for r, s in zip(reach, spacing_mm, strict=True)]
    base = make_head(seed, spacing_mm, shape)
    images, labels = [], []
    for index in range(count):
        head = replace(base, hu=base.hu.copy())
        draw = rng.random()
        chosen = rng.choice(LESION_KINDS, size=0 if draw < 0.25 else 1 if draw < 0.75 else 2, replace=False)
        for kind in chosen:
            volume = float(np.exp(rng.uniform(*np.log(VOLUME_RANGE_ML))))
            volume = min(volume, 20.0) if kind == "intraventricular" else volume
            insert_lesion(head, str(kind), volume, seed * 10 + index, blood_hu=float(rng.uniform(50, 82)))
        images.append(scanned(head.hu, rng))
        labels.append([float(kind in chosen) for kind in LESION_KINDS])
    return images, labels


def scanned(hu: Images, rng: np.random.Generator) -> Images:
    """A blur and grain about as strong as in the regular volume of a real series."""
    soft = ndimage.gaussian_filter(hu, [rng.uniform(0.2, 0.6), *[rng.uniform(0.2, 0.6)] * 2])
    grain = rng.standard_normal(hu.shape, dtype=np.float32)
    grain = ndimage.gaussian_filter(grain, [0.0, 0.6, 0.6])
    grain *= rng.uniform(1.0, 5.0) / float(grain.std())
    return np.asarray((soft + grain)[None], dtype=np.float32)


def change_head(image: Images, rng: np.random.Generator) -> Images:
    """Mirrored, shifted by whole voxels, brighter or darker, with more grain."""
    if rng.random() < 0.5:
        image = image[..., ::-1]
    shift = (0, *(int(v) for v in (rng.integers(-1, 2), rng.integers(-4, 5), rng.integers(-4, 5))))
    moved = np.roll(image, shift, axis=(0, 1, 2, 3)) * float(rng.uniform(0.96, 1.04))
    moved = moved + float(rng.normal(0, 2.0))
    return np.asarray(
        moved + rng.standard_normal(moved.shape, dtype=np.float32) * rng.uniform(0, 2.0), dtype=np.float32
    )
