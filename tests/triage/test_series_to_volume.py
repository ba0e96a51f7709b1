"""A thing at known patient coordinates is found there, whatever was done to the series on its way."""

from __future__ import annotations

import random
import tempfile
from copy import deepcopy
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import UID, HTJ2KLossless, JPEGLossless, JPEGLosslessSV1
from scipy import ndimage

from tests.triage import mangling
from tests.triage.making import BACKGROUND_HU, BLOB_HU, datasets_of, make_stack, rotation, write
from triage.inference.slices import read_stack
from triage.inference.volume import SliceStack, VolumeError, mask_to_stack, to_regular
from triage.results.headers import read_headers
from triage.results.seg import make_seg
from triage.results.statement import Statement

RADIUS_MM = 13.0
X, Y, Z = np.eye(3)
ACQUISITIONS = {
    "axial": (X, Y),
    "coronal": (X, -Z),
    "sagittal": (Y, -Z),
    "feet first": (-X, Y),
    "prone": (-X, -Y),
}


@st.composite
def stacks(draw: st.DrawFn) -> tuple[SliceStack, np.ndarray]:
    """Any acquisition, oblique, tilted, unevenly spaced, with oblong pixels, and a ball somewhere inside."""
    row, column = ACQUISITIONS[draw(st.sampled_from(sorted(ACQUISITIONS)))]
    turn = rotation([draw(st.floats(-25, 25)) for _ in range(3)])
    row, column = turn @ row, turn @ column
    gaps = np.array(draw(st.lists(st.floats(2.5, 6.0), min_size=17, max_size=17)))
    depths = np.r_[0.0, np.cumsum(gaps)]
    depths -= depths.mean()
    along = draw(st.floats(-10, 10)) * row + draw(st.floats(-10, 10)) * column
    centre = along + draw(st.floats(-0.15, 0.15)) * np.ptp(depths) * np.cross(row, column)
    stack = make_stack(
        centre=centre,
        radius_mm=RADIUS_MM,
        row_direction=row,
        column_direction=column,
        depths_mm=depths,
        thickness_mm=draw(st.floats(1.0, 5.0)),
        tilt_shift=draw(st.floats(-0.35, 0.35)),
        size=32,
        pixel_mm=draw(st.sampled_from([(2.5, 2.5), (2.0, 3.0), (3.0, 2.2)])),
    )
    return stack, centre


def simple_stack() -> tuple[SliceStack, np.ndarray]:
    """Sixteen tilted axial slices with a ball; the stored HTJ2K code streams are of these."""
    centre = np.array([6.0, -9.0, 5.0])
    stack = make_stack(
        centre=centre,
        radius_mm=RADIUS_MM,
        row_direction=X,
        column_direction=np.array([0, 0.9483237, -0.3173047]),
        depths_mm=np.arange(16) * 4.0 - 30.0,
        thickness_mm=4.0,
        tilt_shift=0.33,
        size=32,
    )
    return stack, centre


def check_found(read: SliceStack, centre: np.ndarray) -> np.ndarray:
    """The ball is on the regular grid where it is in the patient; returns its mask on the slices."""
    regular = to_regular(read, (3.0, 2.0, 2.0))
    mask = regular.array > (BLOB_HU + BACKGROUND_HU) / 2
    assert mask.any()
    here = regular.points_of(np.array(ndimage.center_of_mass(mask)))
    assert np.linalg.norm(here - centre) < 2.5
    return mask_to_stack(mask, regular, read)


def depth_of(source: Dataset, frame: int, normal: np.ndarray) -> float:
    """Depth of a frame by its own header."""
    groups = source.get("PerFrameFunctionalGroupsSequence")
    place = groups[frame - 1].PlanePositionSequence[0] if groups else source
    return float(np.array(place.ImagePositionPatient, dtype=float) @ normal)


def check_on_its_slices(
    read: SliceStack, drawn: np.ndarray, centre: np.ndarray, datasets: list[Dataset]
) -> None:
    """The frames with the mask, by their own headers, are those that the ball reaches."""
    by_uid = {str(dataset.SOPInstanceUID): dataset for dataset in datasets}
    for source, plane in zip(read.sources, drawn, strict=True):
        depth = depth_of(by_uid[source.sop_instance_uid], source.frame, read.normal)
        away = abs(depth - float(centre @ read.normal))
        assert plane.any() or away > RADIUS_MM - 4.0
        assert not plane.any() or away < RADIUS_MM + 7.0


