"""The guard says what a series shows instead of a head that the models know."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.guard import (
    CONFIG,
    SPACING_MM,
    axial_stack,
    head_slices,
    moved,
    odd,
    one_moved,
    ordinary,
    refusals,
)
from pacs.synthetic.oddities import add_contrast
from tests.triage.making import datasets_of, make_bright_bundle, write
from triage.bundles import fingerprint
from triage.inference import engine
from triage.inference.guard import HEAD_LIMITS, check_input, check_stack
from triage.inference.slices import read_stack

SEED = 50_001
WORDS = {
    "contrast": "as bright as contrast medium",
    "metal": "metal",
    "motion, every": "neighbouring slices do not go on",
    "motion, one": "a slice does not go on from its neighbours",
    "cut off": "cuts the head off at its side",
    "without the top": "the top of the head is not in the slices",
    "without the base": "the base of the head is not in the slices",
    "upside down": "upside down",
    "front to back": "flipped",
    "on its side": "lie on their side",
    "picture": "8-bit",
    "values without": "",
    "chest": "",
    "phantom": "",
}


@pytest.fixture(scope="module")
def plain() -> np.ndarray:
    return head_slices(SEED)


def test_every_odd_input_is_refused_for_what_it_is() -> None:
    seen = set()
    for case in odd(range(SEED, SEED + 1)):
        reasons = refusals(case.stack)
        word = next(word for word in WORDS if case.kind.startswith(word))
        seen.add(word)
        assert reasons and any(WORDS[word] in reason for reason in reasons), (case.kind, reasons)
    assert seen == set(WORDS)


def test_ordinary_heads_with_and_without_bleeds_are_let_in() -> None:
    assert [refusals(case.stack) for case in ordinary(4)] == [[]] * 4


def test_a_chest_is_refused_because_bone_does_not_surround_it() -> None:
    limits = {**CONFIG["input_limits"], "brain_ml": [0, 1e6]}
    case = next(case for case in odd(range(1)) if case.kind.startswith("chest"))
    assert any("bone surrounds only" in reason for reason in refusals(case.stack, limits))


def test_a_bundle_that_says_nothing_of_heads_gets_no_head_limits(plain: np.ndarray) -> None:
    stack = axial_stack(moved(plain, 4.0, 1), SPACING_MM)
    assert check_stack(stack, {"brain_ml": [0, 9000]}) and check_stack(stack, {}) == []
    assert check_input(plain[::-1], SPACING_MM, {"modality": ["CT"]}) == []


def test_a_bundle_may_widen_a_head_limit() -> None:
    made = head_slices(SEED, lambda head: add_contrast(head, 250.0))
    wide = CONFIG["input_limits"] | {"vessel_ml": [0, 500]}
    assert refusals(axial_stack(made, SPACING_MM)) and not refusals(axial_stack(made, SPACING_MM), wide)


def test_what_is_no_ct_is_not_measured_in_hounsfield_units(plain: np.ndarray) -> None:
    picture = np.clip(plain, 0, 255)
    assert check_input(picture, SPACING_MM, {"modality": ["MR"]}) == []
    assert check_input(picture, SPACING_MM, {"modality": ["CT"]})


def test_thick_or_few_or_sagittal_slices_are_not_judged_for_motion(plain: np.ndarray) -> None:
    limits = {"brain_ml": [0, 9000]}
    shifted = one_moved(plain, 10.0)
    assert check_stack(axial_stack(shifted, SPACING_MM), limits)
    assert check_stack(axial_stack(shifted, (9.0, *SPACING_MM[1:])), limits) == []
    assert check_stack(axial_stack(shifted[13:20], SPACING_MM), limits) == []
    sagittal = replace(
        axial_stack(shifted, SPACING_MM),
        row_direction=np.array([0.0, 1.0, 0.0]),
        column_direction=np.array([0.0, 0.0, -1.0]),
    )
    assert check_stack(sagittal, limits) == []


def test_every_head_limit_is_a_range_that_an_ordinary_head_keeps() -> None:
    assert all(low < high for low, high in HEAD_LIMITS.values())


def test_a_refused_series_says_that_it_lies_outside_what_the_model_was_made_for(tmp_path: Path) -> None:
    stack = axial_stack(moved(head_slices(SEED), 4.0, 1), SPACING_MM)
    files = write(datasets_of(stack), tmp_path / "series")
    assert len(read_stack(files).pixels) == len(stack.pixels)
    limits: dict[str, Any] = {"modality": ["CT"], "min_slices": 8, "brain_ml": [0, 9000]}
    folder = make_bright_bundle(tmp_path, limits=limits)
    pinned = fingerprint(folder)
    with pytest.raises(engine.OutsideLimits) as refused:
        engine.analyse(files, engine.bundle_for(folder, pinned), pinned.weights_sha256)
    assert str(refused.value).startswith("outside what this model was made for: neighbouring slices do not")


@pytest.mark.needs_shared_data
def test_the_real_head_ct_is_let_in_and_refused_when_it_is_turned_over(shared_data: Path) -> None:
    real = read_stack(sorted((shared_data / "head_ct_ge").glob("*.dcm")))
    assert refusals(real) == []
    for turned, word in ((real.pixels[::-1], "upside down"), (real.pixels[:, ::-1], "flipped")):
        reasons = refusals(replace(real, pixels=np.ascontiguousarray(turned)))
        assert any(word in reason for reason in reasons)
    mixed = real.pixels[np.random.default_rng(1).permutation(len(real.pixels))]
    assert any("do not go on" in reason for reason in refusals(replace(real, pixels=mixed)))
