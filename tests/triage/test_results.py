"""SEG and SR say what was found, on the right images, and validators agree."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from tests.triage.making import datasets_of, enhanced_of, make_stack, write
from triage.inference.slices import read_stack
from triage.inference.volume import SliceStack, mask_to_stack, to_regular
from triage.results.headers import read_headers
from triage.results.seg import make_seg
from triage.results.sr import Measured, make_srs
from triage.results.statement import Statement

DCIODVFY = Path(sys.executable).parent / "dciodvfy"
STATEMENT = Statement(
    model="ich_demo",
    version="0.1.0",
    weights_sha256="ab" * 32,
    finding=Code("1386000", "SCT", "Intracranial hemorrhage"),
    present=True,
    probability=0.9312,
    threshold=0.5,
    volume_ml=12.31,
    largest_diameter_mm=31.04,
    side="left",
    tracking_uid="1.2.826.0.1.3680043.10.511.3.1",
    software_version="Firstread 0.1.0",
)
ABSENT = replace(
    STATEMENT, present=False, probability=0.02, volume_ml=None, largest_diameter_mm=None, side=""
)
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def faults(dataset: Dataset, folder: Path) -> list[str]:
    """What dciodvfy calls an error."""
    path = folder / "checked.dcm"
    dataset.save_as(path)
    done = subprocess.run([str(DCIODVFY), str(path)], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    assert lines, "dciodvfy said nothing"
    return [line for line in lines if line.startswith("Error")]


def make_sr(statement: Statement, headers: list[Dataset], seg: Dataset | None) -> Dataset:
    """The one document of one finding."""
    (document,) = make_srs([Measured(statement, 1 if seg is not None else None)], headers, seg)
    return document


def placed(seg: Dataset) -> dict[tuple[str, int], np.ndarray]:
    """SEG frames by the source frame that they refer to, read with pydicom alone."""
    pixels = seg.pixel_array if int(seg.NumberOfFrames) > 1 else seg.pixel_array[None]
    found = {}
    for frame, plane in zip(seg.PerFrameFunctionalGroupsSequence, pixels, strict=True):
        source = frame.DerivationImageSequence[0].SourceImageSequence[0]
        number = int(source.get("ReferencedFrameNumber", 1))
        found[(str(source.ReferencedSOPInstanceUID), number)] = plane.astype(bool)
    return found


@pytest.fixture
def stack() -> SliceStack:
    """A tilted, unevenly spaced series with a ball."""
    return make_stack(
        centre=np.array([6.0, -9.0, 11.0]),
        radius_mm=9.0,
        row_direction=np.array([1.0, 0, 0]),
        column_direction=np.array([0, 0.9483237, -0.3173047]),
        depths_mm=np.array([-20, -16, -12, -8, -4, -3, 2, 9, 16, 23, 30.0]),
        thickness_mm=4.0,
        tilt_shift=0.33,
        size=32,
        pixel_mm=2.0,
    )


def drawn_on(read: SliceStack) -> np.ndarray:
    regular = to_regular(read, (2.0, 2.0, 2.0))
    return mask_to_stack(regular.array > 1500, regular, read)


def test_every_seg_frame_lies_on_the_image_it_was_drawn_on_whatever_the_order_of_files(
    stack: SliceStack, tmp_path: Path
) -> None:
    datasets = datasets_of(stack)
    random.Random(7).shuffle(datasets)
    for number, dataset in enumerate(datasets):
        dataset.InstanceNumber = number + 1
    paths = write(datasets, tmp_path)
    read = read_stack(paths)
    mask = drawn_on(read)
    seg = make_seg([(STATEMENT, mask)], read.sources, read_headers(paths))
    seg.save_as(tmp_path / "seg.dcm")
    frames = placed(pydicom.dcmread(tmp_path / "seg.dcm"))
    assert {key[0] for key in frames} == {
        source.sop_instance_uid for source, plane in zip(read.sources, mask, strict=True) if plane.any()
    }
    bright = {
        str(d.SOPInstanceUID): np.frombuffer(d.PixelData, "<u2").reshape(32, 32) > 2500 for d in datasets
    }
    for (uid, _), plane in frames.items():
        overlap = (plane & bright[uid]).sum() / max(1, (plane | bright[uid]).sum())
        assert overlap > 0.5 or bright[uid].sum() < 20
    by_position = {
        tuple(np.round([float(v) for v in d.ImagePositionPatient], 3)): str(d.SOPInstanceUID)
        for d in datasets
    }
    for frame in seg.PerFrameFunctionalGroupsSequence:
        position = [float(v) for v in frame.PlanePositionSequence[0].ImagePositionPatient]
        source = frame.DerivationImageSequence[0].SourceImageSequence[0]
        assert by_position[tuple(np.round(position, 3))] == str(source.ReferencedSOPInstanceUID)


def test_highdicom_reads_the_same_pixels_back_by_source_instance(stack: SliceStack, tmp_path: Path) -> None:
    paths = write(datasets_of(stack), tmp_path)
    read = read_stack(paths)
    mask = drawn_on(read)
    make_seg([(STATEMENT, mask)], read.sources, read_headers(paths)).save_as(tmp_path / "seg.dcm")
    again = highdicom.seg.segread(tmp_path / "seg.dcm")
    uids = [source.sop_instance_uid for source in read.sources]
    pixels = again.get_pixels_by_source_instance(
        uids, assert_missing_frames_are_empty=True, combine_segments=False
    )
    assert np.array_equal(pixels[..., 0].astype(bool), mask)


def test_an_unsorted_enhanced_series_gets_its_frames_right(stack: SliceStack, tmp_path: Path) -> None:
    order = list(range(len(stack.pixels)))
    random.Random(9).shuffle(order)
    paths = write([enhanced_of(stack, order)], tmp_path)
    read = read_stack(paths)
    mask = drawn_on(read)
    frames = placed(make_seg([(STATEMENT, mask)], read.sources, read_headers(paths)))
    for source, plane in zip(read.sources, mask, strict=True):
        key = (source.sop_instance_uid, source.frame)
        assert np.array_equal(frames.get(key, np.zeros_like(plane)), plane)


def test_seg_and_both_kinds_of_sr_pass_dciodvfy_and_share_one_tracking_uid(
    stack: SliceStack, tmp_path: Path
) -> None:
    paths = write(datasets_of(stack), tmp_path)
    read, headers = read_stack(paths), read_headers(paths)
    seg = make_seg([(STATEMENT, drawn_on(read))], read.sources, headers)
    sr, negative = make_sr(STATEMENT, headers, seg), make_sr(ABSENT, headers, None)
    for number, dataset in enumerate((seg, sr, negative)):
        (tmp_path / str(number)).mkdir()
        assert faults(dataset, tmp_path / str(number)) == []
    report = highdicom.sr.srread(tmp_path / "1" / "checked.dcm")
    (group,) = report.content.get_volumetric_roi_measurement_groups()
    assert group.tracking_uid == STATEMENT.tracking_uid == seg.SegmentSequence[0].TrackingUID
    assert str(group.reference_type.meaning) == "Referenced Segment"
    values = {str(m.name.meaning): m.value for m in group.get_measurements()}
    assert values == {"Probability": 0.9312, "Volume": 12.31, "Diameter": 31.0}
    (absent,) = highdicom.sr.srread(tmp_path / "2" / "checked.dcm").content.get_image_measurement_groups()
    said = {str(e.name.meaning): str(e.value.meaning) for e in absent.get_qualitative_evaluations()}
    assert said["Intracranial hemorrhage"] == "Absent"


def test_shift_growth_and_comparison_stand_in_the_sr_and_pass_dciodvfy(
    stack: SliceStack, tmp_path: Path
) -> None:
    paths = write(datasets_of(stack), tmp_path)
    read, headers = read_stack(paths), read_headers(paths)
    statement = replace(
        STATEMENT,
        midline_shift_mm=-4.23,
        midline_shift_uncertainty_mm=1.9,
        comparison="grown",
        growth_ml=8.04,
        probability_method="logistic on log volume and peak",
    )
    seg = make_seg([(statement, drawn_on(read))], read.sources, headers)
    assert list(seg.SegmentSequence[0].RecommendedDisplayCIELabValue) != [0, 0, 0]
    assert faults(make_sr(statement, headers, seg), tmp_path) == []
    (group,) = highdicom.sr.srread(tmp_path / "checked.dcm").content.get_volumetric_roi_measurement_groups()
    values = {str(m.name.meaning): m.value for m in group.get_measurements()}
    assert values["Midline shift, positive to the left"] == -4.2
    assert values["Midline shift, half width of its interval"] == 1.9
    assert values["Volume change since the prior"] == 8.04
    said = {str(e.name.meaning): str(e.value.meaning) for e in group.get_qualitative_evaluations()}
    assert said["Compared with the prior"] == "Known, grown"
    assert b"probability by logistic on log volume and peak" in (tmp_path / "checked.dcm").read_bytes()


def test_a_classifiers_known_finding_says_that_place_and_size_were_not_compared(
    stack: SliceStack, tmp_path: Path
) -> None:
    headers = read_headers(write(datasets_of(stack), tmp_path))
    statement = replace(STATEMENT, volume_ml=None, largest_diameter_mm=None, comparison="known")
    assert faults(make_sr(statement, headers, None), tmp_path) == []
    (group,) = highdicom.sr.srread(tmp_path / "checked.dcm").content.get_image_measurement_groups()
    said = {str(e.name.meaning): str(e.value.meaning) for e in group.get_qualitative_evaluations()}
    assert said["Compared with the prior"] == "Told of the prior too, place and size not compared"


def test_the_document_is_an_unverified_preliminary_draft_that_names_the_weights(
    stack: SliceStack, tmp_path: Path
) -> None:
    headers = read_headers(write(datasets_of(stack), tmp_path))
    sr = make_sr(ABSENT, headers, None)
    sr.save_as(tmp_path / "sr.dcm")
    assert (sr.CompletionFlag, sr.VerificationFlag, sr.PreliminaryFlag) == (
        "PARTIAL",
        "UNVERIFIED",
        "PRELIMINARY",
    )
    assert ABSENT.weights_sha256.encode() in (tmp_path / "sr.dcm").read_bytes()
    assert not hasattr(sr, "VerifyingObserverSequence")


def test_patient_and_study_attributes_are_those_received(stack: SliceStack, tmp_path: Path) -> None:
    headers = read_headers(write(datasets_of(stack, PatientName="Häßlich^Øyvind"), tmp_path))
    for dataset in (make_sr(ABSENT, headers, None),):
        dataset.save_as(tmp_path / "out.dcm")
        again = pydicom.dcmread(tmp_path / "out.dcm")
        assert str(again.PatientName) == "Häßlich^Øyvind" and again.SpecificCharacterSet == "ISO_IR 192"
        for keyword in ("PatientID", "PatientBirthDate", "StudyInstanceUID", "AccessionNumber", "StudyTime"):
            assert again[keyword].value == headers[0][keyword].value


def test_an_empty_mask_and_a_missing_source_make_no_segmentation(stack: SliceStack, tmp_path: Path) -> None:
    paths = write(datasets_of(stack), tmp_path)
    read, headers = read_stack(paths), read_headers(paths)
    mask = drawn_on(read)
    with pytest.raises(ValueError, match="empty"):
        make_seg([(STATEMENT, np.zeros_like(mask))], read.sources, headers)
    with pytest.raises(ValueError, match="missing"):
        make_seg([(STATEMENT, mask)], read.sources, headers[1:])


@pytest.mark.needs_shared_data
def test_a_known_ball_put_into_the_real_tilted_head_lies_on_the_right_slices_of_the_seg(
    shared_data: Path, tmp_path: Path
) -> None:
    """The ball straddles the step from 4 mm to 7 mm slices, off the midline; tilt is 18.5 degrees."""
    centre, radius = np.array([35.0, 20.0, 14.0]), 16.0
    datasets = [pydicom.dcmread(path) for path in sorted((shared_data / "head_ct_ge").glob("*.dcm"))]
    truth = {}
    for dataset in datasets:
        position = np.array([float(v) for v in dataset.ImagePositionPatient])
        directions = np.array([float(v) for v in dataset.ImageOrientationPatient])
        down, across = (float(v) for v in dataset.PixelSpacing)
        grid = np.arange(512)
        points = (
            position
            + grid[:, None, None] * down * directions[3:]
            + grid[None, :, None] * across * directions[:3]
        )
        ball = np.linalg.norm(points - centre, axis=-1) <= radius
        pixels = dataset.pixel_array.copy()
        pixels[ball] = 3000
        dataset.PixelData = pixels.tobytes()
        truth[str(dataset.SOPInstanceUID)] = ball
    assert sum(ball.any() for ball in truth.values()) >= 6
    random.Random(11).shuffle(datasets)
    paths = write(datasets, tmp_path)
    read, headers = read_stack(paths), read_headers(paths)
    regular = to_regular(read, (4.0, 2.0, 2.0))
    bright = regular.array > 2300
    inside = regular.points_of(np.argwhere(bright)).mean(axis=0)
    assert np.linalg.norm(inside - centre) < 2.5
    seg = make_seg([(STATEMENT, mask_to_stack(bright, regular, read))], read.sources, headers)
    assert faults(seg, tmp_path) == [] and faults(make_sr(STATEMENT, headers, seg), tmp_path) == []
    frames = {uid: plane for (uid, _), plane in placed(seg).items()}
    well_cut = {
        uid for uid, ball in truth.items() if ball.sum() > 0.35 * max(b.sum() for b in truth.values())
    }
    assert well_cut <= frames.keys()
    for uid, plane in frames.items():
        if uid in well_cut:
            middle = np.argwhere(plane).mean(axis=0) - np.argwhere(truth[uid]).mean(axis=0)
            assert np.linalg.norm(middle) * 0.488 < 2.5
    # Nothing on slices that are more than a slice away from the ball.
    near = {
        str(d.SOPInstanceUID)
        for d in datasets
        if abs((np.array([float(v) for v in d.ImagePositionPatient]) - centre) @ read.normal) < radius + 7.0
    }
    assert frames.keys() <= near
