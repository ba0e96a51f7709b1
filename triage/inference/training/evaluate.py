"""Calibrate a trained bundle, measure it on scans it never saw, write its model card."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from pacs.synthetic.lesions import LESION_KINDS
from triage.inference.bundle import LoadedBundle, load_bundle
from triage.inference.extract import extract
from triage.inference.guard import check_input
from triage.inference.training.anatomy import shared_data
from triage.inference.training.reference_cases import reference_cases
from triage.inference.training.samples import FIRST_SEED, Sample, Split, make_samples

log = structlog.get_logger(__name__)

SIZE_BINS_ML = ((0.0, 1.5), (1.5, 5.0), (5.0, 15.0), (15.0, 100.0))


@dataclass(frozen=True)
class Case:
    """What the bundle said about one scan, beside what is in it."""

    kind: str
    base: str
    scanner: str
    true_ml: float
    found_ml: float
    probability: float
    dice: float
    refused: bool
    features: dict[str, float]


def cases(bundle: LoadedBundle, split: Split, heads: int) -> list[Case]:
    """Two scans of each of ``heads`` base heads, one with a bleed and one without."""
    found = []
    for number in range(heads):
        hard = number % 4 < 2
        for sample in make_samples(split, number, 2, bundle.spacing_mm, hard=hard):
            found.append(_judge(bundle, sample, "varied" if hard else "ordinary"))
        if (number + 1) % 20 == 0:
            log.info("evaluating", split=split, heads=number + 1, of=heads)
    return found


def _judge(bundle: LoadedBundle, sample: Sample, scanner: str) -> Case:
    hu = np.ascontiguousarray(sample.volume.hu)
    refused = bool(check_input(hu, bundle.spacing_mm, bundle.config["input_limits"]))
    result = extract(bundle.predict(hu), bundle.spacing_mm, bundle.config, volume_hu=hu)
    truth = sample.volume.target > 0.5
    both = float((truth & result.mask).sum())
    total = float(truth.sum() + result.mask.sum())
    return Case(
        kind=sample.kinds[0] if sample.kinds else "none",
        base=sample.base,
        scanner=scanner,
        true_ml=sample.volume_ml,
        found_ml=result.volume_ml,
        probability=result.probability,
        dice=2.0 * both / total if total else 1.0,
        refused=refused,
        features=result.features,
    )


def fit_logistic(
    features: NDArray[np.float64], positive: NDArray[np.bool_], penalty: float = 0.02
) -> tuple[NDArray[np.float64], float]:
    """Coefficients and intercept of a logistic regression with a small ridge penalty, by Newton's method.

    ``features`` is [n, k]. The penalty keeps coefficients finite when the classes separate.
    """
    design = np.column_stack([features, np.ones(len(features))])
    ridge = np.diag([penalty] * features.shape[1] + [1e-6]) * len(features) / 10.0
    weights = np.zeros(design.shape[1])
    for _ in range(60):
        p = 1.0 / (1.0 + np.exp(-np.clip(design @ weights, -30, 30)))
        slope = design.T @ (p - positive) + ridge @ weights
        curve = (design * (p * (1 - p) + 1e-9)[:, None]).T @ design + ridge
        step = np.linalg.solve(curve, slope)
        weights = weights - step
        if float(np.abs(step).max()) < 1e-8:
            break
    return weights[:-1], float(weights[-1])


def calibrate(path: Path, heads: int) -> dict[str, Any]:
    """Fit the study probability and its thresholds on the calibration split; writes configs/firstread.json.

    Rank threshold: the lowest that keeps 95 % of the negatives unflagged, at least 0.3; alert threshold: above
    99 % of them, at least 0.6.
    """
    bundle = load_bundle(path)
    names = bundle.config["probability"]["features"]
    found = cases(bundle, "calibrate", heads)
    table = np.array([[c.features[n] for n in names] for c in found])
    positive = np.array([c.kind != "none" for c in found])
    coefficients, intercept = fit_logistic(table, positive)
    probability = 1.0 / (1.0 + np.exp(-(table @ coefficients + intercept)))
    negatives = np.sort(probability[~positive])
    rank = max(0.3, math.ceil(100 * float(np.quantile(negatives, 0.95)) + 0.5) / 100)
    alert = max(0.6, rank, math.ceil(100 * float(np.quantile(negatives, 0.99)) + 0.5) / 100)
    config = dict(bundle.config)
    config["rank_threshold"], config["alert_threshold"] = round(rank, 2), round(min(alert, 0.95), 2)
    config["probability"] = {
        **config["probability"],
        "coefficients": [round(float(c), 4) for c in coefficients],
        "intercept": round(intercept, 4),
    }
    target = path / "configs" / "firstread.json"
    target.write_text(json.dumps(config, indent=4) + "\n", encoding="utf-8")
    log.info("calibrated", scans=len(found), rank=config["rank_threshold"], alert=config["alert_threshold"])
    return config


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
    return {
        "threshold": threshold,
        "sensitivity": flagged(positives),
        "specificity": spared(negatives),
        "sensitivity_by_kind": {k: flagged(c for c in positives if c.kind == k) for k in LESION_KINDS},
        "sensitivity_by_ml": {
            f"{low:g} to {high:g} mL": flagged(c for c in positives if low <= c.true_ml < high)
            for low, high in SIZE_BINS_ML
        },
        "sensitivity_by_base": {b: flagged(c for c in positives if c.base == b) for b in bases},
        "specificity_by_base": {b: spared(c for c in negatives if c.base == b) for b in bases},
        "specificity_by_scanner": {
            s: spared(c for c in negatives if c.scanner == s) for s in ("ordinary", "varied")
        },
        "median_dice_of_flagged": round(float(np.median([c.dice for c in hit])), 3) if hit else None,
        "median_volume_ratio_of_flagged": (
            round(float(np.median([c.found_ml / c.true_ml for c in hit])), 3) if hit else None
        ),
    }


def area_under_curve(found: Sequence[Case]) -> float:
    """Probability that a scan with blood ranks above one without (ties count half)."""
    with_blood = np.array([c.probability for c in found if c.kind != "none"])
    without = np.array([c.probability for c in found if c.kind == "none"])
    wins = (with_blood[:, None] > without).mean() + 0.5 * (with_blood[:, None] == without).mean()
    return round(float(wins), 4)


def evaluate(path: Path, heads: int) -> dict[str, Any]:
    """Measure the bundle in folder ``path`` on the test split and the reference cases."""
    bundle = load_bundle(path)
    begin = time.monotonic()
    found = cases(bundle, "test", heads)
    seconds = _seconds_per_head(bundle)
    config = bundle.config
    return {
        "bundle": bundle.metadata["name"],
        "version": bundle.metadata["version"],
        "test_set": {
            "scans": len(found),
            "heads": heads,
            "first_seed": FIRST_SEED["test"],
            "refused_by_input_limits": sum(c.refused for c in found),
            "minutes": round((time.monotonic() - begin) / 60.0, 1),
        },
        "area_under_curve": area_under_curve(found),
        "rank": summarise(found, float(config["rank_threshold"])),
        "alert": summarise(found, float(config["alert_threshold"])),
        "seconds_per_head": seconds,
        "reference_cases": check_references(bundle),
        "scans": [
            {k: (round(v, 4) if isinstance(v, float) else v) for k, v in asdict(c).items() if k != "features"}
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


def _seconds_per_head(bundle: LoadedBundle) -> float:
    volume = np.full((40, 120, 120), -1000.0, dtype=np.float32)
    times = []
    for _ in range(3):
        begin = time.monotonic()
        bundle.predict(volume)
        times.append(time.monotonic() - begin)
    return round(min(times), 2)
