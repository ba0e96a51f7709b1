"""Choose a trained bundle's thresholds and rules on scans of the calibration split."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from triage.inference.bundle import load_bundle
from triage.inference.extract import region_score, study_probability
from triage.inference.regions import REGION_FEATURES
from triage.inference.training.cases import Case, cases_at
from triage.inference.training.figures import SMALLEST_ML

log = structlog.get_logger(__name__)

#: Share of scans with blood that the study probability is calibrated to.
PREVALENCE = 0.2
MASK_THRESHOLDS = (0.3, 0.4, 0.5, 0.6)
#: A region that overlaps with blood by this part of itself is a bleed; one that does by less than half of it is none.
_BLEED_SHARE = 0.2
#: Regions less likely to be a bleed than this are left out.
_KEEP = 0.15


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


def calibrate(path: Path, heads: int, *, processes: int = 1, kept: Path | None = None) -> dict[str, Any]:
    """Fit the rules and thresholds on the calibration split; writes configs/firstread.json.

    The mask threshold is the one of MASK_THRESHOLDS with the best mean overlap over bleeds from 2 mL. A logistic rule
    tells regions that are bleeds from the rest; the study probability is logistic on the best region's score, and on
    the feature ``found``, which sets scans with and without a region apart. It and the thresholds are
    fitted to scores from rules that never saw the scan. The thresholds are those of ``operating_points``.
    """
    bundle = load_bundle(path)
    judged = cases_at(
        bundle, "calibrate", heads, MASK_THRESHOLDS, every_region=True, processes=processes, kept=kept
    )
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
    rank, alert = operating_points(probability[~positive], nothing)
    config = dict(bundle.config)
    config["mask_threshold"] = MASK_THRESHOLDS[best]
    config["rank_threshold"], config["alert_threshold"] = rank, alert
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


def operating_points(negatives: NDArray[np.float64], nothing: float) -> tuple[float, float]:
    """Thresholds for ranking and for alerting, in hundredths, from the probabilities of scans without blood.

    ``nothing`` is the probability of a scan without any region. Rank: 97 % of the negatives stay below, and it lies at
    0.15 and at three times ``nothing``, or above. Alert: 99 % of them stay below, at least 0.5 and at most 0.95.
    """
    rank = max(0.15, 3.0 * nothing, float(np.quantile(negatives, 0.97)) + 0.005)
    alert = max(0.5, rank, float(np.quantile(negatives, 0.99)) + 0.005)
    return math.ceil(100.0 * rank) / 100.0, min(math.ceil(100.0 * alert) / 100.0, 0.95)


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
