"""A set to measure on holds both kinds of study, of every make, and says truly what is in each."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest

from pacs.synthetic import evaluation_set
from pacs.synthetic.evaluation_set import SCANNERS, Plan, plans, write_evaluation_set
from pacs.synthetic.lesions import LESION_KINDS


def test_the_plan_is_balanced_and_the_same_for_its_seed() -> None:
    made = plans(60, 4)
    kinds = Counter(plan.lesion for plan in made)
    assert kinds[None] == 30 and all(kinds[kind] == 6 for kind in LESION_KINDS)
    assert {plan.scanner for plan in made} == set(SCANNERS)
    assert {plan.slice_mm for plan in made} == {2.5, 3.0, 5.0} and len({p.tilt_deg for p in made}) == 3
    assert made == plans(60, 4) and made != plans(60, 5)
    volumes = [plan.volume_ml for plan in made if plan.lesion]
    assert min(volumes) < 3 < 20 < max(volumes) <= 60


def test_truth_masks_and_images_belong_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = [Plan(11, "epidural", 25.0, 8.0, 20, 0.0, "Procedural head, low dose")]
    short.append(Plan(12, None, 0.0, 8.0, 20, 0.0, "Procedural head"))
    monkeypatch.setattr(evaluation_set, "plans", lambda count, seed: short)
    assert list(write_evaluation_set(tmp_path, 2, 1, matrix=128)) == [
        "synthetic-00000011",
        "synthetic-00000012",
    ]
    bleed, quiet = json.loads((tmp_path / "truth.json").read_text())
    assert quiet["lesion"] is None and "mask" not in quiet
    files = sorted((tmp_path / bleed["folder"]).glob("*.dcm"))
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in files]
    assert len(files) == 21 and headers[0].ImageType[2] == "LOCALIZER"
    assert {h.ManufacturerModelName for h in headers} == {"Procedural head, low dose"}
    with np.load(tmp_path / bleed["mask"]) as kept:
        uids, mask = list(kept["sop_instance_uids"]), kept["mask"]
    assert uids == [str(h.SOPInstanceUID) for h in headers[1:]]
    with_blood = {uid for uid, area in zip(uids, mask.sum(axis=(1, 2)), strict=True) if area}
    assert with_blood == set(bleed["sop_instance_uids_with_lesion"])
    spacing = [float(v) for v in headers[1].PixelSpacing]
    assert mask.sum() * spacing[0] * spacing[1] * 8.0 / 1000 == pytest.approx(bleed["volume_ml"], rel=0.01)


def test_a_bleed_that_does_not_fit_is_drawn_smaller_and_told_so(tmp_path: Path) -> None:
    plan = Plan(13, "intraventricular", 90.0, 8.0, 20, 0.0, "Procedural head")
    truth = evaluation_set._make(plan, 128).truth
    assert truth["lesion"] == "intraventricular" and 1.0 <= truth["volume_ml"] < 90.0
