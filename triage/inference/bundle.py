"""Load a MONAI bundle and run it on a regular volume."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.bundle import ConfigParser
from numpy.typing import NDArray


class BundleError(Exception):
    """A bundle cannot be loaded or does not do what its files promise."""


@dataclass(frozen=True)
class LoadedBundle:
    """A bundle in memory, ready to predict; loading costs far more than predicting, so keep it."""

    path: Path
    metadata: dict[str, Any]
    config: dict[str, Any]
    network: torch.nn.Module
    preprocessing: Callable[[torch.Tensor], torch.Tensor]
    inferer: Callable[..., torch.Tensor]
    postprocessing: Callable[[torch.Tensor], torch.Tensor]

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Voxel spacing (z, y, x) in mm of the regular volume that the bundle expects."""
        z, y, x = (float(v) for v in self.config["spacing_mm"])
        return z, y, x

    def predict(self, volume: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Probability map [z, y, x] in [0, 1] for a regular volume [z, y, x] in HU at the bundle's spacing.

        Raises BundleError when the volume is not three-dimensional or the bundle answers with another shape.
        """
        if volume.ndim != 3:
            raise BundleError(f"{self.path.name}: expected a [z, y, x] volume, got shape {volume.shape}")
        z, y, x = volume.shape
        hu = torch.from_numpy(np.ascontiguousarray(volume, dtype=np.float32))[None]
        with torch.inference_mode():
            prepared = torch.as_tensor(self.preprocessing(hu))
            raw = self.inferer(inputs=prepared[None], network=self.network)
            prob = torch.as_tensor(self.postprocessing(raw[0]))
        # Preprocessing pads at the far end only (so that strides divide): the front corner stays in place.
        answer: NDArray[np.float32] = prob[0, :z, :y, :x].numpy().astype(np.float32)
        if answer.shape != volume.shape:
            raise BundleError(f"{self.path.name}: probability map {answer.shape} for volume {volume.shape}")
        return answer


def load_bundle(path: Path) -> LoadedBundle:
    """Load the bundle in folder ``path`` (MONAI bundle layout, see models/ich_demo).

    Runs the expressions in ``configs/inference.json``: load only a bundle whose files the registry has
    pinned. Weights are read with ``weights_only=True``. Raises BundleError, naming the file, when a part is
    missing or the weights do not fit the network.
    """
    metadata = _read_json(path / "configs" / "metadata.json")
    config = _read_json(path / "configs" / "firstread.json")
    inference = _read_json(path / "configs" / "inference.json")
    missing = {"preprocessing", "network_def", "inferer", "postprocessing"} - inference.keys()
    if missing:
        raise BundleError(f"{path / 'configs' / 'inference.json'} lacks {', '.join(sorted(missing))}")
    parser = ConfigParser(inference)
    parts = {
        key: parser.get_parsed_content(key)
        for key in ("preprocessing", "network_def", "inferer", "postprocessing")
    }
    network = parts["network_def"]
    weights = path / "models" / "model.pt"
    try:
        state = torch.load(weights, map_location="cpu", weights_only=True)
        network.load_state_dict(state)
    except FileNotFoundError as error:
        raise BundleError(f"{weights} is missing: train it or fetch the bundle again") from error
    except RuntimeError as error:
        raise BundleError(f"{weights} does not fit network_def: {error}") from error
    network.eval()
    return LoadedBundle(
        path=path,
        metadata=metadata,
        config=config,
        network=network,
        preprocessing=parts["preprocessing"],
        inferer=parts["inferer"],
        postprocessing=parts["postprocessing"],
    )


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
