"""Training scans: bleeds where the target says, volumes kept, splits apart."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pydicom
import pytest

from pacs.synthetic.heads import make_head
from pacs.synthetic.lesions import insert_lesion
from triage.inference.training import samples
from triage.inference.training.acquisition import acquire
from triage.inference.training.anatomy import cormack_to_hu, make_reference_head, reference_brains
from triage.inference.training.samples import FIRST_SEED, held_out_anatomy, make_samples, write_samples

SPACING = (4.0, 2.0, 2.0)


@pytest.mark.parametrize("hard", [True, False])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_scanner_keeps_the_volume_and_the_place_of_the_blood(hard: bool, seed: int) -> None:
    head = make_head(8, (4.0, 2.0, 2.0))
    mask = insert_lesion(head, "intraparenchymal", 25.0, 3, blood_hu=70.0)
    volume = acquire(head, mask, SPACING, np.random.default_rng(seed), hard=hard)
    assert volume.hu.shape == volume.target.shape
    assert volume.target.sum() * 0.016 == pytest.approx(25.0, rel=0.12)
    blood = volume.target > 0.9
    assert 50.0 < np.median(volume.hu[blood]) < 85.0


def test_tilted_slices_are_laid_back_where_they_belong() -> None:
    upright = make_head(8, (4.0, 2.0, 2.0))
    tilted = make_head(8, (4.0, 2.0, 2.0), tilt_deg=18.0)
    volumes = []
    for head in (upright, tilted):
        mask = (head.ventricles_mm > 0.0) & head.brain
        volumes.append(acquire(head, mask, SPACING, np.random.default_rng(1), hard=False))
    shape = [np.ptp(np.argwhere(v.target > 0.5), axis=0) * np.array(SPACING) for v in volumes]
    assert np.abs(shape[0] - shape[1]).max() <= 8.0
    # Left as scanned, 18 degrees would shear the 100 mm long ventricles by more than 30 mm.
    assert volumes[0].target.sum() == pytest.approx(volumes[1].target.sum(), rel=0.08)


def test_splits_never_share_a_seed() -> None:
    starts = sorted(FIRST_SEED.values())
    assert min(b - a for a, b in pairwise(starts)) >= 1_000_000


def test_training_never_sees_the_held_out_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def note(seed: int, spacing: object, *, parameters: object, tilt_deg: float) -> object:
        seen.append(parameters)
        return make_head(seed, (20.0, 10.0, 10.0), parameters=parameters)  # type: ignore[arg-type]

    monkeypatch.setattr(samples, "make_head", note)
    monkeypatch.setattr(samples, "reference_brains", lambda: ())
    for number in range(6):
        for split in ("train", "calibrate"):
            samples._base_head(split, FIRST_SEED[split] + number, np.random.default_rng(number))  # type: ignore[arg-type, index]
    assert len(seen) == 12
    assert not any(held_out_anatomy(p) for p in seen)


def test_half_of_the_test_heads_have_a_held_out_form() -> None:
    names = [samples._base_head("test", FIRST_SEED["test"] + n, np.random.default_rng(n))[1] for n in (0, 1)]
    assert names == ["procedural, held-out form", "procedural"]


def test_without_reference_data_training_goes_on_with_procedural_heads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FIRSTREAD_SHARED_DATA", str(tmp_path))
    reference_brains.cache_clear()
    try:
        made = make_samples("train", 1, 1, SPACING)
    finally:
        reference_brains.cache_clear()
    assert made[0].base == "procedural"


def test_test_set_has_one_bleed_and_one_negative_for_each_head() -> None:
    made = make_samples("test", 3, 2, SPACING)
    assert [len(s.kinds) for s in made] == [1, 0]
    assert made[1].volume.target.max() == 0.0


def test_kept_samples_are_not_made_again(tmp_path: Path) -> None:
    assert write_samples(tmp_path, "train", [2], 1, SPACING) == 1
    assert write_samples(tmp_path, "train", [2], 1, SPACING) == 0
    assert [p.name for p in tmp_path.iterdir()] == ["train-00002-00.npz"]


def test_cormack_stretch_is_undone() -> None:
    cormack = np.array([24.0, 900.0, 2649.0, 3100.0, 4024.0], dtype=np.float32)
    assert cormack_to_hu(cormack) == pytest.approx([-1000.0, -124.0, 35.0, 76.0, 1000.0], abs=0.5)


@pytest.mark.needs_shared_data
def test_average_brains_have_the_volume_of_a_brain_and_take_a_bleed(shared_data: Path) -> None:
    for brain in reference_brains():
        ml = brain.brain.sum() * brain.spacing_mm**3 / 1000.0
        assert 1100.0 < ml < 1900.0, brain.name
        for with_skull in (True, False):
            head = make_reference_head(brain, 5, (5.0, 2.5, 2.5), with_skull=with_skull)
            mask = insert_lesion(head, "epidural", 20.0, 1)
            assert (head.cavity_mm[mask] < 4.0).any()


@pytest.mark.needs_shared_data
def test_training_samples_never_read_the_real_head_ct(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a DICOM file was read")

    monkeypatch.setattr(pydicom, "dcmread", refuse)
    reference_brains.cache_clear()
    make_samples("train", 1, 1, SPACING)
