"""A probability map becomes the probability, mask, volume, size and side of a finding."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.inference.extract import extract, midline_x, study_probability

SPACING = (4.0, 2.0, 2.0)
CONFIG: dict[str, Any] = {
    "mask_threshold": 0.5,
    "min_component_ml": 0.3,
    "probability": {"features": ["log1p_volume_ml", "peak"], "coefficients": [1.0, 4.0], "intercept": -3.0},
}


def ball(centre: tuple[int, int, int], radius_mm: float, value: float = 0.9) -> np.ndarray:
    z, y, x = np.indices((30, 80, 80))
    away = ((z - centre[0]) * 4.0) ** 2 + ((y - centre[1]) * 2.0) ** 2 + ((x - centre[2]) * 2.0) ** 2
    return np.where(away <= radius_mm**2, value, 0.01).astype(np.float32)


def test_volume_and_diameter_of_a_ball_are_those_of_a_ball() -> None:
    found = extract(ball((15, 40, 20), 14.0), SPACING, CONFIG)
    assert found.volume_ml == pytest.approx(4 / 3 * math.pi * 1.4**3, rel=0.08)
    assert found.largest_diameter_mm == pytest.approx(28.0, abs=4.0)
    assert found.centroid_zyx == pytest.approx((15, 40, 20), abs=0.3)
    assert found.key_z == 15


def test_nothing_suspicious_gives_an_empty_mask_and_the_lowest_probability() -> None:
    found = extract(np.full((10, 20, 20), 0.2), SPACING, CONFIG)
    assert not found.mask.any() and found.components == () and found.centroid_zyx is None
    assert found.side == "" and found.key_z is None and found.largest_diameter_mm == 0.0
    assert found.probability == pytest.approx(1 / (1 + math.exp(3.0)))


def test_speck_below_the_smallest_component_counts_for_nothing() -> None:
    prob = np.zeros((10, 20, 20))
    prob[5, 10, 10:14] = 1.0
    found = extract(prob, SPACING, CONFIG)
    assert not found.mask.any()
    assert found.features["peak"] == 0.0


def test_components_are_ordered_by_size() -> None:
    prob = np.maximum(ball((8, 20, 20), 8.0), ball((20, 60, 60), 14.0))
    found = extract(prob, SPACING, CONFIG)
    assert [c.volume_ml for c in found.components] == sorted(
        (c.volume_ml for c in found.components), reverse=True
    )
    assert len(found.components) == 2
    assert found.centroid_zyx == pytest.approx((20, 60, 60), abs=0.3)


@pytest.mark.parametrize(("column", "side"), [(20, "right"), (60, "left"), (40, "midline")])
def test_side_follows_the_patient_left_of_growing_columns(column: int, side: str) -> None:
    radius = 4.8 if side == "midline" else 10.0
    assert extract(ball((15, 40, column), radius), SPACING, CONFIG).side == side


def test_blood_on_both_sides_is_bilateral() -> None:
    prob = np.maximum(ball((15, 40, 20), 10.0), ball((15, 40, 62), 10.0))
    assert extract(prob, SPACING, CONFIG).side == "bilateral"


def test_side_is_told_from_the_head_and_not_from_the_picture() -> None:
    volume = np.full((30, 80, 80), -1000.0)
    volume[:, 10:70, 34:78] = 30.0
    found = extract(ball((15, 40, 46), 8.0), SPACING, CONFIG, volume_hu=volume)
    assert found.side == "right"
    assert extract(ball((15, 40, 46), 8.0), SPACING, CONFIG).side == "left"


def test_midline_follows_a_turned_head() -> None:
    _, y, x = np.indices((20, 80, 80))
    volume = np.where(np.abs(x - 40 - 0.1 * (y - 40)) < 25, 30.0, -1000.0)
    plane = midline_x(volume.shape, volume)
    assert plane[10, 70] - plane[10, 10] == pytest.approx(6.0, abs=1.0)


@pytest.mark.parametrize("bad", [np.full((3, 3, 3), 1.2), np.full((3, 3, 3), np.nan), np.zeros((3, 3))])
def test_what_is_no_probability_map_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError):
        extract(bad, SPACING, CONFIG)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.floats(0.2, 0.9), smallest=st.floats(0.0, 2.0))
def test_mask_lies_in_the_suspicious_voxels_and_a_flag_always_has_a_mask(
    seed: int, cut: float, smallest: float
) -> None:
    rng = np.random.default_rng(seed)
    prob = rng.random((6, 12, 12)) ** rng.uniform(0.5, 6.0)
    config = {**CONFIG, "mask_threshold": cut, "min_component_ml": smallest}
    found = extract(prob, SPACING, config)
    assert not (found.mask & (prob < cut)).any()
    assert found.volume_ml == pytest.approx(sum(c.volume_ml for c in found.components))
    assert 0.0 < found.probability < 1.0
    if not found.mask.any():
        assert found.probability == pytest.approx(1 / (1 + math.exp(3.0)))


@given(volume=st.floats(0.0, 6.0), more=st.floats(0.0, 6.0), peak=st.floats(0.0, 1.0))
def test_more_suspicious_volume_never_lowers_the_probability(volume: float, more: float, peak: float) -> None:
    rule = CONFIG["probability"]
    less = study_probability({"log1p_volume_ml": volume, "peak": peak}, rule)
    assert study_probability({"log1p_volume_ml": volume + more, "peak": peak}, rule) >= less
