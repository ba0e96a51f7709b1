"""Load a bundle and ask it: MONAI configuration with weights, TorchScript, or ONNX."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.bundle import ConfigParser
from monai.inferers import SimpleInferer
from numpy.typing import NDArray

from triage.bundles import BundleRefused, weights_of
from triage.inference.boxes import Boxes, boxes_of
from triage.inference.exported import BundleError, load_exported
from triage.inference.runtimes import Accelerated, accelerate

__all__ = ["BundleError", "LoadedBundle", "load_bundle"]

_NEEDED = ("preprocessing", "network_def", "inferer", "postprocessing")


@dataclass(frozen=True)
class LoadedBundle:
    """A bundle in memory, ready to predict; loading costs far more than predicting, so keep it."""

    path: Path
    metadata: dict[str, Any]
    config: dict[str, Any]
    network: torch.nn.Module
    preprocessing: Callable[[torch.Tensor], torch.Tensor]
    inferer: Callable[..., Any]
    postprocessing: Callable[[torch.Tensor], torch.Tensor]

    @property
    def kind(self) -> str:
        """segmentation, classification or detection."""
        return str(self.config.get("kind", "segmentation"))

    @property
    def dimensions(self) -> float:
        """3: whole volumes; 2.5: windows of neighbouring slices; 2: projection images."""
        return float(self.config.get("dimensions", 3))

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Voxel spacing (z, y, x) in mm of the regular volume that the bundle expects."""
        z, y, x = (float(v) for v in self.config["spacing_mm"])
        return z, y, x

    @property
    def runtime(self) -> str:
        """What computes the network, or computed it last."""
        return str(getattr(self._computed(), "name", "torch"))

    def warm(self) -> None:
        """Let the runtime convert the network now, so that the first study does not wait for it."""
        computed = self._computed()
        if isinstance(computed, Accelerated) and computed.prefer != "torch" and self.dimensions == 3:
            with torch.inference_mode():
                computed.prepare(self._prepared(np.full((1, 32, 64, 64), -1000.0, dtype=np.float32)))

    def ask(self, image: NDArray[np.floating[Any]]) -> torch.Tensor:
        """The network's answer after the bundle's postprocessing, without a batch dimension.

        Args:
            image: float [channel, …]: of one volume, one window of slices or one projection.

        Raises:
            BundleError: the answer is no tensor of finite numbers.
        """
        with torch.inference_mode():
            raw = self.inferer(inputs=self._prepared(image), network=self._computed())
            if not isinstance(raw, torch.Tensor):
                raise BundleError(f"{self.path.name}: expected a tensor, got {type(raw).__name__}")
            answer = torch.as_tensor(self.postprocessing(raw[0])).float()
        if not bool(torch.isfinite(answer).all()):
            raise BundleError(f"{self.path.name}: the answer holds numbers that are not finite")
        return answer

    def boxes(self, image: NDArray[np.floating[Any]]) -> Boxes:
        """What a detector found in one image: corners in voxels of `image`, scores and labels.

        Raises BundleError when the answer is no set of boxes.
        """
        with torch.inference_mode():
            raw = self.inferer(inputs=self._prepared(image), network=self.network)
        return boxes_of(raw, image.ndim - 1, self.path.name)

    def maps(self, volume: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Probability maps [channel, z, y, x] in [0, 1] for a regular volume [z, y, x] at the bundle's spacing.

        Raises BundleError when the volume is not three-dimensional or the bundle answers with another shape.
        """
        if volume.ndim != 3:
            raise BundleError(f"{self.path.name}: expected a [z, y, x] volume, got shape {volume.shape}")
        return self.cropped(self.ask(volume[None]), volume.shape)

    def predict(self, volume: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """The first of `maps`: [z, y, x]."""
        answer: NDArray[np.float32] = self.maps(volume)[0]
        return answer

    def cropped(self, answer: torch.Tensor, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Maps of exactly this shape.

        Preprocessing pads at the far end only (so that strides divide): the front corner stays in place.
        """
        if answer.ndim != len(shape) + 1:
            raise BundleError(f"{self.path.name}: answered {tuple(answer.shape)} for an image {shape}")
        cut = answer[(slice(None), *(slice(0, n) for n in shape))]
        if tuple(cut.shape[1:]) != shape:
            raise BundleError(f"{self.path.name}: probability map {tuple(cut.shape[1:])} for volume {shape}")
        return np.asarray(cut.numpy(), dtype=np.float32)

    def _prepared(self, image: NDArray[np.floating[Any]]) -> torch.Tensor:
        # A copy: a transform may work in place, and the volume is measured once more afterwards.
        tensor = torch.from_numpy(np.array(image, dtype=np.float32, order="C"))
        return torch.as_tensor(self.preprocessing(tensor))[None]

    def _computed(self) -> Any:
        """The network behind the runtime that the bundle asks for; an exported one brings its own."""
        if self.config.get("format", "monai") != "monai" or self.kind == "detection":
            return self.network
        return accelerate(self.network, prefer=str(self.config.get("runtime", "torch")))


def load_bundle(path: Path) -> LoadedBundle:
    """Load the bundle in folder ``path`` (docs/guides/bring-your-model.md).

    Runs the expressions in ``configs/inference.json``: load only a bundle whose files the registry has
    pinned. Weights are read with ``weights_only=True``. Raises BundleError, naming the file, when a part is
    missing or the weights do not fit the network.
    """
    metadata = _read_json(path / "configs" / "metadata.json")
    config = _read_json(path / "configs" / "firstread.json")
    try:
        weights = path / weights_of(path, config)
    except BundleRefused as error:
        raise BundleError(str(error)) from error
    if not weights.is_file():
        raise BundleError(f"{weights} is missing: train it or fetch the bundle again")
    exported = config.get("format", "monai") != "monai"
    file = path / "configs" / "inference.json"
    parts = _parts(file, config) if file.is_file() or not exported else {}
    network = load_exported(weights) if exported else _with_weights(parts["network_def"], weights)
    network.eval()
    return LoadedBundle(
        path=path,
        metadata=metadata,
        config=config,
        network=network,
        preprocessing=parts.get("preprocessing", _same),
        inferer=parts.get("inferer", SimpleInferer()),
        postprocessing=parts.get("postprocessing", _ACTIVATIONS[str(config.get("activation", "sigmoid"))]),
    )


def _same(tensor: torch.Tensor) -> torch.Tensor:
    return tensor


def _sigmoid(tensor: torch.Tensor) -> torch.Tensor:
    return torch.sigmoid(tensor)


def _softmax(tensor: torch.Tensor) -> torch.Tensor:
    return torch.softmax(tensor, dim=0)


_ACTIVATIONS = {"sigmoid": _sigmoid, "softmax": _softmax, "none": _same}


def _parts(file: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    inference = _read_json(file)
    needed = list(_NEEDED)
    if config.get("kind") == "detection":
        needed.remove("postprocessing")
    if config.get("format", "monai") != "monai":
        needed = []
    if missing := [key for key in needed if key not in inference]:
        raise BundleError(f"{file} lacks {', '.join(sorted(missing))}")
    parser = ConfigParser(inference)
    return {key: parser.get_parsed_content(key) for key in _NEEDED if key in inference}


def _with_weights(network: torch.nn.Module, weights: Path) -> torch.nn.Module:
    try:
        network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    except RuntimeError as error:
        raise BundleError(f"{weights} does not fit network_def: {error}") from error
    return network


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BundleError(f"{path} is missing") from error
    except json.JSONDecodeError as error:
        raise BundleError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise BundleError(f"{path} must hold a JSON object")
    return content
