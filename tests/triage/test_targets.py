"""A bundle's findings are read alike from both forms of its configuration."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from tests.triage.making import make_bright_bundle
from tests.triage.onnx_bytes import onnx_model
from triage.bundles import read_bundle, targets
from triage.targets import target_faults

ONE = {"code": "1386000", "scheme": "SCT", "meaning": "Intracranial hemorrhage"}


def test_one_finding_takes_its_thresholds_from_the_top_level() -> None:
    config = json.loads((Path(settings.BUNDLES_DIR) / "ich_demo/configs/firstread.json").read_text())
    (only,) = targets(config)
    assert (only.name, only.code, only.output) == ("intracranial-hemorrhage", "1386000", 0)
    assert (only.rank_threshold, only.alert_threshold) == (
        config["rank_threshold"],
        config["alert_threshold"],
    )
    assert only.criticality == "critical" and only.probability == config["probability"]


def test_several_findings_have_their_own_and_share_what_they_leave_out() -> None:
    config = {
        "alert_threshold": 0.9,
        "criticality": "urgent",
        "findings": [
            ONE | {"name": "any", "rank_threshold": 0.4, "output": 2},
            ONE | {"name": "sdh", "subtype": "subdural", "rank_threshold": 0.3, "criticality": "normal"},
        ],
    }
    assert target_faults(config) == []
    first, second = targets(config)
    assert (first.name, first.output, first.alert_threshold, first.criticality) == ("any", 2, 0.9, "urgent")
    assert (second.subtype, second.output, second.rank_threshold) == ("subdural", 1, 0.3)
    assert second.criticality == "normal"


def test_a_classifier_needs_no_mask_and_a_torchscript_or_onnx_bundle_no_inference_json(
    tmp_path: Path,
) -> None:
    for form, file in (("torchscript", "model.ts"), ("onnx", "model.onnx")):
        bundle = make_bright_bundle(tmp_path, name=form, kind="classification", dimensions=2, format=form)
        config = json.loads((bundle / "configs/firstread.json").read_text())
        for key in ("mask_threshold", "min_component_ml", "spacing_mm", "probability"):
            del config[key]
        (bundle / "configs/firstread.json").write_text(json.dumps(config))
        (bundle / "configs/inference.json").unlink()
        (bundle / "models/model.pt").unlink()
        if form == "onnx":
            (bundle / "models" / file).write_bytes(onnx_model())
        else:
            torch.jit.save(torch.jit.script(torch.nn.Conv2d(1, 1, 1)), bundle / "models" / file)
        assert read_bundle(bundle).config["format"] == form


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    ),
    st.sampled_from(
        ["finding", "findings", "criticality", "rank_threshold", "alert_threshold", "probability"]
    ),
)
def test_any_nonsense_is_complained_of_and_never_crashes(value: object, key: str) -> None:
    config = {"finding": ONE, "rank_threshold": 0.5, "alert_threshold": 0.8, "probability": {}, key: value}
    if not target_faults(config):
        assert targets(config)
