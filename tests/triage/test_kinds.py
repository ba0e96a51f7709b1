"""Every kind and form of bundle goes from DICOM files to findings and an SR in the archive."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
import torch
from monai.apps.detection.networks.retinanet_detector import RetinaNetDetector
from monai.apps.detection.networks.retinanet_network import RetinaNet
from monai.apps.detection.utils.anchor_utils import AnchorGeneratorWithAnchorShape
from torch import nn

from pacs import storage
from pacs.models import Instance, Study
from tests.triage.conftest import ball_series
from tests.triage.kinds import (
    BLEED,
    SUBDURAL,
    THRESHOLDS,
    BrightBox,
    brightest,
    marks,
    write_bundle,
)
from triage import planning, registry, tasks
from triage.inference.boxes import boxes_of
from triage.inference.bundle import BundleError, load_bundle
from triage.models import Finding, Outcome, RunState, TriageRun

pytestmark = pytest.mark.django_db(transaction=True)
Stored = Callable[..., Study]
CENTRE = np.array([10.0, -5.0, 8.0])
HALVED_LOGIT = {"features": ["logit"], "coefficients": [0.5], "intercept": 0.0}
DCIODVFY = Path(sys.executable).parent / "dciodvfy"


def carried_out(bundle: Path, study: Study) -> TriageRun:
    """Register, plan and run; the run is done."""
    registry.register_bundle(path=bundle, state="live")
    (run,) = planning.plan_runs(study_id=study.pk)
    tasks.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.reason) == (RunState.DONE, "")
    return run


def derived(study: Study) -> list[pydicom.Dataset]:
    """SR and SEG in the archive; dciodvfy finds no error in any."""
    found = []
    for instance in Instance.objects.filter(series__study=study, series__derived=True).order_by("pk"):
        path = storage.path_of(instance)
        done = subprocess.run([str(DCIODVFY), str(path)], capture_output=True, text=True, check=False)
        lines = (done.stdout + done.stderr).splitlines()
        assert lines and [line for line in lines if line.startswith("Error")] == []
        found.append(pydicom.dcmread(path))
    return found


def groups(document: pydicom.Dataset) -> dict[str, str]:
    """Present or Absent by finding, of a document's groups of measurements."""
    report = highdicom.sr.Comprehensive3DSR.from_dataset(document).content
    said = {}
    for group in [*report.get_image_measurement_groups(), *report.get_volumetric_roi_measurement_groups()]:
        for item in group.get_qualitative_evaluations():
            if str(item.value.meaning) in ("Present", "Absent"):
                said[str(item.name.meaning)] = str(item.value.meaning)
    return said


def depth_of_key(datasets: list[pydicom.Dataset], uid: str) -> float:
    """Distance of the key slice from the ball's centre along the slices' normal, mm."""
    (key,) = [d for d in datasets if str(d.SOPInstanceUID) == uid]
    place = np.array([float(v) for v in key.ImagePositionPatient])
    return float(abs((place - CENTRE) @ np.array([0, 0.3173047, 0.9483237])))


def test_several_findings_of_a_segmentation_are_segments_of_one_seg_and_the_absent_one_has_an_sr_of_its_own(
    bundles: Path, stored: Stored
) -> None:
    definition, weights = marks(3, 1, [1500.0, 1000.0, 5000.0])
    probability = {"features": ["peak"], "coefficients": [10.0], "intercept": -3.0}
    bundle = write_bundle(
        bundles,
        "several",
        definition=definition,
        weights=weights,
        mask_threshold=0.5,
        min_component_ml=0.1,
        probability=probability,
        findings=[
            {"name": "bleed", **BLEED, **THRESHOLDS, "criticality": "critical"},
            {"name": "subdural", **SUBDURAL, **THRESHOLDS, "criticality": "urgent", "subtype": "subdural"},
            {"name": "third", "code": "21454007", "scheme": "SCT", "meaning": "Subarachnoid hemorrhage",
             "rank_threshold": 0.4, "alert_threshold": 0.9},
        ],
    )  # fmt: skip
    run = carried_out(bundle, stored(ball_series()))
    bleed, subdural, third = run.findings.order_by("pk")
    assert run.outcome == Outcome.POSITIVE
    assert (bleed.name, bleed.presence, bleed.criticality, bleed.segment_number) == (
        "bleed", "present", "critical", 1,
    )  # fmt: skip
    assert (subdural.presence, subdural.subtype, subdural.criticality) == ("present", "subdural", "urgent")
    assert subdural.volume_ml > bleed.volume_ml and subdural.segment_number == 2
    assert (third.presence, third.segment_number, third.rank_threshold, third.alert_threshold) == (
        "absent", None, 0.4, 0.9,
    )  # fmt: skip
    assert bleed.centroid_lps_mm == pytest.approx(list(CENTRE), abs=2.0)
    documents = derived(run.study)
    (seg,) = [d for d in documents if d.Modality == "SEG"]
    assert [s.TrackingUID for s in seg.SegmentSequence] == [bleed.tracking_uid, subdural.tracking_uid]
    reports = [d for d in documents if d.Modality == "SR"]
    assert len({r.SeriesInstanceUID for r in reports}) == 1
    assert [groups(r) for r in reports] == [
        {"Intracranial hemorrhage": "Present", "Subdural hemorrhage": "Present"},
        {"Subarachnoid hemorrhage": "Absent"},
    ]


