"""A bundle's files are judged without running any of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from django.conf import settings as django_settings

from tests.triage.making import make_bright_bundle
from triage.bundles import (
    BundleChanged,
    BundleRefused,
    fingerprint,
    read_bundle,
    require_same,
)
from triage.inference import guard
from triage.names import RANGES
from triage.vetting.configurations import config_faults, expression_fault

EPIDURAL = {"name": "epidural", "code": "68752002", "scheme": "SCT", "meaning": "Epidural hemorrhage"}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A whole bundle."""
    return make_bright_bundle(tmp_path)


def test_the_shipped_bundle_and_a_plain_one_pass(bundle: Path) -> None:
    assert read_bundle(Path(django_settings.BUNDLES_DIR) / "ich_demo").name == "ich_demo"
    files = read_bundle(bundle)
    assert (files.name, files.version, files.intended_use) == ("bright", "1.0", "Tests.")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"rank_treshold": 0.4},
            r"'rank_treshold' means nothing here \(did you mean rank_threshold\?\); known are",
        ),
        (
            {"input_limits": {"age_yaers": [18, 120]}},
            r"input_limits: 'age_yaers' .* age_years.*; known are age_years",
        ),
        ({"input_limits": {"age_years": [120, 18]}}, "age_years must be two numbers, the lower one first"),
        ({"input_limits": {"age_years": "18-120"}}, "age_years must be two numbers"),
        ({"input_limits": {"modality": "CT"}}, "modality must be a list of words"),
        ({"input_limits": {"min_slices": True}}, "min_slices must be a number"),
        ({"input_limits": {"contrast": "no"}}, "contrast must be true or false"),
    ],
)
def test_a_name_that_nobody_reads_and_a_limit_that_limits_nothing_are_refused(
    change: dict[str, object], told: str, tmp_path: Path
) -> None:
    with pytest.raises(BundleRefused, match=told):
        read_bundle(make_bright_bundle(tmp_path, **change))  # type: ignore[arg-type]


def test_every_limit_that_the_guard_knows_is_a_known_name() -> None:
    assert guard.HEAD_LIMITS.keys() | guard._TEXTS.keys() <= RANGES


@pytest.mark.parametrize(
    "expression",
    [
        "import os", "from os import system", "import subprocess", "__import__('os').system('x')",
        "open('/etc/passwd')", "torch.load('x')", "torch.hub.load('a', 'b')", "eval('1')",
        "().__class__.__bases__", "[x for x in ()]", "torch.nn.modules.os", "np.load('x')",
        "lambda x: exec(x)", "(lambda: 1)()", "getattr(torch, 'load')", "torch.ops.load_library", "1 +",
        "np.fromfile('x')", "lambda x: x.tofile('y')", "torch.nn.Module.__subclasses__()",
    ],
)  # fmt: skip
def test_an_expression_with_no_business_in_a_bundle_is_refused(expression: str) -> None:
    assert expression_fault(expression) != ""


@pytest.mark.parametrize(
    "expression",
    [
        "import torch", "import numpy as np", "torch.nn.Sequential(@a, torch.nn.ReLU())", "@a[0] + 1",
        "lambda hu: torch.cat([hu.clamp(-20.0, 100.0) / 60.0, hu])", "None", "-1 if @x > 2 else 3.0",
    ],
)  # fmt: skip
def test_arithmetic_on_tensors_passes(expression: str) -> None:
    assert expression_fault(expression) == ""


@pytest.mark.parametrize(
    "target",
    [
        "os.system", "subprocess.Popen", "builtins.eval", "monai.transforms.io.array.os.system",
        "monai.networks.nets.subprocess.Popen", "monai.apps.download_and_extract", "LoadImage", "SaveImage",
        "torch.load", "monai.bundle.scripts.run", "run", "CheckpointLoader", "DecathlonDataset", 7, "$x",
        "monai.networks.utils.pickle.Unpickler",
    ],
)  # fmt: skip
def test_a_target_outside_the_allow_list_is_refused(target: object) -> None:
    assert config_faults({"a": [{"_target_": target}]}) != []


@pytest.mark.parametrize("target", ["UNet", "monai.networks.nets.UNet", "torch.nn.Conv3d", "Compose"])
def test_components_of_monai_and_torch_pass(target: str) -> None:
    assert config_faults({"a": {"b": [{"_target_": target}]}}) == []


def test_reading_other_files_by_macro_is_refused() -> None:
    assert config_faults({"a": "%/etc/hosts::x"}) != []


@pytest.mark.parametrize("name", ["scripts/run.py", "models/old.pkl", "configs/more.yaml", "lib.so"])
def test_code_pickles_and_odd_configuration_are_refused(bundle: Path, name: str) -> None:
    (bundle / name).parent.mkdir(exist_ok=True)
    (bundle / name).write_text("x")
    with pytest.raises(BundleRefused):
        read_bundle(bundle)


@pytest.mark.parametrize(
    "change",
    [
        {"finding": {"code": "1"}},
        {"rank_threshold": 0},
        {"alert_threshold": 1.5},
        {"criticality": "panic"},
        {"routing": None},
        {"kind": "prophecy"},
        {"dimensions": 4},
        {"runtime": "abacus"},
        {"format": "pickle"},
        {"mask_threshold": None},
        {"spacing_mm": None},
        {"findings": []},
        {"finding": None, "findings": [{"code": "1", "scheme": "SCT"}]},
        {"finding": None, "findings": [EPIDURAL, EPIDURAL]},
        {"findings": [EPIDURAL]},
        {"finding": None, "findings": [EPIDURAL | {"output": -1}]},
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(bundle: Path, change: dict[str, object]) -> None:
    path = bundle / "configs" / "firstread.json"
    content = json.loads(path.read_text()) | change
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
    with pytest.raises(BundleRefused):
        read_bundle(bundle)


def test_missing_parts_and_broken_json_are_named(bundle: Path, tmp_path: Path) -> None:
    (bundle / "configs" / "metadata.json").write_text("{")
    with pytest.raises(BundleRefused, match=r"metadata\.json is not JSON"):
        read_bundle(bundle)
    shutil.rmtree(bundle / "models")
    with pytest.raises(BundleRefused, match=r"model\.pt"):
        read_bundle(bundle)


def test_any_change_of_weights_or_configuration_changes_the_fingerprint(bundle: Path) -> None:
    pinned = fingerprint(bundle)
    assert fingerprint(bundle) == pinned
    config = bundle / "configs" / "firstread.json"
    before = config.read_text()
    config.write_text(before.replace("0.8", "0.1"))
    with pytest.raises(BundleChanged, match="configuration changed"):
        require_same(fingerprint(bundle), pinned)
    config.write_text(before)
    inference = bundle / "configs" / "inference.json"
    inference.rename(bundle / "configs" / "other.json")
    assert fingerprint(bundle) != pinned
    (bundle / "configs" / "other.json").rename(inference)
    assert fingerprint(bundle) == pinned
    (bundle / "models" / "more.bin").write_bytes(b"x")
    assert fingerprint(bundle) != pinned
    (bundle / "models" / "more.bin").unlink()
    assert fingerprint(bundle) == pinned
    (bundle / "models" / "model.pt").write_bytes(b"other")
    with pytest.raises(BundleChanged, match="weights changed"):
        require_same(fingerprint(bundle), pinned)
