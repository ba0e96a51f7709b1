"""The two classifiers that ship beside the demonstration: train, calibrate, measure by the path of production."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import structlog
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from pacs.synthetic.chest_studies import make_chest_study
from pacs.synthetic.lesions import LESION_KINDS
from pacs.synthetic.studies import make_study
from triage.inference import engine
from triage.inference.analysis import OutsideLimits
from triage.inference.bundle import LoadedBundle, load_bundle
from triage.inference.training import chests, subtypes
from triage.inference.training.classifier import (
    Fitted,
    logits,
    measure,
    platt,
    share,
    thresholds,
    train_classifier,
)
from triage.targets import targets

log = structlog.get_logger(__name__)

Truth = NDArray[np.bool_]
SUBTYPE_SPACING_MM: Final = (5.0, 3.2, 3.2)
# A flag for ranking may be wrong in so many of a hundred negatives.
WANTED_SPECIFICITY: Final = {"cxr_demo": 0.97, "ich_subtype_demo": 0.97}


@dataclass(frozen=True)
class Asked:
    """Answers [case, finding] of a bundle on whole DICOM studies, truth [case, output], and what was refused."""

    raw: NDArray[np.float64]
    truth: Truth
    notes: list[dict[str, Any]]
    refused: list[str]


def train_cxr(bundle: Path, *, images: int, epochs: int) -> Fitted:
    """Train models/cxr_demo on synthetic radiographs made on the way."""
    cases = list(chests.chest_cases("train", images))
    made = [chests.chest_image(case).astype(np.float16) for case in cases]
    labels = np.array([chests.chest_labels(case) for case in cases], dtype=np.float32)
    return train_classifier(
        bundle,
        made,
        labels,
        lambda image, rng: chests.change_chest(image.astype(np.float32), rng),
        bundle / "models" / "model.pt",
        epochs=epochs,
    )


def train_subtypes(bundle: Path, *, heads: int, epochs: int) -> Fitted:
    """Train models/ich_subtype_demo on four synthetic scans of each head."""
    made, labels = [], []
    for number in range(heads):
        volumes, kinds = subtypes.head_samples(number, 4, SUBTYPE_SPACING_MM)
        made += [volume.astype(np.float16) for volume in volumes]
        labels += kinds
    return train_classifier(
        bundle,
        made,
        np.array(labels, dtype=np.float32),
        lambda image, rng: subtypes.change_head(image.astype(np.float32), rng),
        bundle / "models" / "model.pt",
        epochs=epochs,
    )


def chest_studies(split: str, count: int) -> Iterator[tuple[list[Dataset], list[bool], dict[str, Any]]]:
    """Whole DX studies of a split, what is true of each output, and what they are."""
    for case in chests.chest_cases(split, count):
        made = make_chest_study(
            case.seed, case.lesion, size=case.size, parameters=case.parameters, matrix=256,
            inverted=case.seed % 3 == 0,
        )  # fmt: skip
        note = {"lesion": case.lesion, "size": round(case.size, 3), "view": case.parameters.view}
        yield made.datasets, [value > 0 for value in chests.chest_labels(case)], note


def head_studies(split: str, count: int) -> Iterator[tuple[list[Dataset], list[bool], dict[str, Any]]]:
    """Whole head CTs, a quarter without a bleed, the others with each kind in turn."""
    for number in range(count):
        seed = subtypes.FIRST_SEED[split] + number
        rng = np.random.default_rng([seed, 44])
        kind = None if number % 4 == 3 else LESION_KINDS[number % len(LESION_KINDS)]
        volume = float(np.exp(rng.uniform(*np.log(subtypes.VOLUME_RANGE_ML))))
        volume = min(volume, 20.0) if kind == "intraventricular" else volume
        made = make_study(seed, kind, volume, matrix=128, slices=28, slice_mm=5.5 if split == "test" else 5.0)
        note = {"lesion": kind, "volume_ml": round(volume, 1)}
        yield made.datasets, [kind == name for name in LESION_KINDS], note


def ask(bundle: LoadedBundle, studies: Iterator[tuple[list[Dataset], list[bool], dict[str, Any]]]) -> Asked:
    """Write each study as DICOM files and run the engine on them, as a worker does."""
    raw, truth, notes, refused = [], [], [], []
    with tempfile.TemporaryDirectory(prefix="firstread-demo-") as folder:
        for datasets, true, note in studies:
            files = []
            for number, dataset in enumerate(datasets):
                files.append(Path(folder) / f"{number}.dcm")
                dataset.save_as(files[-1], enforce_file_format=True)
            try:
                analysis = engine.analyse(files, bundle, "")
            except OutsideLimits as error:
                refused.append(str(error))
                continue
            raw.append([target.probability for target in analysis.targets])
            truth.append(true)
            notes.append(note)
    return Asked(np.array(raw), np.array(truth, dtype=bool), notes, refused)


def calibrate(path: Path, asked: Asked, *, specificity: float) -> dict[str, Any]:
    """Fit each output's logistic rule and thresholds and write them into configs/firstread.json."""
    file = path / "configs" / "firstread.json"
    config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    for place, entry in enumerate(config["findings"]):
        raw, true = asked.raw[:, place], asked.truth[:, entry["output"]]
        slope, intercept = platt(raw, true)
        probability = 1.0 / (1.0 + np.exp(-(slope * logits(raw) + intercept)))
        rank, alert = thresholds(probability, true, specificity=specificity)
        entry |= {"rank_threshold": rank, "alert_threshold": alert}
        entry["probability"] = {
            "method": "logistic on the network's logit (Platt)",
            "features": ["logit"],
            "coefficients": [slope],
            "intercept": intercept,
        }
    file.write_text(json.dumps(config, indent=4) + "\n", encoding="utf-8")
    return config


