"""Look-alikes change the picture, never the truth; bone is not drawn into the brain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pacs.synthetic.heads import SyntheticHead, make_head
from pacs.synthetic.lesions import insert_lesion
from triage.inference.training.acquisition import HELD_OUT_SCANNER, TRAINING_SCANNER, _lay_back
from triage.inference.training.lookalikes import _LOOKALIKES, LOOKALIKES, add_lookalikes, ghost


@pytest.fixture(scope="module")
def head() -> SyntheticHead:
    return make_head(77, (4.0, 2.0, 2.0))


def fresh(head: SyntheticHead) -> SyntheticHead:
    return replace(head, hu=head.hu.copy())


@pytest.mark.parametrize("name", LOOKALIKES)
def test_each_look_alike_shows_in_the_picture_and_keeps_it_plausible(head: SyntheticHead, name: str) -> None:
    changed = fresh(head)
    assert _LOOKALIKES[name][1](changed, np.random.default_rng(3), 1.0)
    assert np.abs(changed.hu - head.hu).max() > 8.0
    assert np.isfinite(changed.hu).all() and changed.hu.min() > -1400.0 and changed.hu.max() < 3100.0
    assert np.array_equal(changed.brain, head.brain)


def test_same_seed_gives_the_same_look_alikes(head: SyntheticHead) -> None:
    one, two = fresh(head), fresh(head)
    names = [add_lookalikes(h, np.random.default_rng(8)) for h in (one, two)]
    assert names[0] == names[1] and np.array_equal(one.hu, two.hu)


def test_every_look_alike_turns_up_in_training(head: SyntheticHead) -> None:
    seen = {name for seed in range(40) for name in add_lookalikes(fresh(head), np.random.default_rng(seed))}
    assert seen == set(LOOKALIKES)


@pytest.mark.parametrize("seed", range(3))
def test_brain_moved_by_a_collection_takes_no_bone_with_it(seed: int) -> None:
    head = make_head(77, (2.5, 2.0, 2.0))
    moved = fresh(head)
    mask = insert_lesion(moved, "subdural", 20.0, seed, blood_hu=10.0)
    # Below the blurred edge of the skull nothing becomes as bright as blood at its brightest: fluid was put in.
    deep = head.brain & (head.cavity_mm > 4.0) & ~mask & (head.hu < 60.0)
    assert (moved.hu[deep] < 90.0).mean() > 0.9995


def test_test_scanner_cuts_slices_that_training_never_saw() -> None:
    assert not set(HELD_OUT_SCANNER.thickness_mm) & set(TRAINING_SCANNER.thickness_mm)
    assert HELD_OUT_SCANNER.tilt_deg[1] > TRAINING_SCANNER.tilt_deg[1]


def test_thin_slices_are_averaged_over_the_voxels_of_the_grid() -> None:
    slices = np.random.default_rng(1).normal(30.0, 10.0, (80, 30, 30)).astype(np.float32)
    laid = _lay_back(slices, np.arange(80.0), (4.0, 2.0, 2.0), 0.0, -1000.0)
    inner = laid[(laid > -100.0).all(axis=(1, 2))]
    assert inner.shape[0] >= 18
    assert inner.mean() == pytest.approx(30.0, abs=0.3)
    # The mean of four slices has half their noise.
    assert 3.5 < inner.std() < 5.5


def test_motion_touches_some_slices_only() -> None:
    slices = np.random.default_rng(1).normal(0.0, 100.0, (30, 40, 40)).astype(np.float32)
    moved = ghost(slices, (1.0, 1.0), np.random.default_rng(2))
    touched = [bool((a != b).any()) for a, b in zip(slices, moved, strict=True)]
    assert 1 <= sum(touched) <= 6
    assert moved.mean() == pytest.approx(slices.mean(), abs=0.05)
