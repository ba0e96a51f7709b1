"""Files of a series become slices by what their headers say, not by how they came."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from tests.triage.making import datasets_of, enhanced_of, make_stack, write
from triage.inference.slices import read_stack
from triage.inference.volume import SliceStack, VolumeError


@pytest.fixture
def stack() -> SliceStack:
    """Twelve tilted slices with a ball off centre."""
    return make_stack(
        centre=np.array([6.0, -9.0, 11.0]),
        radius_mm=8.0,
        row_direction=np.array([1.0, 0, 0]),
        column_direction=np.array([0, 0.9483237, -0.3173047]),
        depths_mm=np.arange(12) * 4.0 - 22.0,
        thickness_mm=4.0,
        tilt_shift=0.33,
        size=24,
        pixel_mm=2.0,
    )


def test_shuffled_files_give_the_same_slices(stack: SliceStack, tmp_path: Path) -> None:
    paths = write(datasets_of(stack), tmp_path)
    straight = read_stack(paths)
    random.Random(3).shuffle(paths)
    shuffled = read_stack(paths)
    assert np.array_equal(straight.pixels, shuffled.pixels) and straight.sources == shuffled.sources
    assert np.allclose(straight.pixels, np.rint(stack.pixels)) and straight.notes == ()
    assert np.allclose(straight.positions, stack.positions, atol=1e-5)


def test_a_repeated_position_is_used_once_and_noted(stack: SliceStack, tmp_path: Path) -> None:
    datasets = datasets_of(stack)
    again = datasets_of(stack, **{k: datasets[0][k].value for k in ("StudyInstanceUID", "SeriesInstanceUID")})
    repeat = again[5]
    repeat.InstanceNumber, repeat.FrameOfReferenceUID = 99, datasets[0].FrameOfReferenceUID
    read = read_stack(write([*datasets, repeat], tmp_path))
    assert len(read.pixels) == 12 and "1 of 13 slices repeat" in read.notes[0]
    assert read.sources[5].sop_instance_uid == repeat.SOPInstanceUID


def test_an_enhanced_object_is_read_frame_by_frame_with_its_own_rescale(
    stack: SliceStack, tmp_path: Path
) -> None:
    order = list(range(12))
    random.Random(5).shuffle(order)
    enhanced = enhanced_of(stack, order, slope=0.5)
    read = read_stack(write([enhanced], tmp_path))
    assert np.allclose(read.pixels, stack.pixels, atol=0.5)
    assert [source.frame - 1 for source in read.sources] == [order.index(i) for i in range(12)]


def test_a_localizer_inside_the_series_is_left_out(stack: SliceStack, tmp_path: Path) -> None:
    datasets = datasets_of(stack)
    scout = datasets_of(stack)[0]
    scout.ImageType, scout.ImageOrientationPatient = ["ORIGINAL", "PRIMARY", "LOCALIZER"], [1, 0, 0, 0, 0, -1]
    read = read_stack(write([scout, *datasets], tmp_path))
    assert len(read.pixels) == 12 and read.notes == ("1 localizer image left out",)


def test_padding_outside_the_field_of_view_is_air(stack: SliceStack, tmp_path: Path) -> None:
    datasets = datasets_of(stack)
    for dataset in datasets:
        pixels = np.frombuffer(dataset.PixelData, "<u2").copy()
        pixels[:24] = 63000
        dataset.PixelData = pixels.tobytes()
        dataset.add_new("PixelPaddingValue", "US", 63000)
    assert (read_stack(write(datasets, tmp_path)).pixels[:, 0] == -1024.0).all()


def _set(**values: object) -> Callable[[list[Dataset]], None]:
    def change(datasets: list[Dataset]) -> None:
        for keyword, value in values.items():
            if value is None:
                delattr(datasets[3], keyword)
            else:
                setattr(datasets[3], keyword, value)

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_set(ImagePositionPatient=None), "no position"),
        (_set(ImageOrientationPatient=None), "no position or orientation"),
        (_set(ImageOrientationPatient=[1, 0, 0, 1, 0, 0]), "right angles"),
        (_set(ImageOrientationPatient=[2, 0, 0, 0, 1, 0]), "unit vectors"),
        (_set(PixelSpacing=None), "no pixel spacing"),
        (_set(PixelSpacing=[0, 0]), "malformed"),
        (_set(RescaleSlope=None), "Hounsfield"),
        (_set(RescaleType="US"), "Hounsfield"),
        (_set(PhotometricInterpretation="MONOCHROME1"), "MONOCHROME2"),
        (_set(PixelData=b"\0\0"), "cannot be decoded"),
        (_set(SamplesPerPixel=3), "not a grey value image"),
    ],
)
def test_a_series_that_makes_no_volume_is_refused_with_the_reason(
    stack: SliceStack, tmp_path: Path, change: Callable[[list[Dataset]], None], reason: str
) -> None:
    datasets = datasets_of(stack)
    change(datasets)
    with pytest.raises(VolumeError, match=reason):
        read_stack(write(datasets, tmp_path))


@pytest.mark.parametrize(
    "change",
    [
        _set(ImageOrientationPatient=[1, 0, 0, 0, 0, -1]),
        _set(PixelSpacing=[3, 3]),
        _set(Rows=12, Columns=48),
        _set(FrameOfReferenceUID=generate_uid()),
    ],
)
def test_a_slice_of_another_geometry_is_left_out_and_the_gap_told(
    stack: SliceStack, tmp_path: Path, change: Callable[[list[Dataset]], None]
) -> None:
    datasets = datasets_of(stack)
    change(datasets)
    read = read_stack(write(datasets, tmp_path))
    assert len(read.pixels) == 11
    assert read.notes[0].startswith("1 of 12 slices has another orientation, size or frame of reference")
    assert read.notes[1].startswith("a slice seems to be missing: a gap of 8.0 mm")


def test_without_a_frame_of_reference_there_is_no_place_for_a_result(
    stack: SliceStack, tmp_path: Path
) -> None:
    with pytest.raises(VolumeError, match="Frame of Reference"):
        read_stack(write(datasets_of(stack, FrameOfReferenceUID=""), tmp_path))


def test_a_broken_file_and_too_few_slices_are_refused(stack: SliceStack, tmp_path: Path) -> None:
    paths = write(datasets_of(stack), tmp_path)
    with pytest.raises(VolumeError, match="fewer than two"):
        read_stack(paths[:1])
    paths[2].write_bytes(b"not DICOM at all")
    with pytest.raises(VolumeError, match="cannot be read"):
        read_stack(paths)