def test_a_classifier_of_whole_volumes_says_each_finding_without_a_seg(bundles: Path, stored: Stored) -> None:
    definition, weights = brightest(3, 1, [1500.0, 5000.0])
    bundle = write_bundle(
        bundles,
        "whole",
        definition=definition,
        weights=weights,
        kind="classification",
        findings=[{**BLEED, **THRESHOLDS}, {**SUBDURAL, **THRESHOLDS}],
    )
    run = carried_out(bundle, stored(ball_series()))
    assert [f.presence for f in run.findings.order_by("pk")] == ["present", "absent"]
    assert (run.seg_sop_instance_uid, run.runtime) == ("", "torch")
    (report,) = derived(run.study)
    assert groups(report) == {"Intracranial hemorrhage": "Present", "Subdural hemorrhage": "Absent"}


def test_a_classifier_of_slice_windows_names_the_key_slice(bundles: Path, stored: Stored) -> None:
    definition, weights = brightest(2, 3, [1500.0])
    bundle = write_bundle(
        bundles,
        "windows",
        definition=definition,
        weights=weights,
        kind="classification",
        dimensions=2.5,
        window={"slices": 3},
        findings=[{**BLEED, **THRESHOLDS, "probability": HALVED_LOGIT}],
    )  # fmt: skip
    datasets = ball_series()
    run = carried_out(bundle, stored(datasets[::-1]))
    (finding,) = run.findings.all()
    assert finding.presence == Finding.Presence.PRESENT and 0.5 < finding.probability < 1.0
    assert finding.probability_method == "logistic on the network's logit, highest window"
    assert depth_of_key(datasets, finding.key_sop_instance_uid) < 14.0
    assert finding.slice_from == finding.slice_to and finding.slice_from is not None
    report, key_image = derived(run.study)
    assert finding.key_sop_instance_uid in report.to_json()
    assert (
        finding.key_sop_instance_uid in key_image.to_json()
        and "not for diagnosis" in key_image.SeriesDescription
    )


def test_a_segmentation_by_slice_windows_marks_the_ball_where_it_is(bundles: Path, stored: Stored) -> None:
    definition, weights = marks(2, 3, [1500.0])
    bundle = write_bundle(
        bundles,
        "window_marks",
        definition=definition,
        weights=weights,
        dimensions=2.5,
        mask_threshold=0.5,
        min_component_ml=0.1,
        probability={"features": ["peak"], "coefficients": [10.0], "intercept": -3.0},
        finding=BLEED,
        **THRESHOLDS,
    )
    run = carried_out(bundle, stored(ball_series()))
    (finding,) = run.findings.all()
    assert finding.volume_ml == pytest.approx(4 / 3 * np.pi * 1.4**3, rel=0.3)
    assert finding.centroid_lps_mm == pytest.approx(list(CENTRE), abs=2.0)
    assert {d.Modality for d in derived(run.study)} == {"SEG", "SR", "OT"}


@pytest.mark.parametrize(("dimensions", "radius"), [(3, 14.0), (2.5, 14.0)])
def test_a_detector_gives_boxes_in_the_patient_with_their_key_slice(
    bundles: Path, stored: Stored, dimensions: float, radius: float
) -> None:
    bundle = write_bundle(
        bundles,
        "boxes",
        network=BrightBox(1500.0),
        format="torchscript",
        kind="detection",
        dimensions=dimensions,
        window={"slices": 1},
        findings=[{**BLEED, **THRESHOLDS}],
    )
    datasets = ball_series(radius_mm=radius)
    run = carried_out(bundle, stored(datasets))
    (finding,) = run.findings.all()
    low, high = np.array(finding.box_lps_mm[:3]), np.array(finding.box_lps_mm[3:])
    assert low == pytest.approx(CENTRE - radius, abs=4.0) and high == pytest.approx(CENTRE + radius, abs=4.0)
    assert finding.probability == pytest.approx(0.9)
    assert depth_of_key(datasets, finding.key_sop_instance_uid) < 5.0
    assert finding.largest_diameter_mm == pytest.approx(2 * radius * 2**0.5, rel=0.25)
    assert run.seg_sop_instance_uid == "" and [d.Modality for d in derived(run.study)] == ["SR", "OT"]


def test_a_detector_that_finds_no_box_says_absent_once(bundles: Path, stored: Stored) -> None:
    bundle = write_bundle(
        bundles,
        "no_boxes",
        network=BrightBox(1500.0),
        format="torchscript",
        kind="detection",
        findings=[{**BLEED, **THRESHOLDS}],
    )
    run = carried_out(bundle, stored(ball_series(radius_mm=0)))
    (finding,) = run.findings.all()
    assert (run.outcome, finding.presence, finding.probability) == (Outcome.NEGATIVE, "absent", 0.0)


