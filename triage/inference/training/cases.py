"""What a bundle says of scans of known content: judged scan by scan, kept head by head so that a run can go on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import structlog
import torch
from numpy.typing import NDArray
from scipy import ndimage

from triage.inference.bundle import LoadedBundle, load_bundle
from triage.inference.extract import Extraction, extract
from triage.inference.guard import check_input
from triage.inference.regions import region_features
from triage.inference.training.samples import Sample, Split, make_samples

log = structlog.get_logger(__name__)

#: From this grey value on a voxel is partly bone, whatever else is in it: nobody outlines blood there.
BONE_HU = 130.0

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Case:
    """What the bundle said about one scan, beside what is in it.

    ``dice`` is the overlap with all voxels that are at least half blood, ``dice_off_bone`` the same over voxels
    below BONE_HU only; 1 where there is neither blood nor a mask.
    """

    kind: str
    base: str
    scanner: str
    true_ml: float
    found_ml: float
    probability: float
    dice: float
    dice_off_bone: float
    refused: bool
    lookalikes: Sequence[str]
    features: dict[str, float]
    regions: Sequence[tuple[Mapping[str, float], float]] = ()

    @classmethod
    def of(cls, kept: dict[str, Any]) -> Case:
        """From ``asdict`` and JSON."""
        regions = tuple((features, share) for features, share in kept.get("regions", ()))
        return cls(**{**kept, "lookalikes": tuple(kept["lookalikes"]), "regions": regions})


def cases(
    bundle: LoadedBundle, split: Split, heads: int, *, processes: int = 1, kept: Path | None = None
) -> list[Case]:
    """Two scans of each of ``heads`` base heads, one with a bleed and one without."""
    threshold = float(bundle.config["mask_threshold"])
    return cases_at(bundle, split, heads, [threshold], processes=processes, kept=kept)[0]


def cases_at(
    bundle: LoadedBundle,
    split: Split,
    heads: int,
    mask_thresholds: Sequence[float],
    *,
    every_region: bool = False,
    processes: int = 1,
    kept: Path | None = None,
) -> list[list[Case]]:
    """The same scans judged at each mask threshold in turn; the network looks at each scan once.

    With ``every_region`` the bundle's rule leaves no region out, so that a rule can be fitted. What was judged lies
    in the folder ``kept``, a file a head, and is not judged again there with the same bundle.
    """
    jobs = [_Job(split, number, tuple(mask_thresholds), every_region) for number in range(heads)]
    files: list[Path | None] = [None] * heads
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        asked = hashlib.sha256(repr((tuple(mask_thresholds), every_region)).encode()).hexdigest()[:6]
        stamp = f"{bundle_stamp(bundle.path)}-{asked}"
        files = [kept / f"{split}-{stamp}-{job.number:04d}.json" for job in jobs]
    missing = [job for job, file in zip(jobs, files, strict=True) if file is None or not file.is_file()]
    new = _judge_all(bundle, missing, processes)
    found: list[list[Case]] = [[] for _ in mask_thresholds]
    for number, file in enumerate(files, start=1):
        if file is not None and file.is_file():
            judged = [
                [Case.of(one) for one in group] for group in json.loads(file.read_text(encoding="utf-8"))
            ]
        else:
            judged = next(new)
            if file is not None:
                unfinished = file.with_suffix(".part")
                text = json.dumps([[asdict(one) for one in group] for group in judged])
                unfinished.write_text(text, encoding="utf-8")
                unfinished.rename(file)
        for total, more in zip(found, judged, strict=True):
            total += more
        if number % 10 == 0:
            log.info("judging", split=split, heads=number, of=heads)
    return found


@dataclass(frozen=True)
class _Job:
    split: Split
    number: int
    mask_thresholds: tuple[float, ...]
    every_region: bool


def bundle_stamp(path: Path) -> str:
    """A name for what decides a bundle's answers: the hash of its weights and its configuration."""
    digest = hashlib.sha256()
    for part in ("models/model.pt", "configs/inference.json", "configs/firstread.json"):
        digest.update((path / part).read_bytes())
    return digest.hexdigest()[:16]


def _judge_all(bundle: LoadedBundle, jobs: Sequence[_Job], processes: int) -> Iterator[list[list[Case]]]:
    if processes < 2:
        yield from (_judge(bundle, job) for job in jobs)
        return
    with ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=_start, initargs=(bundle.path,)
    ) as pool:
        yield from pool.map(_judge_here, jobs)


def _start(path: Path) -> None:
    """A process that judges: one thread and a bundle of its own."""
    torch.set_num_threads(1)
    _loaded.append(load_bundle(path))


_loaded: list[LoadedBundle] = []


def _judge_here(job: _Job) -> list[list[Case]]:
    return _judge(_loaded[0], job)


def _judge(bundle: LoadedBundle, job: _Job) -> list[list[Case]]:
    """Both scans of a head at each mask threshold; three of four heads lie in a varied scanner."""
    varied = job.number % 4 < 3
    judged: list[list[Case]] = [[] for _ in job.mask_thresholds]
    for sample in make_samples(job.split, job.number, 2, bundle.spacing_mm, hard=varied):
        hu = np.ascontiguousarray(sample.volume.hu)
        refused = bool(check_input(hu, bundle.spacing_mm, bundle.config["input_limits"]))
        prob = bundle.predict(hu)
        for cases_here, threshold in zip(judged, job.mask_thresholds, strict=True):
            config = {**bundle.config, "mask_threshold": threshold}
            if job.every_region:
                config["regions"] = None
            result = extract(prob, bundle.spacing_mm, config, volume_hu=hu)
            case = _case(sample, "varied" if varied else "ordinary", result, refused)
            if job.every_region:
                case = replace(case, regions=_regions(sample, result, prob, hu, bundle.spacing_mm))
            cases_here.append(case)
    return judged


def _case(sample: Sample, scanner: str, result: Extraction, refused: bool) -> Case:
    truth = sample.volume.target > 0.5
    off_bone = sample.volume.hu < BONE_HU
    return Case(
        kind=sample.kinds[0] if sample.kinds else "none",
        base=sample.base,
        scanner=scanner,
        true_ml=sample.volume_ml,
        found_ml=result.volume_ml,
        probability=result.probability,
        dice=overlap(truth, result.mask),
        dice_off_bone=overlap(truth & off_bone, result.mask & off_bone),
        refused=refused,
        lookalikes=sample.lookalikes,
        features=result.features,
    )


def overlap(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Dice of two masks; 1 where both are empty."""
    total = int(a.sum()) + int(b.sum())
    return 2.0 * int((a & b).sum()) / total if total else 1.0


def _regions(
    sample: Sample, result: Extraction, prob: NDArray[np.float32], hu: NDArray[np.float32], spacing_mm: Triple
) -> list[tuple[Mapping[str, float], float]]:
    """Features of each region, with the part of it that is blood."""
    labels, count = ndimage.label(result.mask, structure=np.ones((3, 3, 3)))
    blood = sample.volume.target > 0.3
    regions = [labels == i for i in range(1, count + 1)]
    return [(region_features(r, prob, hu, spacing_mm), float(blood[r].mean())) for r in regions]