def without_calibration(path: Path) -> None:
    """Let the bundle answer as its network does, so that it can be calibrated."""
    file = path / "configs" / "firstread.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    for entry in config["findings"]:
        entry["probability"] = {}
    file.write_text(json.dumps(config, indent=4) + "\n", encoding="utf-8")


def measured(path: Path, asked: Asked) -> dict[str, Any]:
    """By finding, at both thresholds; how often a negative study is flagged at all; and by size."""
    config = json.loads((path / "configs" / "firstread.json").read_text(encoding="utf-8"))
    found = targets(config)
    by_finding = {}
    for place, finding in enumerate(found):
        p, true = asked.raw[:, place], asked.truth[:, finding.output]
        by_finding[finding.name] = {
            "rank": {"threshold": finding.rank_threshold, **measure(p, true, finding.rank_threshold)},
            "alert": {"threshold": finding.alert_threshold, **measure(p, true, finding.alert_threshold)},
        }
    flagged = np.any([asked.raw[:, i] >= f.rank_threshold for i, f in enumerate(found)], axis=0)
    truth = asked.truth[:, [finding.output for finding in found]]
    negative = ~truth.any(axis=1)
    named = asked.raw.argmax(axis=1) == truth.argmax(axis=1)
    return {
        "studies": len(asked.raw),
        "refused": asked.refused,
        "findings": by_finding,
        "negative_studies_without_any_flag": share(int((negative & ~flagged).sum()), int(negative.sum())),
        "positive_studies_with_the_right_kind_first": share(
            int((named & ~negative).sum()), int((~negative).sum())
        ),
    }


def finish(
    path: Path,
    studies: Callable[[str, int], Iterator[tuple[list[Dataset], list[bool], dict[str, Any]]]],
    *,
    calibration: int,
    test: int,
    fitted: Fitted | None,
    command: str,
) -> dict[str, Any]:
    """Calibrate on one split, measure on the other, and write docs/evaluation.json."""
    without_calibration(path)
    first = ask(load_bundle(path), studies("calibrate", calibration))
    calibrate(path, first, specificity=WANTED_SPECIFICITY[path.name])
    second = ask(load_bundle(path), studies("test", test))
    before = path / "docs" / "evaluation.json"
    known = json.loads(before.read_text(encoding="utf-8")) if before.is_file() else {}
    results = {
        "bundle": path.name,
        "version": json.loads((path / "configs" / "metadata.json").read_text(encoding="utf-8"))["version"],
        "command": command,
        "training": asdict(fitted) if fitted is not None else known.get("training"),
        "calibration_studies": len(first.raw),
        **measured(path, second),
    }
    before.parent.mkdir(exist_ok=True)
    before.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return results
