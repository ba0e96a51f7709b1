"""Figures of a list of judged scans: proportions with intervals, overlap, area under the curve."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pacs.synthetic.lesions import LESION_KINDS
from triage.inference.training.cases import Case
from triage.inference.training.lookalikes import LOOKALIKES

SIZE_BINS_ML = ((0.0, 1.0), (1.0, 2.0), (2.0, 5.0), (5.0, 15.0), (15.0, 100.0))
#: Bleeds from here on must be found; smaller ones are counted, too, but apart.
SMALLEST_ML = 2.0
_SCANNERS = ("ordinary", "varied")


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
