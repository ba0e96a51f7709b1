"""Calibrate a trained bundle, measure it on scans it never saw, write its model card."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
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

from pacs.synthetic.lesions import LESION_KINDS
from triage.inference.bundle import LoadedBundle, load_bundle
from triage.inference.extract import NOTHING_FOUND, Extraction, extract, region_score, study_probability
from triage.inference.guard import check_input
from triage.inference.regions import REGION_FEATURES, region_features
from triage.inference.training.anatomy import shared_data
from triage.inference.training.card import read_training
from triage.inference.training.lookalikes import LOOKALIKES
from triage.inference.training.reference_cases import reference_cases
from triage.inference.training.samples import FIRST_SEED, Sample, Split, make_samples

log = structlog.get_logger(__name__)

SIZE_BINS_ML = ((0.0, 1.0), (1.0, 2.0), (2.0, 5.0), (5.0, 15.0), (15.0, 100.0))
#: Bleeds from here on must be found; smaller ones are counted, too, but apart.
SMALLEST_ML = 2.0
#: Share of scans with blood that the study probability is calibrated to.
PREVALENCE = 0.2
MASK_THRESHOLDS = (0.3, 0.4, 0.5, 0.6)
#: From this grey value on a voxel is partly bone, whatever else is in it: nobody outlines blood there.
BONE_HU = 130.0
#: A region that overlaps with blood by this part of itself is a bleed; one that does by less than half of it is none.
_BLEED_SHARE = 0.2
#: Regions less likely to be a bleed than this are left out.
_KEEP = 0.15
_SCANNERS = ("ordinary", "varied")

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


def cases(bundle: LoadedBundle, split: Split, heads: int, *, processes: int = 1) -> list[Case]:
    """Two scans of each of ``heads`` base heads, one with a bleed and one without."""
    return cases_at(bundle, split, heads, [float(bundle.config["mask_threshold"])], processes=processes)[0]


def cases_at(
    bundle: LoadedBundle,
    split: Split,
    heads: int,
    mask_thresholds: Sequence[float],
    *,
    every_region: bool = False,
    processes: int = 1,
) -> list[list[Case]]:
    """The same scans judged at each mask threshold in turn; the network looks at each scan once.

    With ``every_region`` the bundle's rule leaves no region out, so that a rule can be fitted.
    """
    found: list[list[Case]] = [[] for _ in mask_thresholds]
    jobs = [_Job(split, number, tuple(mask_thresholds), every_region) for number in range(heads)]
    for number, judged in enumerate(_judge_all(bundle, jobs, processes)):
        for total, new in zip(found, judged, strict=True):
            total += new
        if (number + 1) % 10 == 0:
            log.info("evaluating", split=split, heads=number + 1, of=heads)
    return found


@dataclass(frozen=True)
class _Job:
    split: Split
    number: int
    mask_thresholds: tuple[float, ...]
    every_region: bool


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


def fit_logistic(
    features: NDArray[np.float64],
    positive: NDArray[np.bool_],
    penalty: float = 0.02,
    prevalence: float | None = None,
) -> tuple[NDArray[np.float64], float]:
    """Coefficients and intercept of a logistic regression with a small ridge penalty, by Newton's method.

    ``features`` is [n, k]. The penalty keeps coefficients finite when the classes separate. With
    ``prevalence`` positives are weighted as if they were that part of all scans.
    """
    design = np.column_stack([features, np.ones(len(features))])
    ridge = np.diag([penalty] * features.shape[1] + [1e-6]) * len(features) / 10.0
    weights = np.zeros(design.shape[1])
    share = float(positive.mean())
    part = share if prevalence is None else prevalence
    count = np.where(positive, part / max(share, 1e-9), (1.0 - part) / max(1.0 - share, 1e-9))
    for _ in range(60):
        p = 1.0 / (1.0 + np.exp(-np.clip(design @ weights, -30, 30)))
        slope = design.T @ (count * (p - positive)) + ridge @ weights
        curve = (design * (count * (p * (1 - p) + 1e-9))[:, None]).T @ design + ridge
        step = np.linalg.solve(curve, slope)
        weights = weights - step
        if float(np.abs(step).max()) < 1e-8:
            break
    return weights[:-1], float(weights[-1])


def calibrate(path: Path, heads: int, *, processes: int = 1) -> dict[str, Any]:
    """Fit the rules and thresholds on the calibration split; writes configs/firstread.json.

    The mask threshold is the one of MASK_THRESHOLDS with the best mean overlap over bleeds from 2 mL. A logistic rule
    tells regions that are bleeds from the rest; the study probability is logistic on the best region's score, and on
    the feature ``found``, which sets scans with and without a region apart. It and the thresholds are
    fitted to scores from rules that never saw the scan. Rank threshold: keeps 97 % of the negatives unflagged, and
    lies at 0.15 and at three times the probability of a scan without a region, or above; alert threshold: above 99 %
    of the negatives, at least 0.5.
    """
    bundle = load_bundle(path)
    judged = cases_at(bundle, "calibrate", heads, MASK_THRESHOLDS, every_region=True, processes=processes)
    agreed = [
        float(np.mean([c.dice for c in group if c.kind != "none" and c.true_ml >= SMALLEST_ML] or [0.0]))
        for group in judged
    ]
    best = int(np.argmax(agreed))
    found = judged[best]
    table = np.array(_scores_from_elsewhere(found))
    positive = np.array([c.kind != "none" for c in found])
    coefficients, intercept = fit_logistic(table, positive, prevalence=PREVALENCE)
    probability = 1.0 / (1.0 + np.exp(-(table @ coefficients + intercept)))
    nothing = 1.0 / (1.0 + math.exp(-intercept))
    negatives = np.sort(probability[~positive])
    rank = max(0.15, 3.0 * nothing, float(np.quantile(negatives, 0.97)) + 0.005)
    alert = max(0.5, rank, float(np.quantile(negatives, 0.99)) + 0.005)
    config = dict(bundle.config)
    config["mask_threshold"] = MASK_THRESHOLDS[best]
    config["rank_threshold"] = math.ceil(100.0 * rank) / 100.0
    config["alert_threshold"] = min(math.ceil(100.0 * alert) / 100.0, 0.95)
    config["regions"] = fit_regions(found)
    config["probability"] = {
        "method": "logistic on whether a region was found and on the score of the best",
        "features": ["found", "best_region"],
        "coefficients": [round(float(c), 4) for c in coefficients],
        "intercept": round(intercept, 4),
        "prevalence": PREVALENCE,
    }
    target = path / "configs" / "firstread.json"
    target.write_text(json.dumps(config, indent=4) + "\n", encoding="utf-8")
    log.info(
        "calibrated",
        scans=len(found),
        nothing_found=round(nothing, 4),
        overlap=[round(value, 3) for value in agreed],
        mask=config["mask_threshold"],
        rank=config["rank_threshold"],
        alert=config["alert_threshold"],
    )
    return config


def fit_regions(found: Sequence[Case]) -> dict[str, Any]:
    """A logistic rule from a region's features to whether it is a bleed; regions that are partly blood are left out.

    Where all regions are bleeds, or none is, the rule keeps every region.
    """
    regions = [r for c in found for r in c.regions if r[1] >= _BLEED_SHARE or r[1] < 0.5 * _BLEED_SHARE]
    positive = np.array([share >= _BLEED_SHARE for _, share in regions], dtype=bool)
    rule: dict[str, Any] = {
        "method": "logistic on the features of triage.inference.regions",
        "features": list(REGION_FEATURES),
        "coefficients": [0.0] * len(REGION_FEATURES),
        "intercept": 0.0,
        "keep": _KEEP,
    }
    if positive.any() and not positive.all():
        table = np.array([[f[name] for name in REGION_FEATURES] for f, _ in regions])
        coefficients, intercept = fit_logistic(table, positive, penalty=0.1)
        rule["coefficients"] = [round(float(c), 4) for c in coefficients]
        rule["intercept"] = round(intercept, 4)
    return rule


def _scores_from_elsewhere(found: Sequence[Case]) -> list[list[float]]:
    """``found`` and ``best_region`` of each scan, from rules fitted to the other fourths of the heads.

    Two scans in a row share a head.
    """
    rules = [fit_regions([c for i, c in enumerate(found) if i // 2 % 4 != part]) for part in range(4)]
    table = []
    for index, case in enumerate(found):
        rule = rules[index // 2 % 4]
        kept = [f for f, _ in case.regions if study_probability(f, rule) >= rule["keep"]]
        scores = [region_score(features, rule) for features in kept]
        table.append([1.0, max(scores)] if scores else [0.0, 0.0])
    return table


def wilson(hits: int, of: int) -> dict[str, float | int | None]:
    """A proportion with its 95 % Wilson score interval; None where there are no cases."""
    if of == 0:
        return {"value": None, "low": None, "high": None, "hits": 0, "of": 0}
    z = 1.959963984540054
    p = hits / of
    middle = (p + z * z / (2 * of)) / (1 + z * z / of)
    half = z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return {
        "value": round(p, 4),
        "low": round(max(0.0, middle - half), 4),
        "high": round(min(1.0, middle + half), 4),
        "hits": hits,
        "of": of,
    }


def summarise(found: Sequence[Case], threshold: float) -> dict[str, Any]:
    """Sensitivity, specificity and sizes at one operating point, overall and by group."""
    positives = [c for c in found if c.kind != "none"]
    negatives = [c for c in found if c.kind == "none"]

    def flagged(group: Iterable[Case]) -> dict[str, Any]:
        members = list(group)
        return wilson(sum(c.probability >= threshold for c in members), len(members))

    def spared(group: Iterable[Case]) -> dict[str, Any]:
        members = list(group)
        return wilson(sum(c.probability < threshold for c in members), len(members))

    bases = sorted({c.base for c in found})
    hit = [c for c in positives if c.probability >= threshold]
    sizeable = [c for c in positives if c.true_ml >= SMALLEST_ML]
    return {
        "threshold": threshold,
        "sensitivity": flagged(positives),
        "sensitivity_from_2_ml": flagged(sizeable),
        "specificity": spared(negatives),
        "sensitivity_by_kind": {k: flagged(c for c in positives if c.kind == k) for k in LESION_KINDS},
        "sensitivity_from_2_ml_by_kind": {
            k: flagged(c for c in sizeable if c.kind == k) for k in LESION_KINDS
        },
        "sensitivity_by_ml": {
            f"{low:g} to {high:g} mL": flagged(c for c in positives if low <= c.true_ml < high)
            for low, high in SIZE_BINS_ML
        },
        "sensitivity_by_base": {b: flagged(c for c in positives if c.base == b) for b in bases},
        "sensitivity_by_scanner": {s: flagged(c for c in positives if c.scanner == s) for s in _SCANNERS},
        "specificity_by_base": {b: spared(c for c in negatives if c.base == b) for b in bases},
        "specificity_by_scanner": {s: spared(c for c in negatives if c.scanner == s) for s in _SCANNERS},
        "specificity_by_lookalike": {
            name: spared(c for c in negatives if name in c.lookalikes) for name in LOOKALIKES
        },
        "dice_from_2_ml": _spread([c.dice for c in sizeable]),
        "dice_from_2_ml_by_kind": {
            k: _spread([c.dice for c in sizeable if c.kind == k]) for k in LESION_KINDS
        },
        "dice_off_bone_from_2_ml": _spread([c.dice_off_bone for c in sizeable]),
        "dice_off_bone_from_2_ml_by_kind": {
            k: _spread([c.dice_off_bone for c in sizeable if c.kind == k]) for k in LESION_KINDS
        },
        "median_dice_of_flagged": round(float(np.median([c.dice for c in hit])), 3) if hit else None,
        "median_volume_ratio_of_flagged": (
            round(float(np.median([c.found_ml / c.true_ml for c in hit])), 3) if hit else None
        ),
    }


def _spread(values: Sequence[float]) -> dict[str, float | int | None]:
    """Mean with the 95 % interval of a bootstrap over scans, median, and how many scans."""
    if not values:
        return {"mean": None, "low": None, "high": None, "median": None, "of": 0}
    # Rounded first: a card's figures must follow from its list of scans.
    kept = np.round(np.asarray(values), 4)
    draws = np.random.default_rng(1).choice(kept, (2000, len(kept))).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return {
        "mean": round(float(kept.mean()), 3),
        "low": round(float(low), 3),
        "high": round(float(high), 3),
        "median": round(float(np.median(kept)), 3),
        "of": len(kept),
    }


def area_under_curve(found: Sequence[Case]) -> float:
    """Probability that a scan with blood ranks above one without (ties count half)."""
    with_blood = np.array([c.probability for c in found if c.kind != "none"])
    without = np.array([c.probability for c in found if c.kind == "none"])
    wins = (with_blood[:, None] > without).mean() + 0.5 * (with_blood[:, None] == without).mean()
    return round(float(wins), 4)


def evaluate(path: Path, heads: int, *, processes: int = 1) -> dict[str, Any]:
    """Measure the bundle in folder ``path`` on the test split and the reference cases."""
    bundle = load_bundle(path)
    begin = time.monotonic()
    found = cases(bundle, "test", heads, processes=processes)
    seconds = _seconds_per_head(bundle)
    config = bundle.config
    return {
        "bundle": bundle.metadata["name"],
        "training": read_training(path),
        "version": bundle.metadata["version"],
        "test_set": {
            "scans": len(found),
            "heads": heads,
            "first_seed": FIRST_SEED["test"],
            "refused_by_input_limits": sum(c.refused for c in found),
            "minutes": round((time.monotonic() - begin) / 60.0, 1),
        },
        "spacing_mm": list(bundle.spacing_mm),
        "nothing_found_probability": round(study_probability(NOTHING_FOUND, config["probability"]), 4),
        "area_under_curve": area_under_curve(found),
        "rank": summarise(found, float(config["rank_threshold"])),
        "alert": summarise(found, float(config["alert_threshold"])),
        "timed_shape": list(timed_shape(bundle)),
        "seconds_per_head": seconds,
        "reference_cases": check_references(bundle),
        "scans": [
            {
                k: (round(v, 4) if isinstance(v, float) else v)
                for k, v in asdict(c).items()
                if k not in ("features", "regions")
            }
            for c in found
        ],
    }


def check_references(bundle: LoadedBundle) -> list[dict[str, Any]]:
    """What the bundle says about the real head CT, the average brain and the phantoms; empty without them."""
    folder = shared_data()
    if folder is None:
        log.warning("reference data absent: the card will lack the real head CT and the phantoms")
        return []
    answers = []
    for case in reference_cases(folder, bundle.spacing_mm):
        reasons = check_input(case.volume, bundle.spacing_mm, bundle.config["input_limits"])
        answer: dict[str, Any] = {"name": case.name, "expected": case.expected, "reasons": reasons}
        if reasons:
            answer["result"] = "refused"
        else:
            prob = bundle.predict(case.volume)
            result = extract(prob, bundle.spacing_mm, bundle.config, volume_hu=case.volume)
            answer["probability"] = round(result.probability, 4)
            answer["suspicious_ml"] = round(result.volume_ml, 3)
            answer["result"] = (
                "flagged" if result.probability >= bundle.config["rank_threshold"] else "not flagged"
            )
        answers.append(answer)
    return answers


def timed_shape(bundle: LoadedBundle) -> tuple[int, int, int]:
    """Voxels of a box of 160 x 240 x 240 mm (z, y, x): a head with the air around it."""
    z, y, x = (round(mm / step) for mm, step in zip((160.0, 240.0, 240.0), bundle.spacing_mm, strict=True))
    return z, y, x


def _seconds_per_head(bundle: LoadedBundle) -> float:
    volume = np.full(timed_shape(bundle), -1000.0, dtype=np.float32)
    times = []
    for _ in range(3):
        begin = time.monotonic()
        bundle.predict(volume)
        times.append(time.monotonic() - begin)
    return round(min(times), 2)