@pytest.mark.parametrize("mangle", mangling.MANGLINGS, ids=lambda mangle: mangle.__name__)
@settings(max_examples=5)
@given(made=stacks(), seed=st.integers(0, 10**6))
def test_a_ball_stays_at_its_patient_coordinates_and_its_mask_on_its_slices(
    mangle: mangling.Mangling, made: tuple[SliceStack, np.ndarray], seed: int
) -> None:
    stack, centre = made
    datasets = mangle(stack, random.Random(seed))
    with tempfile.TemporaryDirectory() as folder:
        read = read_stack(write(datasets, Path(folder)))
    assert len(read.pixels) == len(stack.pixels)
    assert np.allclose(read.pixels, stack.pixels, atol=1.1)
    drawn = check_found(read, centre)
    check_on_its_slices(read, drawn, centre, datasets)


@pytest.mark.parametrize(("process", "syntax"), [("14", JPEGLossless), ("14_1", JPEGLosslessSV1)])
def test_jpeg_lossless_is_read(process: str, syntax: UID, tmp_path: Path) -> None:
    stack, centre = simple_stack()
    paths = mangling.write_jpeg_lossless(stack, tmp_path, process)
    assert pydicom.dcmread(paths[0]).file_meta.TransferSyntaxUID == syntax
    read = read_stack(paths)
    assert np.allclose(read.pixels, stack.pixels, atol=1.1)
    check_found(read, centre)


def test_high_throughput_jpeg_2000_is_read(tmp_path: Path) -> None:
    stack, centre = simple_stack()
    paths = write(mangling.htj2k(stack), tmp_path)
    assert pydicom.dcmread(paths[0]).file_meta.TransferSyntaxUID == HTJ2KLossless
    read = read_stack(paths)
    assert np.allclose(read.pixels, stack.pixels, atol=1.1)
    check_found(read, centre)


def test_a_syntax_that_nothing_here_decodes_is_named(tmp_path: Path) -> None:
    stack, _ = simple_stack()
    datasets = mangling.htj2k(stack)
    for dataset in datasets:
        dataset.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.4.100")
    with pytest.raises(VolumeError, match=r"cannot be decoded \(MPEG2 Main Profile"):
        read_stack(write(datasets, tmp_path))


def test_the_segmentation_of_a_shuffled_enhanced_object_refers_to_the_frames_with_the_ball(
    tmp_path: Path,
) -> None:
    stack, centre = simple_stack()
    (dataset,) = mangling.enhanced(stack, random.Random(4))
    paths = write([dataset], tmp_path)
    read = read_stack(paths)
    drawn = check_found(read, centre)
    seg = make_seg([(_statement(), drawn)], read.sources, read_headers(paths))
    depths = []
    for frame in seg.PerFrameFunctionalGroupsSequence:
        source = frame.DerivationImageSequence[0].SourceImageSequence[0]
        number = int(source.ReferencedFrameNumber)
        depths.append(depth_of(dataset, number, read.normal))
        own = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, dtype=float)
        assert abs(float(own @ read.normal) - depths[-1]) < 0.01
    expected = read.depths_mm[drawn.any(axis=(1, 2))]
    assert np.allclose(sorted(depths), expected, atol=0.01)


def _statement() -> Statement:
    return Statement(
        model="bright",
        version="1.0",
        weights_sha256="ab" * 32,
        finding=pydicom.sr.coding.Code("1386000", "SCT", "Intracranial hemorrhage"),
        present=True,
        probability=0.9,
        threshold=0.5,
        volume_ml=9.0,
        largest_diameter_mm=26.0,
        side="left",
        tracking_uid="1.2.3.4",
        software_version="Firstread test",
    )


def read(datasets: list[Dataset], folder: Path) -> SliceStack:
    return read_stack(write(datasets, folder))


