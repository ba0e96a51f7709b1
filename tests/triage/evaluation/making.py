"""Small labelled folders of studies, and answers that a model might give, without a model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from tests.triage.conftest import ball_series
from triage.bundles import Fingerprint
from triage.evaluation.subjects import Subject
from triage.inference.analysis import Analysis, OutsideLimits, Target
from triage.inference.volume import FrameSource

CONFIG: dict[str, Any] = {
    "finding": {"code": "1386000", "scheme": "SCT", "meaning": "Intracranial hemorrhage"},
    "rank_threshold": 0.3,
    "alert_threshold": 0.6,
    "input_limits": {"modality": ["CT"], "min_slices": 4},
    "routing": {"modality": "CT", "body_part_any": ["HEAD"]},
}
TARGET = "intracranial-hemorrhage"


def subject(folder: Path, **config: Any) -> Subject:
    """A model that is never loaded."""
    folder.mkdir(exist_ok=True)
    return Subject(
        name="testing",
        version="1.0",
        folder=folder,
        pinned=Fingerprint("a" * 64, "b" * 64),
        config={**CONFIG, **config},
        rules=(CONFIG["routing"],),
        intended_use="Only for tests.",
        registered=False,
    )


def write_series(folder: Path, datasets: Sequence[Dataset]) -> list[str]:
    """One file an instance; returns their SOP Instance UIDs."""
    folder.mkdir(parents=True, exist_ok=True)
    for dataset in datasets:
        dataset.save_as(folder / f"{dataset.SOPInstanceUID}.dcm", enforce_file_format=True)
    return [str(dataset.SOPInstanceUID) for dataset in datasets]


def write_set(folder: Path, cases: dict[str, dict[str, Any]]) -> Path:
    """A folder with one small series a case, a mask in the third slice of those with a lesion, truth.json.

    A case holds `lesion`, `volume_ml`, and keyword arguments for the images under `images`.
    """
    truths = []
    (folder / "masks").mkdir(parents=True, exist_ok=True)
    for name, case in cases.items():
        uids = write_series(folder / name, ball_series(slices=6, **case.get("images", {})))
        truth = {"folder": name, "lesion": case.get("lesion"), "volume_ml": case.get("volume_ml", 10.0)}
        if truth["lesion"]:
            mask = np.zeros((len(uids), 40, 40), dtype=bool)
            mask[2, 10:20, 10:20] = True
            np.savez_compressed(folder / "masks" / f"{name}.npz", mask=mask, sop_instance_uids=np.array(uids))
            truth["mask"] = f"masks/{name}.npz"
        truths.append(truth)
    (folder / "truth.json").write_text(json.dumps(truths))
    return folder


@dataclass
class Answers:
    """Says of each study what it is told to, by the name of the folder, and remembers what it was asked.

    A probability; or "outside", "broken".
    """

    said: dict[str, float | str]
    asked: list[str] = field(default_factory=list)
    hit: bool = True

    def __call__(self, files: Sequence[Path]) -> Analysis:
        name = files[0].parent.name
        self.asked.append(name)
        said = self.said[name]
        if said == "outside":
            raise OutsideLimits("brain-like tissue measures 0 mL, outside 500 to 2600 mL")
        if said == "broken":
            raise ZeroDivisionError("SYNTHETIC^NAME must not be told")
        probability = float(said)
        uids = sorted(
            (str(header.SOPInstanceUID), float(header.ImagePositionPatient[2]))
            for header in (pydicom.dcmread(path, stop_before_pixels=True) for path in files)
        )
        ordered = [uid for uid, _ in sorted(uids, key=lambda pair: pair[1])]
        mask = np.zeros((len(ordered), 40, 40), dtype=bool)
        if probability >= 0.3 and self.hit:
            mask[2, 10:20, 10:15] = True
        target = Target(TARGET, probability, volume_ml=5.0 if mask.any() else None, mask=mask)
        return Analysis(
            targets=(target,),
            sources=tuple(FrameSource(uid) for uid in ordered),
            stack=None,
            weights_sha256="a" * 64,
        )
