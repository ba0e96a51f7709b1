"""Measure a bundle on scans it never saw; the model card is written from the result."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from triage.inference.bundle import LoadedBundle, load_bundle
from triage.inference.extract import NOTHING_FOUND, extract, study_probability
from triage.inference.guard import check_input
from triage.inference.training.anatomy import shared_data
from triage.inference.training.card import read_training
from triage.inference.training.cases import bundle_stamp, cases
from triage.inference.training.figures import area_under_curve, summarise
from triage.inference.training.reference_cases import reference_cases
from triage.inference.training.samples import FIRST_SEED

log = structlog.get_logger(__name__)


def evaluate(path: Path, heads: int, *, processes: int = 1, kept: Path | None = None) -> dict[str, Any]:
    """Measure the bundle in folder ``path`` on the test split and the reference cases.

    ``kept`` is a folder where what was judged is kept, so that a run that was stopped goes on.
    """
    bundle = load_bundle(path)
    begin = time.monotonic()
    found = cases(bundle, "test", heads, processes=processes, kept=kept)
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
        "method": _method(config["probability"]),
        "regions": config.get("regions") is not None,
        "nothing_found_probability": round(study_probability(NOTHING_FOUND, config["probability"]), 4),
        "area_under_curve": area_under_curve(found),
        "rank": summarise(found, float(config["rank_threshold"])),
        "alert": summarise(found, float(config["alert_threshold"])),
        "timed_shape": list(timed_shape(bundle)),
        "seconds_per_head": seconds,
        "reference_cases": check_references(bundle),
        "variants": read_variants(path),
        "scans": [
            {
                k: (round(v, 4) if isinstance(v, float) else v)
                for k, v in asdict(c).items()
                if k not in ("features", "regions")
            }
            for c in found
        ],
    }


def _method(rule: Mapping[str, Any]) -> str:
    prevalence = rule.get("prevalence")
    return str(rule["method"]) + (
        f", calibrated for {prevalence:.0%} of scans with blood" if prevalence else ""
    )


def read_variants(path: Path) -> dict[str, Any] | None:
    """The count of answers to variants of the real head CT that benchmarks/augmentations.py left in
    docs/variants.json of the bundle in ``path``; None where it did not, or where it asked other weights or rules.
    """
    file = path / "docs" / "variants.json"
    if not file.is_file():
        return None
    told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    if told["bundle"] != bundle_stamp(path):
        log.warning("docs/variants.json is of other weights or rules: run benchmarks/augmentations.py again")
        return None
    results = [one["result"] for one in told["variants"]]
    return {
        "count": len(results),
        "seed": told["seed"],
        "original": told["original"]["result"],
        "highest": max(
            (one["probability"] for one in told["variants"] if "probability" in one), default=None
        ),
        **{name.replace(" ", "_"): results.count(name) for name in ("flagged", "refused", "not flagged")},
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
