"""Regions are told from their look-alikes by what surrounds them; the rule leaves out what is no bleed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from triage.inference.extract import extract, region_score
from triage.inference.regions import REGION_FEATURES, region_features
from triage.inference.training.calibrate import _scores_from_elsewhere, fit_regions
from triage.inference.training.cases import Case

SPACING = (4.0, 2.0, 2.0)


def ball(centre: tuple[int, int, int], radius_mm: float) -> np.ndarray:
    z, y, x = np.indices((30, 80, 80))
    away = ((z - centre[0]) * 4.0) ** 2 + ((y - centre[1]) * 2.0) ** 2 + ((x - centre[2]) * 2.0) ** 2
    return away <= radius_mm**2


def measured(hu: np.ndarray, region: np.ndarray) -> dict[str, float]:
    return region_features(region, region * 0.9, hu, SPACING)


def test_a_clot_in_brain_is_bright_against_its_surroundings_and_far_from_bone() -> None:
    region = ball((15, 40, 40), 12.0)
    found = measured(np.where(region, 65.0, 30.0), region)
    assert tuple(found) == REGION_FEATURES
    assert found["log_ml"] == pytest.approx(math.log(4 / 3 * math.pi * 1.2**3), abs=0.1)
    assert found["grey"] == pytest.approx(1.5) and found["contrast"] == pytest.approx(3.5)
    assert found["near_bone"] == 0.0 and found["near_metal"] == 0.0 and found["grain"] == 0.0
    assert found["thickness"] == pytest.approx(2.4, abs=0.4)
    assert found["slices"] == pytest.approx(2.8)


def test_bone_and_metal_beside_a_region_are_seen() -> None:
    region = ball((15, 40, 40), 8.0)
    hu = np.where(region, 65.0, 30.0)
    hu[:, :, 43:46] = 900.0
    assert 0.1 < measured(hu, region)["near_bone"] < 0.7
    hu[15, 50, 40] = 2500.0
    assert measured(hu, region)["near_metal"] == 1.0


def test_a_region_at_the_edge_of_the_volume_is_measured() -> None:
    region = ball((0, 0, 0), 8.0)
    assert all(math.isfinite(v) for v in measured(np.full(region.shape, 40.0), region).values())


RULE = {"features": ["contrast"], "coefficients": [4.0], "intercept": -6.0, "keep": 0.15}
CONFIG = {
    "mask_threshold": 0.5,
    "min_component_ml": 0.3,
    "regions": RULE,
    "probability": {"features": ["found", "best_region"], "coefficients": [1.0, 1.0], "intercept": -3.0},
}


def test_rule_leaves_out_what_is_no_brighter_than_its_surroundings() -> None:
    clot, shade = ball((10, 30, 30), 10.0), ball((22, 60, 60), 10.0)
    hu = np.where(clot, 65.0, 30.0) + np.where(shade, 2.0, 0.0)
    prob = np.where(clot | shade, 0.9, 0.01)
    found = extract(prob, SPACING, CONFIG, volume_hu=hu)
    assert len(found.components) == 1 and (found.mask == clot).all()
    assert found.features["best_region"] == pytest.approx(8.0)
    alone = extract(np.where(shade, 0.9, 0.01), SPACING, CONFIG, volume_hu=hu)
    assert not alone.mask.any()
    assert alone.probability == pytest.approx(1 / (1 + math.exp(3.0)))


def test_score_of_a_region_is_its_bounded_logit() -> None:
    assert region_score({"contrast": 1.5}, RULE) == pytest.approx(0.0)
    assert region_score({"contrast": -5.0}, RULE) == -8.0 and region_score({"contrast": 500.0}, RULE) == 8.0
    assert region_score({}, RULE) == 0.0


def features(contrast: float) -> dict[str, float]:
    return {**dict.fromkeys(REGION_FEATURES, 0.5), "contrast": contrast}


def scan(kind: str, *regions: tuple[dict[str, float], float]) -> Case:
    return Case(kind, "procedural", "ordinary", 5.0, 5.0, 0.5, 0.7, 0.7, False, (), {}, regions)


def test_fitted_rule_tells_bleeds_from_shade_and_leaves_mixed_regions_out() -> None:
    found = []
    for step in range(8):
        found.append(scan("epidural", (features(3.0 + 0.1 * step), 0.9), (features(0.0), 0.15)))
        found.append(scan("none", (features(0.4 - 0.1 * step), 0.0)))
    rule = fit_regions(found)
    assert region_score(features(3.5), rule) > 1.0 > -1.0 > region_score(features(0.0), rule)
    table = _scores_from_elsewhere(found)
    assert all(bleed[1] > 0.0 for bleed in table[::2])
    assert all(row == [0.0, 0.0] or row[1] < 0.0 for row in table[1::2])


def test_without_a_look_alike_every_region_is_kept() -> None:
    rule = fit_regions([scan("epidural", (features(3.0), 0.9))])
    assert region_score(features(-3.0), rule) == 0.0 and rule["keep"] < 0.5
