"""A radiograph is read as a reader sees it, whichever way it was stored, and only in the views that are asked for."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from scipy.ndimage import binary_dilation

from pacs.models import Study
from pacs.synthetic.chest_studies import make_chest_study
from tests.triage.kinds import DX, THRESHOLDS, BrightBox, brightest, marks, write_bundle
from tests.triage.test_kinds import carried_out, derived, groups
from triage import planning, registry, tasks
from triage.inference.projections import native_mask, read_projections, resampled
from triage.inference.volume import VolumeError
from triage.models import RunState
from triage.results.key_image import VIOLET
from triage.routing import SeriesFacts, Verdict, consider
from triage.series import view_of

Stored = Callable[..., Study]
PNEUMOTHORAX = {"code": "36118008", "scheme": "SCT", "meaning": "Pneumothorax", **THRESHOLDS}
EFFUSION = {"code": "60046008", "scheme": "SCT", "meaning": "Pleural effusion", **THRESHOLDS}
PEAK = {"probability": {"method": "peak of the map"}}
LIMITS = {"modality": ["DX", "CR"], "min_slices": 1}


@pytest.fixture
def frontal() -> Dataset:
    """One frontal radiograph with a pneumothorax on the right."""
    return make_chest_study(3, "pneumothorax", size=0.8, side="right", matrix=128).datasets[0]


def grey(dataset: Dataset, folder: Path, views: list[str] | None = None) -> np.ndarray:
    path = folder / f"{dataset.SOPInstanceUID}.dcm"
    dataset.save_as(path, enforce_file_format=True)
    (image,) = read_projections([path], views)
    return image.pixels


def with_pixels(dataset: Dataset, pixels: np.ndarray) -> Dataset:
    changed = copy.deepcopy(dataset)
    changed.Rows, changed.Columns = pixels.shape
    changed.PixelData = np.ascontiguousarray(pixels).astype("<u2").tobytes()
    changed["PixelData"].VR = "OW"
    return changed


def test_the_same_radiograph_stored_inverted_reads_the_same(frontal: Dataset, tmp_path: Path) -> None:
    inverted = with_pixels(frontal, 4095 - frontal.pixel_array)
    inverted.PhotometricInterpretation = "MONOCHROME1"
    assert np.abs(grey(frontal, tmp_path) - grey(inverted, tmp_path)).max() < 1e-6


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (["R", "F"], lambda a: a[:, ::-1]),
        (["L", "H"], lambda a: a[::-1]),
        (["R", "H"], lambda a: a[::-1, ::-1]),
        (["F", "L"], lambda a: a.T),
        (["H", "R"], lambda a: a[::-1, ::-1].T),
    ],
)
def test_a_turned_or_mirrored_radiograph_is_turned_back(
    frontal: Dataset, tmp_path: Path, orientation: list[str], turn: Callable[[np.ndarray], np.ndarray]
) -> None:
    turned = with_pixels(frontal, turn(frontal.pixel_array))
    turned.PatientOrientation = orientation
    assert np.array_equal(grey(turned, tmp_path), grey(frontal, tmp_path))
    path = tmp_path / f"{turned.SOPInstanceUID}.dcm"
    turned.save_as(path, enforce_file_format=True)
    (image,) = read_projections([path], None)
    marked = image.pixels > 0.9
    assert np.array_equal(native_mask(marked, image), turn(grey(frontal, tmp_path) > 0.9))


def test_the_window_that_the_sender_chose_is_applied(frontal: Dataset, tmp_path: Path) -> None:
    narrow = copy.deepcopy(frontal)
    narrow.WindowCenter, narrow.WindowWidth = "1000", "500"
    shown, stored = grey(narrow, tmp_path), frontal.pixel_array
    assert (shown[stored > 1260] == 1.0).all() and (shown[stored < 740] == 0.0).all()
    assert shown[np.abs(stored - 1000) < 20] == pytest.approx(0.5, abs=0.06)


def test_a_look_up_table_is_applied_and_goes_before_a_window(frontal: Dataset, tmp_path: Path) -> None:
    table = Dataset()
    table.LUTDescriptor, table.LUTData = [4096, 0, 12], [4095 - v for v in range(4096)]
    table["LUTDescriptor"].VR = table["LUTData"].VR = "US"
    turned = copy.deepcopy(frontal)
    turned.VOILUTSequence = Sequence([table])
    assert np.abs(grey(turned, tmp_path) - (1.0 - grey(frontal, tmp_path))).max() < 2e-3


def test_padding_around_an_image_is_dark_and_does_not_stretch_the_greys(
    frontal: Dataset, tmp_path: Path
) -> None:
    pixels = frontal.pixel_array // 2 + 500
    reference = grey(with_pixels(frontal, pixels), tmp_path)
    padded = pixels.copy()
    padded[:, :20] = 4095
    image = with_pixels(frontal, padded)
    image.PixelPaddingValue = 4095
    read = grey(image, tmp_path)
    assert (read[:, :20] == 0.0).all() and np.abs(read[:, 40:] - reference[:, 40:]).max() < 0.02


def test_pixels_are_brought_to_the_spacing_that_is_asked_for(frontal: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "one.dcm"
    frontal.save_as(path, enforce_file_format=True)
    (image,) = read_projections([path], ["PA", "AP"])
    assert image.spacing_mm == pytest.approx((3.125, 3.125)) and image.field_mm == pytest.approx((400, 400))
    assert resampled(image, [6.25, 6.25]).shape == (1, 64, 64)
    assert resampled(image, [1.5625, 3.125]).shape == (1, 256, 128)
    assert resampled(image, None).shape == (1, 128, 128)
    del frontal.ImagerPixelSpacing
    frontal.save_as(path, enforce_file_format=True)
    (image,) = read_projections([path], None)
    with pytest.raises(VolumeError, match="pixel spacing"):
        resampled(image, [6.25, 6.25])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3}, "no grey values"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "PALETTE COLOR is not monochrome"),
        ({"NumberOfFrames": 4}, "several frames"),
        ({"ViewPosition": "LL"}, "the view is LL, not PA or AP"),
        ({"ViewPosition": "", "ViewCodeSequence": None}, "the view is not given, not PA or AP"),
    ],
)
def test_what_cannot_or_must_not_be_read_is_told(
    frontal: Dataset, tmp_path: Path, change: dict[str, object], why: str
) -> None:
    for keyword, value in change.items():
        setattr(frontal, keyword, value)
    path = tmp_path / "odd.dcm"
    frontal.save_as(path, enforce_file_format=True)
    with pytest.raises(VolumeError, match=why):
        read_projections([path], ["PA", "AP"])


@pytest.mark.parametrize(
    ("position", "meaning", "view"),
    [
        ("PA", "", "PA"),
        ("ap", "postero-anterior", "AP"),
        ("", "Postero-anterior", "PA"),
        ("", "left lateral", "LL"),
        ("LATERAL", "", "LL"),
        ("RLO", "", "RLO"),
        ("", "", ""),
    ],
)
def test_views_have_one_name(position: str, meaning: str, view: str) -> None:
    assert view_of(position, meaning) == view


def test_a_series_of_another_view_does_not_fit_and_the_plan_says_why() -> None:
    lateral = SeriesFacts(1, "1.2", modality="DX", body_part_examined="CHEST", slices=1, views=("LL",))
    answer = consider(lateral, [DX], LIMITS)
    assert (answer.verdict, answer.reason) == (Verdict.UNFIT, "the view is LL, not PA or AP")
    both = SeriesFacts(1, "1.2", modality="DX", body_part_examined="CHEST", slices=2, views=("PA", "LL"))
    assert consider(both, [DX], LIMITS).verdict == Verdict.FITS


@pytest.mark.django_db(transaction=True)
def test_of_a_study_with_two_views_the_frontal_one_is_classified_and_is_the_key_image(
    bundles: Path, stored: Stored
) -> None:
    definition, weights = brightest(2, 1, [0.5, 5000.0])
    bundle = write_bundle(
        bundles,
        "chest",
        definition=definition,
        weights={name: value * 1000 for name, value in weights.items()},
        kind="classification",
        dimensions=2,
        spacing_mm=[3.125, 3.125],
        routing=DX,
        input_limits=LIMITS,
        site={"code": "816094009", "scheme": "SCT", "meaning": "Chest"},
        findings=[PNEUMOTHORAX, EFFUSION],
    )  # fmt: skip
    datasets = make_chest_study(3, "pneumothorax", lateral=True, matrix=128).datasets
    run = carried_out(bundle, stored(datasets))
    present, absent = run.findings.order_by("pk")
    assert (present.presence, absent.presence) == ("present", "absent")
    assert present.key_sop_instance_uid == str(datasets[0].SOPInstanceUID)
    assert (present.slice_from, present.volume_ml, run.seg_sop_instance_uid) == (None, None, "")
    report, key_image = derived(run.study)
    assert groups(report) == {"Pneumothorax": "Present", "Pleural effusion": "Absent"}
    assert present.key_sop_instance_uid in key_image.to_json()
    assert "816094009" in report.to_json()


@pytest.mark.django_db(transaction=True)
def test_a_study_with_a_lateral_view_only_is_not_analysed(bundles: Path, stored: Stored) -> None:
    definition, weights = brightest(2, 1, [0.5])
    bundle = write_bundle(
        bundles, "chest", definition=definition, weights=weights, kind="classification", dimensions=2,
        routing=DX, input_limits=LIMITS, findings=[PNEUMOTHORAX],
    )  # fmt: skip
    registry.register_bundle(path=bundle, state="live")
    study = stored(make_chest_study(3, lateral=True, matrix=128).datasets[1:])
    (run,) = planning.plan_runs(study_id=study.pk)
    assert (run.state, run.reason) == (RunState.NOT_ANALYSED, "the view is LL, not PA or AP")


@pytest.mark.django_db(transaction=True)
def test_an_image_of_another_size_than_a_chest_is_not_analysed(bundles: Path, stored: Stored) -> None:
    definition, weights = brightest(2, 1, [0.5])
    bundle = write_bundle(
        bundles, "chest", definition=definition, weights=weights, kind="classification", dimensions=2,
        routing=DX, input_limits=LIMITS | {"field_mm": [200, 350]}, findings=[PNEUMOTHORAX],
    )  # fmt: skip
    registry.register_bundle(path=bundle, state="live")
    (run,) = planning.plan_runs(study_id=stored(make_chest_study(3, matrix=128).datasets).pk)
    tasks.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.reason) == (
        RunState.NOT_ANALYSED, "an image 400 mm wide or high, outside 200 to 350 mm",
    )  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_a_detector_of_radiographs_gives_a_size_and_the_key_image(bundles: Path, stored: Stored) -> None:
    bundle = write_bundle(
        bundles, "boxes", network=BrightBox(0.97), format="torchscript", kind="detection", dimensions=2,
        spacing_mm=[3.125, 3.125], routing=DX, input_limits=LIMITS, findings=[PNEUMOTHORAX],
    )  # fmt: skip
    datasets = make_chest_study(3, matrix=128).datasets
    run = carried_out(bundle, stored(datasets))
    (finding,) = run.findings.all()
    assert finding.key_sop_instance_uid == str(datasets[0].SOPInstanceUID)
    assert finding.box_lps_mm is None and 5.0 < finding.largest_diameter_mm < 600.0
    assert [d.Modality for d in derived(run.study)] == ["SR", "OT"]


@pytest.mark.django_db(transaction=True)
def test_a_segmentation_of_a_radiograph_is_filed_on_its_pixels_as_they_were_stored(
    bundles: Path, stored: Stored
) -> None:
    definition, weights = marks(2, 1, [0.9])
    bundle = write_bundle(
        bundles, "marks", definition=definition,
        weights={"weight": weights["weight"] * 5000, "bias": weights["bias"] * 5000},
        dimensions=2, mask_threshold=0.5, min_component_ml=0.0, min_component_mm2=50.0, probability={},
        spacing_mm=[3.125, 3.125], routing=DX, input_limits=LIMITS, findings=[PNEUMOTHORAX | PEAK],
    )  # fmt: skip
    dataset = make_chest_study(3, matrix=128).datasets[0]
    mirrored = with_pixels(dataset, dataset.pixel_array[:, ::-1])
    mirrored.PatientOrientation = ["R", "F"]
    run = carried_out(bundle, stored([mirrored]))
    key_image, seg, report = sorted(derived(run.study), key=lambda d: d.Modality)
    assert (key_image.Modality, seg.Modality, report.Modality) == ("OT", "SEG", "SR")
    stored_bright = mirrored.pixel_array > 0.9 * 4095
    drawn = pydicom.pixels.pixel_array(seg).astype(bool).reshape(128, 128)
    assert (drawn & stored_bright).sum() / (drawn | stored_bright).sum() > 0.8
    scale = key_image.Columns // 128
    outline = (key_image.pixel_array[: 128 * scale] == VIOLET).all(axis=-1)
    around = binary_dilation(drawn.repeat(scale, axis=0).repeat(scale, axis=1), iterations=3)
    assert outline.any() and not (outline & ~around).any()