def test_missing_slices_are_reported_and_an_uneven_series_is_not_called_incomplete(tmp_path: Path) -> None:
    stack, _ = simple_stack()
    datasets = datasets_of(stack)
    (note,) = read(datasets[:6] + datasets[8:], tmp_path / "a").notes
    assert note == "2 slices seem to be missing: a gap of 12.0 mm where 4.0 mm are usual"
    uneven = make_stack(
        centre=np.zeros(3), radius_mm=5.0, row_direction=X, column_direction=Y, thickness_mm=4.0, size=16,
        depths_mm=np.r_[np.arange(8) * 4.0, 28.0 + np.arange(1, 9) * 7.0],
    )  # fmt: skip
    assert read(datasets_of(uneven), tmp_path / "b").notes == ()


def test_images_that_were_announced_and_did_not_come_are_reported(tmp_path: Path) -> None:
    stack, _ = simple_stack()
    datasets = datasets_of(stack, NumberOfSeriesRelatedInstances=16)
    assert read(datasets[:13], tmp_path).notes == ("13 of 16 announced images came",)


def test_what_was_left_out_is_told(tmp_path: Path) -> None:
    stack, _ = simple_stack()
    rng = random.Random(1)
    motion = read(mangling.repeated_for_motion(stack, rng), tmp_path / "motion").notes
    assert motion == ("2 of 18 slices repeat a position; of each the last was used",)
    contrast = read(mangling.with_a_contrast_scan(stack, rng), tmp_path / "contrast").notes
    assert contrast == ('16 of 32 slices are of another contrast agent than "none" and are left out',)
    across = read(mangling.with_another_orientation(stack, rng), tmp_path / "across").notes
    assert across == (
        "1 localizer image left out",
        "3 of 19 slices have another orientation, size or frame of reference and are left out",
    )


def test_of_two_whole_acquisitions_at_the_same_places_the_later_is_read(tmp_path: Path) -> None:
    stack, _ = simple_stack()
    uids = {
        name: datasets_of(stack)[0][name].value
        for name in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
    }
    first = datasets_of(stack, AcquisitionNumber=2, AcquisitionTime="101500", **uids)
    later = datasets_of(stack, AcquisitionNumber=1, AcquisitionTime="102500", **uids)
    for dataset in first:
        dataset.PixelData = np.full(stack.pixels.shape[1:], 1000, "<u2").tobytes()
    got = read(later + first, tmp_path)
    assert np.allclose(got.pixels, stack.pixels, atol=1.1)
    assert got.notes == ('16 of 32 slices are of another acquisition than "1" and are left out',)


def test_different_images_at_the_same_places_with_nothing_to_tell_them_apart_are_refused(
    tmp_path: Path,
) -> None:
    stack, _ = simple_stack()
    datasets = mangling.sent_twice(stack, random.Random(1))
    for dataset in datasets[16:]:
        dataset.PixelData = np.full(stack.pixels.shape[1:], 1000, "<u2").tobytes()
    with pytest.raises(VolumeError, match="nothing tells which to read"):
        read(datasets, tmp_path)


def test_a_dynamic_series_is_refused(tmp_path: Path) -> None:
    stack, _ = simple_stack()
    datasets = [deepcopy(d) for d in mangling.sent_twice(stack, random.Random(1)) for _ in range(2)]
    for number, dataset in enumerate(datasets):
        dataset.SOPInstanceUID = pydicom.uid.generate_uid()
        dataset.TemporalPositionIdentifier = number // 16 + 1
    with pytest.raises(VolumeError, match="a dynamic series"):
        read(datasets, tmp_path)


def test_of_a_range_of_padding_values_nothing_is_taken_for_tissue(tmp_path: Path) -> None:
    stack, _ = simple_stack()
    datasets = datasets_of(stack)
    for dataset in datasets:
        pixels = np.frombuffer(dataset.PixelData, "<u2").copy()
        pixels[:32], pixels[32:64] = 60000, 61000
        dataset.PixelData = pixels.tobytes()
        dataset.add_new("PixelPaddingValue", "US", 60000)
        dataset.add_new("PixelPaddingRangeLimit", "US", 61000)
    assert (read(datasets, tmp_path).pixels[:, :2] == -1024.0).all()


@pytest.mark.needs_shared_data
def test_the_real_head_ct_with_uneven_gaps_is_called_complete(shared_data: Path) -> None:
    assert read_stack(sorted((shared_data / "head_ct_ge").glob("*.dcm"))).notes == ()
