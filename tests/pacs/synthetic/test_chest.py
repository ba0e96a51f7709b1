"""Synthetic radiographs say that they are synthetic, are the same for the same seed, and are valid DX."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from django.core.management import CommandError, call_command

from pacs.synthetic.chest import CHEST_LESIONS, FIELD_MM, draw_chest, make_chest
from pacs.synthetic.chest_studies import make_chest_study, write_chest_studies

DCIODVFY = Path(sys.executable).parent / "dciodvfy"


@pytest.mark.parametrize("lesion", CHEST_LESIONS)
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_lesion_lies_on_the_side_that_was_asked_for(lesion: str, side: str) -> None:
    chest = make_chest(4, lesion, size=0.7, side=side, matrix=128)
    columns = np.nonzero(chest.mask)[1] - 63.5
    assert chest.side == side and chest.mask.mean() > 0.01
    assert (np.sign(columns) == (1 if side == "left" else -1)).mean() > 0.97


def test_a_larger_lesion_takes_more_of_the_lung_and_changes_only_there() -> None:
    p = draw_chest(9)
    sizes = [
        make_chest(9, "effusion", size=s, side="left", matrix=128, parameters=p).mask.sum()
        for s in (0.2, 0.8)
    ]
    assert sizes[1] > 1.5 * sizes[0]
    clean = make_chest(9, side="left", matrix=128, parameters=p).image
    ill = make_chest(9, "effusion", size=0.8, side="left", matrix=128, parameters=p)
    assert (ill.image - clean)[ill.mask].mean() > 0.05  # fluid is brighter than lung


def test_the_same_seed_gives_the_same_study_and_another_seed_another() -> None:
    one, again, other = (make_chest_study(s, matrix=64).datasets[0] for s in (1, 1, 2))
    assert one.PixelData == again.PixelData and one.SOPInstanceUID == again.SOPInstanceUID
    assert one.PixelData != other.PixelData and one.StudyInstanceUID != other.StudyInstanceUID


def test_unknown_lesions_and_sizes_are_refused() -> None:
    for lesion, size in (("nodule", 0.5), ("effusion", 1.5)):
        with pytest.raises(ValueError, match="no lesion"):
            make_chest(1, lesion, size=size)


def test_both_views_are_valid_and_marked_as_synthetic(tmp_path: Path) -> None:
    truths = write_chest_studies(tmp_path, 1, "any", 5, lateral=True, matrix=64, inverted=True)
    assert (
        json.loads((tmp_path / "truth.json").read_text()) == truths and truths[0]["lesion"] == "pneumothorax"
    )
    files = sorted((tmp_path / truths[0]["folder"]).glob("*.dcm"))
    assert [pydicom.dcmread(f).ViewPosition for f in files] == [truths[0]["view"], "LL"]
    for file in files:
        dataset = pydicom.dcmread(file)
        assert "SYNTHETIC" in dataset.StudyDescription and "SYNTHETIC" in dataset.SeriesDescription
        assert str(dataset.PatientName).startswith("SYNTHETIC^")
        assert float(dataset.ImagerPixelSpacing[0]) * dataset.Rows == pytest.approx(FIELD_MM, rel=1e-4)
        done = subprocess.run([str(DCIODVFY), str(file)], capture_output=True, text=True, check=False)
        lines = (done.stdout + done.stderr).splitlines()
        assert lines and [line for line in lines if line.startswith("Error")] == []


def test_the_demo_command_writes_radiographs_and_refuses_what_makes_none(tmp_path: Path) -> None:
    call_command(
        "demo",
        "--write",
        str(tmp_path / "cx"),
        "--count",
        "1",
        "--chest",
        "--lesion",
        "effusion",
        "--seed",
        "3",
    )
    assert len(list((tmp_path / "cx").rglob("*.dcm"))) == 2
    with pytest.raises(CommandError, match="must be one of"):
        call_command("demo", "--write", str(tmp_path), "--chest", "--lesion", "subdural")
    with pytest.raises(CommandError, match="--write DIR"):
        call_command("demo", "--chest")
