"""The bundle loads, answers in the shape of its input, and says what is wrong with it."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from triage.inference.bundle import BundleError, LoadedBundle, load_bundle

BUNDLE = Path(__file__).resolve().parents[3] / "models" / "ich_demo"


@pytest.fixture(scope="module")
def bundle() -> LoadedBundle:
    torch.set_num_threads(1)
    return load_bundle(BUNDLE)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUNDLE, tmp_path / "ich_demo"))


@pytest.mark.parametrize("shape", [(1, 5, 7), (13, 50, 41), (16, 64, 64)])
def test_answer_has_the_shape_of_the_volume(bundle: LoadedBundle, shape: tuple[int, int, int]) -> None:
    prob = bundle.predict(np.full(shape, 30.0))
    assert prob.shape == shape and prob.dtype == np.float32
    assert prob.min() >= 0.0 and prob.max() <= 1.0


def test_same_volume_gives_the_same_answer(bundle: LoadedBundle) -> None:
    volume = np.random.default_rng(1).normal(30.0, 20.0, (8, 32, 32))
    assert np.array_equal(bundle.predict(volume), bundle.predict(volume))


def test_volume_of_another_dimension_is_refused(bundle: LoadedBundle) -> None:
    with pytest.raises(BundleError, match=r"\[z, y, x\]"):
        bundle.predict(np.zeros((1, 4, 4, 4)))


def test_absent_weights_are_named(copy: Path) -> None:
    (copy / "models" / "model.pt").unlink()
    with pytest.raises(BundleError, match=r"model\.pt is missing"):
        load_bundle(copy)


def test_weights_of_another_network_are_refused(copy: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, copy / "models" / "model.pt")
    with pytest.raises(BundleError, match="does not fit network_def"):
        load_bundle(copy)


def test_pickled_code_in_the_weights_is_never_run(copy: Path) -> None:
    class Sly:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (copy / "ran",))  # type: ignore[return-value]

    torch.save({"weight": Sly()}, copy / "models" / "model.pt")
    with pytest.raises(Exception, match="Weights only load failed"):
        load_bundle(copy)
    assert not (copy / "ran").exists()


@pytest.mark.parametrize("name", ["metadata.json", "inference.json", "firstread.json"])
def test_absent_config_is_named(copy: Path, name: str) -> None:
    (copy / "configs" / name).unlink()
    with pytest.raises(BundleError, match=name.replace(".", r"\.") + " is missing"):
        load_bundle(copy)


def test_incomplete_inference_config_says_what_it_lacks(copy: Path) -> None:
    path = copy / "configs" / "inference.json"
    config = json.loads(path.read_text())
    del config["inferer"]
    path.write_text(json.dumps(config))
    with pytest.raises(BundleError, match="lacks inferer"):
        load_bundle(copy)


def test_weights_are_small_and_match_their_pinned_hash() -> None:
    weights = BUNDLE / "models" / "model.pt"
    assert weights.stat().st_size < 20_000_000
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert digest in (BUNDLE / "large_files.yml").read_text()
