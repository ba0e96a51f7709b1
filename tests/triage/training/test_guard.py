"""The guard lets head CTs in and tells why anything else stays out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacs.synthetic.heads import make_head
from triage.inference.guard import check_input
from triage.inference.training.reference_cases import real_head_ct, reference_cases, regular_nifti

BUNDLE = Path(__file__).resolve().parents[3] / "models" / "ich_demo"
SPACING = (4.0, 2.0, 2.0)


@pytest.fixture(scope="module")
def limits() -> dict[str, Any]:
    config: dict[str, Any] = json.loads((BUNDLE / "configs" / "firstread.json").read_text())
    return dict(config["input_limits"])


@pytest.fixture(scope="module")
def head() -> np.ndarray:
    noise = np.random.default_rng(1).normal(0.0, 4.0, make_head(4, SPACING).hu.shape)
    return (make_head(4, SPACING).hu + noise).astype(np.float32)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_procedural_heads_are_let_in(limits: dict[str, Any], seed: int) -> None:
    assert check_input(make_head(seed, SPACING).hu, SPACING, limits) == []


def test_head_with_noise_is_let_in(limits: dict[str, Any], head: np.ndarray) -> None:
    assert check_input(head, SPACING, limits) == []


def test_eight_bit_picture_is_refused_as_not_hounsfield(limits: dict[str, Any], head: np.ndarray) -> None:
    picture = np.clip((head + 0.0) / 80.0 * 255.0, 0.0, 255.0)
    assert "8-bit" in check_input(picture, SPACING, limits)[0]


def test_values_without_the_rescale_offset_are_refused(limits: dict[str, Any], head: np.ndarray) -> None:
    assert check_input(head + 1024.0, SPACING, limits)


def test_few_slices_are_refused_for_their_coverage(limits: dict[str, Any], head: np.ndarray) -> None:
    reasons = check_input(head[10:20], SPACING, limits)
    assert any("slices cover 40 mm" in reason for reason in reasons)


def test_skull_full_of_water_is_refused(limits: dict[str, Any], head: np.ndarray) -> None:
    phantom = np.where((head > -200.0) & (head < 200.0), 0.0, head)
    assert any("brain-like tissue" in reason for reason in check_input(phantom, SPACING, limits))


def test_skull_full_of_even_plastic_is_refused(limits: dict[str, Any], head: np.ndarray) -> None:
    phantom = np.where((head > -200.0) & (head < 200.0), 35.0, head)
    assert any("spread of grey values" in reason for reason in check_input(phantom, SPACING, limits))


def test_body_is_refused_for_too_much_soft_tissue(limits: dict[str, Any]) -> None:
    body = np.full((50, 150, 180), -1000.0, dtype=np.float32)
    body[:, 15:135, 10:170] = 45.0 + np.random.default_rng(2).normal(0, 6, (50, 120, 160))
    assert any("brain-like tissue measures" in reason for reason in check_input(body, SPACING, limits))


def test_air_and_nothing_are_refused(limits: dict[str, Any]) -> None:
    assert check_input(np.full((40, 90, 90), -1000.0), SPACING, limits)
    assert check_input(np.zeros((0, 90, 90)), SPACING, limits) == ["the volume is empty"]


def test_values_that_are_not_numbers_are_refused(limits: dict[str, Any], head: np.ndarray) -> None:
    broken = head.copy()
    broken[3, 4, 5] = np.nan
    assert check_input(broken, SPACING, limits) == ["the volume holds values that are not numbers"]


def test_limit_that_is_absent_is_not_applied(head: np.ndarray) -> None:
    assert check_input(head[10:20], SPACING, {}) == []


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)),
    spacing=st.tuples(st.floats(0.3, 9.0), st.floats(0.3, 9.0), st.floats(0.3, 9.0)),
    level=st.floats(-2000.0, 4000.0),
    spread=st.floats(0.0, 2000.0),
)
def test_no_small_volume_of_numbers_is_let_in_or_breaks_the_guard(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], level: float, spread: float
) -> None:
    config: dict[str, Any] = json.loads((BUNDLE / "configs" / "firstread.json").read_text())
    volume = np.random.default_rng(0).normal(level, spread, shape)
    reasons = check_input(volume, spacing, config["input_limits"])
    assert reasons and all(isinstance(reason, str) and reason for reason in reasons)


@pytest.mark.needs_shared_data
def test_real_head_ct_is_let_in(limits: dict[str, Any], shared_data: Path) -> None:
    assert check_input(real_head_ct(shared_data / "head_ct_ge", SPACING), SPACING, limits) == []


@pytest.mark.needs_shared_data
def test_average_brain_is_let_in(limits: dict[str, Any], shared_data: Path) -> None:
    volume = regular_nifti(shared_data / "nifti" / "ct_brain_atlas_1mm.nii.gz", SPACING)
    assert check_input(volume, SPACING, limits) == []


@pytest.mark.needs_shared_data
def test_phantoms_are_refused_with_a_reason(limits: dict[str, Any], shared_data: Path) -> None:
    phantoms = [c for c in reference_cases(shared_data, SPACING) if c.expected == "refused"]
    assert len(phantoms) == 2
    for case in phantoms:
        assert check_input(case.volume, SPACING, limits), case.name
