"""A balanced set of synthetic studies to measure a model on: what is in each is known, nothing is a patient."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from pacs.synthetic.lesions import LESION_KINDS
from pacs.synthetic.studies import SyntheticStudy, make_study

#: Slices of the whole head: (thickness in mm, how many).
STACKS: Final = ((5.0, 32), (5.0, 32), (3.0, 54), (2.5, 64))
#: Scanners by name: standard deviation in HU of the noise that each adds.
SCANNERS: Final = {"Procedural head": 0.0, "Procedural head, low dose": 4.0}
VOLUME_ML: Final = (1.0, 60.0)
#: Room that every head has for a kind, in mL; more is not asked for.
ROOM_ML: Final = {"subarachnoid": 40.0, "intraventricular": 20.0}


@dataclass(frozen=True)
class Plan:
    """One study of the set."""

    seed: int
    lesion: str | None
    volume_ml: float
    slice_mm: float
    slices: int
    tilt_deg: float
    scanner: str


def plans(count: int, seed: int) -> list[Plan]:
    """Half of the studies with a bleed, its kinds in turn, volumes even on a log scale; the same for a seed."""
    made = []
    for index in range(count):
        rng = np.random.default_rng([seed, index, 61])
        kind = LESION_KINDS[index // 2 % len(LESION_KINDS)] if index % 2 == 0 else None
        low, high = VOLUME_ML
        most = min(high, ROOM_ML.get(kind or "", high))
        slice_mm, slices = STACKS[int(rng.integers(len(STACKS)))]
        made.append(
            Plan(
                seed=seed * 10_000 + index,
                lesion=kind,
                volume_ml=round(float(np.exp(rng.uniform(np.log(low), np.log(most)))), 2) if kind else 0.0,
                slice_mm=slice_mm,
                slices=slices,
                tilt_deg=float(rng.choice([0.0, 0.0, 12.0, 18.0])),
                scanner=str(rng.choice(list(SCANNERS))),
            )
        )
    return made


def write_evaluation_set(directory: Path, count: int, seed: int, *, matrix: int = 512) -> Iterator[str]:
    """Write ``count`` studies, one folder each, masks of the bleeds and ``truth.json``; yields each folder.

    ``masks/<folder>.npz`` holds ``mask``, bool [slice, row, column], and ``sop_instance_uids`` of the slices.
    """
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "masks").mkdir(exist_ok=True)
    truths = []
    for plan in plans(count, seed):
        folder = directory / f"synthetic-{plan.seed:08d}"
        truths.append(_write(directory, folder, plan, matrix))
        yield folder.name
    (directory / "truth.json").write_text(json.dumps(truths, indent=2) + "\n", encoding="utf-8")


def _write(directory: Path, folder: Path, plan: Plan, matrix: int) -> dict[str, Any]:
    study = _make(plan, matrix)
    folder.mkdir(exist_ok=True)
    axial = [d for d in study.datasets if "LOCALIZER" not in d.ImageType]
    _scan(axial, plan)
    for number, dataset in enumerate(study.datasets):
        dataset.ManufacturerModelName = plan.scanner
        dataset.save_as(folder / f"{number:03d}.dcm", enforce_file_format=True)
    truth = {**study.truth, "folder": folder.name, "synthetic": True}
    if plan.lesion is not None:
        truth["mask"] = f"masks/{folder.name}.npz"
        _save_mask(directory / truth["mask"], study, axial)
    return truth


def _make(plan: Plan, matrix: int) -> SyntheticStudy:
    try:
        return make_study(
            plan.seed,
            plan.lesion,
            plan.volume_ml,
            matrix=matrix,
            slices=plan.slices,
            slice_mm=plan.slice_mm,
            tilt_deg=plan.tilt_deg,
            localizer=True,
        )
    except ValueError:
        # This head has no room for so much of that kind: the truth says what was drawn.
        if plan.volume_ml <= VOLUME_ML[0]:
            raise
        return _make(replace(plan, volume_ml=max(VOLUME_ML[0], round(plan.volume_ml / 2, 2))), matrix)


def _scan(axial: list[Dataset], plan: Plan) -> None:
    """Add the scanner's own noise to the stored pixels."""
    deviation = SCANNERS[plan.scanner]
    if not deviation:
        return
    rng = np.random.default_rng([plan.seed, 62])
    for dataset in axial:
        stored: NDArray[Any] = np.frombuffer(dataset.PixelData, dtype="<u2")
        noisy = stored + rng.normal(0.0, deviation, stored.shape)
        dataset.PixelData = np.clip(np.rint(noisy), 0, 4095).astype("<u2").tobytes()


def _save_mask(path: Path, study: SyntheticStudy, axial: list[Dataset]) -> None:
    np.savez_compressed(
        path, mask=study.mask, sop_instance_uids=np.array([str(d.SOPInstanceUID) for d in axial])
    )
