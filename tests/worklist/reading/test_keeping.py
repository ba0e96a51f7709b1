"""Measurements and key images: right by known geometry, kept once, valid, and where readers find them."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from foundation.audit.models import AuditEvent
from pacs import storage
from pacs.models import Instance, Study
from pacs.services import IncomingInstance, Source, store_instances
from tests.worklist.api.schema import assert_matches
from worklist.queue import ranking
from worklist.reading.geometry import Kind, NotMeasurable, Spacing, measure, spacing_of
from worklist.reading.models import KeptMeasurement

DCIODVFY = Path(sys.executable).with_name("dciodvfy")
SQUARE = Spacing(rows=0.5, columns=0.25)


def stored(dataset: Dataset) -> Study:
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.SOPInstanceUID = generate_uid()
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    (result,) = store_instances(
        [IncomingInstance(data=buffer.getvalue())], source=Source(label="TEST", channel="command")
    )
    assert result.outcome == "stored"
    study = Study.objects.get(study_instance_uid=dataset.StudyInstanceUID)
    ranking.place(study_id=study.pk, cause="arrived")
    return study


@pytest.fixture
def archive(settings, tmp_path) -> None:
    settings.ARCHIVE_DIR = tmp_path / "archive"


@pytest.fixture
def ct(db, archive) -> Study:
    return stored(dcmread(get_testdata_file("CT_small.dcm")))


def image_of(study: Study) -> Instance:
    return Instance.objects.get(series__study=study, series__derived=False)


def path(study: Study, rest: str) -> str:
    return f"/api/worklist/{study.study_instance_uid}/{rest}"


def test_a_line_is_measured_by_the_spacing_of_rows_and_columns():
    values = measure(Kind.LENGTH, [(0.5, 0.5), (12.5, 8.5)], SQUARE)
    assert values.length_mm == pytest.approx(5.0)  # 12 columns of 0.25 and 8 rows of 0.5 mm: 3 and 4 mm


def test_an_angle_is_measured_in_space_not_in_pixels():
    values = measure(Kind.ANGLE, [(4, 0), (0, 0), (4, 2)], SQUARE)
    assert values.angle_deg == pytest.approx(45.0)
    assert measure(Kind.ANGLE, [(4, 0), (0, 0), (0, 2)], None).angle_deg == pytest.approx(90.0)


def test_an_ellipse_counts_the_pixels_whose_centre_it_holds():
    pixels = np.zeros((40, 40), dtype=np.float32)
    pixels[10:30, 10:30] = 50.0
    axes = [(15.0, 20.0), (25.0, 20.0), (20.0, 16.0), (20.0, 24.0)]
    values = measure(Kind.ELLIPSE, axes, SQUARE, pixels)
    assert values.area_mm2 == pytest.approx(np.pi * 5 * 4 * 0.125)
    assert (values.mean, values.deviation, values.maximum) == (50.0, 0.0, 50.0)
    half = [(5.0, 20.0), (15.0, 20.0), (10.0, 16.0), (10.0, 24.0)]
    assert measure(Kind.ELLIPSE, half, SQUARE, pixels).mean == pytest.approx(25.0)


@pytest.mark.parametrize(
    ("kind", "points", "spacing"),
    [
        (Kind.LENGTH, [(1, 1), (1, 1)], SQUARE),
        (Kind.LENGTH, [(1, 1), (2, 2)], None),
        (Kind.LENGTH, [(1, 1)], SQUARE),
        (Kind.ANGLE, [(1, 1), (1, 1), (2, 2)], SQUARE),
        (Kind.ELLIPSE, [(1, 1), (5, 1), (2, 1), (4, 1)], SQUARE),
        (Kind.LENGTH, [(1, 1), (float("nan"), 2)], SQUARE),
    ],
)
def test_what_measures_nothing_is_refused(kind, points, spacing):
    with pytest.raises(NotMeasurable):
        measure(kind, points, spacing)


def test_spacing_is_of_the_frame_then_of_all_frames_then_of_the_image_or_its_detector():
    def groups(value: list[float]) -> dict:
        measures = {"00289110": {"Value": [{"00280030": {"Value": value}}]}}
        return {"Value": [measures]}

    content = {"00280030": {"Value": [3, 3]}, "52009229": groups([2, 2]), "52009230": groups([1, 1])}
    assert spacing_of(content, 1) == Spacing(1, 1)
    assert spacing_of(content, 2) == Spacing(2, 2)
    assert spacing_of({"00280030": {"Value": [3, 4]}}, 1) == Spacing(3, 4)
    assert spacing_of({"00181164": {"Value": [0.2, 0.2]}}, 1) == Spacing(0.2, 0.2, at_detector=True)
    assert spacing_of({"00280030": {"Value": [0, 0]}}, 1) is None


def test_a_measurement_is_filed_once_and_gives_the_drafts_sentence(reader, ct):
    image = image_of(ct)
    body = {
        "kind": "length",
        "sop_instance_uid": image.sop_instance_uid,
        "points": [[10.5, 20.5], [40.5, 60.5]],
    }
    made = reader.post(path(ct, "measurements/"), body)
    assert_matches(made, "Measurement")
    # CT_small has 0.661468 mm in both directions: 50 pixels.
    assert (made["text"], made["sentence"]) == ("Length 33 mm", "Length 33 mm (series 1, image 1).")
    assert reader.post(path(ct, "measurements/"), body)["id"] == made["id"]
    assert KeptMeasurement.objects.count() == 1
    document = dcmread(storage.path_of(Instance.objects.get(sop_instance_uid=made["sr_sop_instance_uid"])))
    assert (document.Modality, document.CompletionFlag, document.VerificationFlag) == (
        "SR",
        "COMPLETE",
        "UNVERIFIED",
    )
    assert "33.07" in str(document)
    (row,) = reader.get(path(ct, "measurements/"))["results"]
    assert row == made
    assert AuditEvent.objects.filter(detail__what="measurement kept").count() == 1


def test_hounsfield_units_come_from_the_stored_pixels_not_from_the_browser(reader, ct):
    image = image_of(ct)
    source = dcmread(storage.path_of(image))
    hu = source.pixel_array * float(source.RescaleSlope) + float(source.RescaleIntercept)
    axes = [[60.0, 64.0], [68.0, 64.0], [64.0, 60.0], [64.0, 68.0]]
    body = {"kind": "ellipse", "sop_instance_uid": image.sop_instance_uid, "points": axes}
    made = reader.post(path(ct, "measurements/"), body)
    rows, columns = np.indices(hu.shape)
    inside = (columns + 0.5 - 64) ** 2 + (rows + 0.5 - 64) ** 2 <= 16
    assert f"mean {hu[inside].mean():.0f} HU" in made["text"]
    assert "Ellipse 22 mm²" in made["text"]


def test_measurements_are_refused_with_a_reason(reader, ct, make_user):
    image = image_of(ct)
    body = {"kind": "length", "sop_instance_uid": image.sop_instance_uid, "points": [[1, 1], [1, 1]]}
    assert reader.post(path(ct, "measurements/"), body, 422)["title"] == "Nothing measured"
    assert reader.post(path(ct, "measurements/"), body | {"sop_instance_uid": "1.2.3"}, 404)
    assert reader.post(path(ct, "measurements/"), body | {"frame": 2}, 404)
    assert "points" in reader.post(path(ct, "measurements/"), body | {"points": [[1], [2, 3]]}, 400)["errors"]
    viewer = type(reader)(make_user("qa_reviewer"))
    viewer.post(path(ct, "measurements/"), body, 403)
    assert viewer.get(path(ct, "measurements/"))["count"] == 0


def test_a_key_image_is_filed_shown_and_taken_out_again(reader, ct):
    image = image_of(ct)
    body = {"sop_instance_uid": image.sop_instance_uid, "description": "Level of the ventricles"}
    made = reader.post(path(ct, "key-images/"), body)
    assert_matches(made, "KeyImageRow")
    assert reader.post(path(ct, "key-images/"), body)["id"] == made["id"]
    picture = reader.client.get(made["picture_url"], **reader.headers)
    assert (picture.status_code, picture["Content-Type"]) == (200, "image/jpeg")
    filed = dcmread(storage.path_of(Instance.objects.get(sop_instance_uid=made["ko_sop_instance_uid"])))
    assert filed.Modality == "KO"
    assert filed.ConceptNameCodeSequence[0].CodeValue == "113020"
    selected = filed.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert selected.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == image.sop_instance_uid
    gone = reader.client.delete(path(ct, f"key-images/{made['id']}/"), **reader.headers)
    assert gone.status_code == 204
    assert reader.get(path(ct, "key-images/"))["count"] == 0
    again = reader.post(path(ct, "key-images/"), body)
    assert again["id"] != made["id"]


@pytest.mark.skipif(not DCIODVFY.exists(), reason="dciodvfy (dicom3tools) is not installed")
@pytest.mark.parametrize("name", ["CT_small.dcm", "examples_ybr_color.dcm"])
def test_dciodvfy_finds_no_error(reader, db, archive, tmp_path, name):
    """Of a CT's three kinds of measurement and its key image, and of a frame of an ultrasound cine."""
    study = stored(dcmread(get_testdata_file(name)))
    image = image_of(study)
    frame = image.number_of_frames
    place = {"sop_instance_uid": image.sop_instance_uid, "frame": frame}
    made = [reader.post(path(study, "key-images/"), place)["ko_sop_instance_uid"]]
    drawn = {
        "length": [[10, 10], [40, 50]],
        "angle": [[10, 10], [40, 50], [60, 10]],
        "ellipse": [[20, 30], [60, 30], [40, 20], [40, 40]],
    }
    for kind, points in drawn.items():
        if frame == 1 or kind == "angle":
            body = {"kind": kind, "points": points, **place}
            made.append(reader.post(path(study, "measurements/"), body)["sr_sop_instance_uid"])
    for uid in made:
        file = storage.path_of(Instance.objects.get(sop_instance_uid=uid))
        said = subprocess.run([DCIODVFY, str(file)], capture_output=True, text=True, check=False).stderr
        assert not [line for line in said.splitlines() if line.startswith("Error")], said
