"""Synthetic studies are valid, marked, complete and the same for the same seed."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest

from pacs.synthetic.heads import make_head
from pacs.synthetic.lesions import LESION_KINDS
from pacs.synthetic.studies import SyntheticStudy, _noise, make_study, write_studies

SMALL = {"matrix": 128, "slices": 32}
DCIODVFY = Path(sys.executable).with_name("dciodvfy")


@pytest.fixture(scope="module")
def study() -> SyntheticStudy:
    return make_study(7, "epidural", 12.0, localizer=True, tilt_deg=16.0, **SMALL)


def test_every_dataset_says_that_it_is_synthetic(study: SyntheticStudy) -> None:
    for ds in study.datasets:
        assert str(ds.PatientName).startswith("SYNTHETIC^")
        assert "SYNTHETIC" in ds.StudyDescription
        assert "SYNTHETIC" in ds.SeriesDescription


def test_uids_are_uuid_derived_and_distinct(study: SyntheticStudy) -> None:
    uids = [ds.SOPInstanceUID for ds in study.datasets]
    assert len(set(uids)) == len(uids)
    for uid in [*uids, study.datasets[0].StudyInstanceUID, study.datasets[1].SeriesInstanceUID]:
        assert uid.startswith("2.25.") and uid.is_valid


def test_same_arguments_give_the_same_study_and_other_ones_another() -> None:
    tiny = {"matrix": 64, "slices": 8, "slice_mm": 20.0}
    first, again = make_study(3, None, **tiny), make_study(3, None, **tiny)
    assert [d.PixelData for d in first.datasets] == [d.PixelData for d in again.datasets]
    assert [d.SOPInstanceUID for d in first.datasets] == [d.SOPInstanceUID for d in again.datasets]
    bled = make_study(3, "subdural", 20.0, **tiny)
    assert bled.datasets[0].StudyInstanceUID != first.datasets[0].StudyInstanceUID


def test_counts_let_an_archive_know_that_the_study_is_complete(study: SyntheticStudy) -> None:
    assert len(study.datasets) == 33
    assert {ds.NumberOfStudyRelatedInstances for ds in study.datasets} == {33}
    assert study.datasets[0].ImagesInAcquisition == 1
    assert {ds.ImagesInAcquisition for ds in study.datasets[1:]} == {32}


def test_localizer_is_a_series_of_its_own(study: SyntheticStudy) -> None:
    localizer, axial = study.datasets[0], study.datasets[1]
    assert localizer.ImageType[2] == "LOCALIZER"
    assert localizer.SeriesInstanceUID != axial.SeriesInstanceUID
    assert localizer.StudyInstanceUID == axial.StudyInstanceUID


def test_tilted_slices_keep_their_first_pixel_on_the_table_axis(study: SyntheticStudy) -> None:
    axial = study.datasets[1:]
    cosines = [float(v) for v in axial[0].ImageOrientationPatient]
    assert cosines[5] == pytest.approx(-np.sin(np.deg2rad(16.0)), abs=1e-6)
    positions = np.array([[float(v) for v in ds.ImagePositionPatient] for ds in axial])
    assert np.allclose(np.diff(positions, axis=0), [0.0, 0.0, 5.0], atol=1e-3)


def test_age_in_the_header_fits_the_birth_date() -> None:
    made = make_study(5, age=71, sex="M", matrix=64, slices=4, acquired_at=datetime(2026, 3, 1, tzinfo=UTC))
    ds = made.datasets[0]
    assert (ds.PatientAge, ds.PatientSex) == ("071Y", "M")
    assert 70 <= 2026 - int(ds.PatientBirthDate[:4]) <= 72


@pytest.mark.parametrize("kind", LESION_KINDS)
@pytest.mark.parametrize("volume_ml", [1.0, 15.0])
def test_blood_in_the_slices_has_the_volume_asked_for(kind: str, volume_ml: float) -> None:
    made = make_study(31, kind, volume_ml, matrix=128, slices=32)
    ds = made.datasets[0]
    voxel_ml = float(np.prod([float(v) for v in ds.PixelSpacing])) * float(ds.SliceThickness) / 1000.0
    assert made.mask.sum() * voxel_ml == pytest.approx(volume_ml, rel=0.1)
    assert made.truth["volume_ml"] == pytest.approx(volume_ml, rel=0.1)


def test_truth_points_at_the_blood(study: SyntheticStudy) -> None:
    truth = study.truth
    axial = study.datasets[1:]
    area = study.mask.sum(axis=(1, 2))
    assert truth["key_sop_instance_uid"] == axial[int(area.argmax())].SOPInstanceUID
    with_blood = {d.SOPInstanceUID for d, a in zip(axial, area, strict=True) if a}
    assert set(truth["sop_instance_uids_with_lesion"]) == with_blood
    assert truth["side"] in ("left", "right", "midline")
    key = axial[int(area.argmax())]
    hu = key.pixel_array * float(key.RescaleSlope) + float(key.RescaleIntercept)
    assert np.median(hu[study.mask[int(area.argmax())]]) > 45.0


def test_noise_is_grain_of_a_few_hounsfield_units_that_fades_within_a_few_millimetres() -> None:
    head = make_head(12, (20.0, 2.0, 2.0), (8, 128, 128))
    noise = _noise(head, (4, 256, 256), np.random.default_rng(1))

    def correlation(pixels: int) -> float:
        return float(np.corrcoef(noise[:, :, :-pixels].ravel(), noise[:, :, pixels:].ravel())[0, 1])

    assert 2.5 < noise.std() < 9.0
    assert correlation(1) > 0.1
    assert abs(correlation(8)) < 0.1


@pytest.mark.skipif(not DCIODVFY.exists(), reason="dciodvfy (dicom3tools) is not installed")
def test_dciodvfy_finds_no_error(study: SyntheticStudy, tmp_path: Path) -> None:
    for number in (0, 1, 16):
        path = tmp_path / f"{number}.dcm"
        study.datasets[number].save_as(path, enforce_file_format=True)
        done = subprocess.run([DCIODVFY, path], capture_output=True, text=True, check=False)
        assert "Error" not in done.stdout + done.stderr


def test_written_studies_come_with_their_truth(tmp_path: Path) -> None:
    truths = write_studies(tmp_path, 2, "any", 6.0, 40, matrix=64, slices=16, slice_mm=10.0)
    assert json.loads((tmp_path / "truth.json").read_text()) == truths
    assert [t["lesion"] for t in truths] == list(LESION_KINDS[:2])
    for truth in truths:
        files = sorted((tmp_path / truth["folder"]).glob("*.dcm"))
        assert len(files) == 16
        assert pydicom.dcmread(files[0]).StudyInstanceUID == truth["study_instance_uid"]


def test_writing_no_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        write_studies(tmp_path, 0, None, 1.0, 1)