def test_torchscript_and_onnx_forms_of_a_network_answer_like_its_torch_form(
    bundles: Path, stored: Stored
) -> None:
    torch.manual_seed(3)
    network = nn.Sequential(
        nn.Conv3d(1, 4, 3, padding=1),
        nn.BatchNorm3d(4),
        nn.ReLU(),
        nn.AdaptiveMaxPool3d(1),
        nn.Flatten(),
        nn.Linear(4, 2),
    )
    with torch.no_grad():  # grey values reach thousands: keep the logits where they tell something
        network[0].weight *= 1e-3
    network.eval()
    common: dict[str, Any] = {
        "kind": "classification",
        "findings": [{**BLEED, **THRESHOLDS}, {**SUBDURAL, **THRESHOLDS}],
    }
    text = (
        "$torch.nn.Sequential(torch.nn.Conv3d(1, 4, 3, padding=1), torch.nn.BatchNorm3d(4), torch.nn.ReLU(), "
        "torch.nn.AdaptiveMaxPool3d(1), torch.nn.Flatten(), torch.nn.Linear(4, 2))"
    )
    example = torch.rand(1, 1, 12, 20, 20) * 100
    made = [
        write_bundle(bundles, "form_torch", definition=text, weights=network.state_dict(), **common),
        write_bundle(bundles, "form_script", network=network, format="torchscript", **common),
        write_bundle(bundles, "form_onnx", network=network, format="onnx", onnx_example=example, **common),
    ]
    volume = np.random.default_rng(1).normal(30, 400, (14, 24, 18)).astype(np.float32)
    answers = [load_bundle(path).ask(volume[None]).numpy() for path in made]
    assert answers[0].min() > 0.01 and answers[0].max() < 0.99
    for answer in answers[1:]:
        assert np.abs(answer - answers[0]).max() <= 1e-4
    study = stored(ball_series())
    for path in made:
        registry.register_bundle(path=path, state="live")
    said = {}
    for run in planning.plan_runs(study_id=study.pk):
        tasks.run(run.pk)
        run.refresh_from_db()
        assert (run.state, run.reason) == (RunState.DONE, "")
        said[run.runtime, run.model.name] = [f.probability for f in run.findings.order_by("pk")]
    assert set(said) == {("torch", "form_torch"), ("torch", "form_script"), ("onnxruntime", "form_onnx")}
    reference = said["torch", "form_torch"]
    assert all(values == pytest.approx(reference, abs=1e-4) for values in said.values())


class Halved(nn.Module):
    """The feature extractor of a network small enough for a test."""

    out_channels = 8

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"0": nn.functional.avg_pool2d(image, 2).repeat(1, 8, 1, 1)}


def test_the_answers_of_monais_own_retinanet_are_read() -> None:
    torch.manual_seed(0)
    network = RetinaNet(2, 1, 1, Halved(), size_divisible=[2, 2])
    detector = RetinaNetDetector(network, AnchorGeneratorWithAnchorShape([1], [[8, 8]])).eval()
    detector.set_box_selector_parameters(score_thresh=0.0)
    with torch.inference_mode():
        found = boxes_of(detector(torch.rand(1, 1, 32, 48)), 2, "retina")
    assert len(found.scores) and found.corners.shape[1] == 4
    assert (found.corners >= 0).all() and (found.corners[:, 2] <= 32).all()


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"findings": [{**BLEED, **THRESHOLDS, "output": 3}]}, "name output 3"),
        ({"kind": "segmentation", "mask_threshold": 0.5, "min_component_ml": 0.1,
          "findings": [{**BLEED, **THRESHOLDS, "probability": HALVED_LOGIT}]},
         "answered"),
    ],
)  # fmt: skip
def test_an_answer_that_does_not_fit_the_kind_fails_and_says_so(
    bundles: Path, stored: Stored, values: dict[str, Any], why: str
) -> None:
    definition, weights = brightest(3, 1, [1500.0])
    config = {"kind": "classification"} | values
    bundle = write_bundle(bundles, "odd", definition=definition, weights=weights, **config)
    registry.register_bundle(path=bundle, state="live")
    (run,) = planning.plan_runs(study_id=stored(ball_series()).pk)
    tasks.run(run.pk)
    run.refresh_from_db()
    assert run.state == RunState.FAILED and why in run.reason


def test_an_answer_with_numbers_that_are_none_is_refused(bundles: Path) -> None:
    definition, weights = brightest(3, 1, [1500.0])
    weights["2.bias"] = torch.tensor([float("nan")])
    bundle = write_bundle(
        bundles, "nan", definition=definition, weights=weights, kind="classification",
        findings=[{**BLEED, **THRESHOLDS}],
    )  # fmt: skip
    with pytest.raises(BundleError, match="not finite"):
        load_bundle(bundle).ask(np.zeros((1, 8, 8, 8), dtype=np.float32))
