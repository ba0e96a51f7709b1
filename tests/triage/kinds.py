"""Small bundles of every kind and format, whose fixed weights mark what is brighter than 1500 HU."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

BLEED = {"code": "1386000", "scheme": "SCT", "meaning": "Intracranial hemorrhage"}
SUBDURAL = {"code": "35486000", "scheme": "SCT", "meaning": "Subdural hemorrhage"}
SIGMOID = {"_target_": "Compose", "transforms": [{"_target_": "Activations", "sigmoid": True}]}
THRESHOLDS = {"rank_threshold": 0.5, "alert_threshold": 0.8}
CT = {"modality": "CT", "body_part_any": ["HEAD", ""]}
DX = {"modality": ["DX", "CR"], "body_part_any": ["CHEST"], "view_any": ["PA", "AP"], "derived_allowed": True}


def write_bundle(
    folder: Path,
    name: str,
    *,
    network: nn.Module | None = None,
    definition: Any = None,
    weights: Mapping[str, Tensor] | None = None,
    postprocessing: Any = SIGMOID,
    onnx_example: Tensor | None = None,
    **config: Any,
) -> Path:
    """A whole bundle: MONAI's form from a definition and weights, or an exported network by `format`."""
    bundle = folder / name
    (bundle / "configs").mkdir(parents=True)
    (bundle / "models").mkdir()
    firstread = {
        "spacing_mm": [4.0, 2.5, 2.5],
        "input_limits": {"modality": ["CT"], "min_slices": 8},
        "routing": CT,
        "intended_use": "Tests.",
        **config,
    }
    metadata = {"version": "1.0", "monai_version": "1.6.1", "network_data_format": {}}
    for file, content in (("metadata", metadata), ("firstread", firstread)):
        (bundle / "configs" / f"{file}.json").write_text(json.dumps(content))
    form = config.get("format", "monai")
    if form == "torchscript":
        assert network is not None
        torch.jit.script(network.eval()).save(bundle / "models" / "model.ts")
    elif form == "onnx":
        assert network is not None and onnx_example is not None
        names = {index: f"n{index}" for index in range(2, onnx_example.ndim)}
        torch.onnx.export(
            network.eval(),
            (onnx_example,),
            bundle / "models" / "model.onnx",
            dynamo=False,
            input_names=["image"],
            dynamic_axes={"image": names},
        )
    else:
        inference = {
            "preprocessing": {"_target_": "Compose", "transforms": [{"_target_": "Identity"}]},
            "network_def": definition,
            "inferer": {"_target_": "SimpleInferer"},
            "postprocessing": postprocessing,
        }
        (bundle / "configs" / "inference.json").write_text(json.dumps(inference))
        torch.save(dict(weights or {}), bundle / "models" / "model.pt")
    return bundle


def brightest(dimensions: int, channels: int, above: list[float]) -> tuple[str, dict[str, Tensor]]:
    """Definition and weights of a classifier: an output for each value that the middle channel may exceed."""
    weight = torch.zeros(len(above), channels)
    weight[:, channels // 2] = 0.02
    bias = torch.tensor([-0.02 * value for value in above])
    text = (
        f"$torch.nn.Sequential(torch.nn.AdaptiveMaxPool{dimensions}d(1), torch.nn.Flatten(), "
        f"torch.nn.Linear({channels}, {len(above)}))"
    )
    return text, {"2.weight": weight, "2.bias": bias}


def marks(dimensions: int, channels: int, above: list[float]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Definition and weights of a segmentation: a map for each value that a voxel may exceed."""
    weight = torch.zeros(len(above), channels, *[1] * dimensions)
    weight[:, channels // 2] = 0.02
    definition = {
        "_target_": f"torch.nn.Conv{dimensions}d",
        "in_channels": channels,
        "out_channels": len(above),
        "kernel_size": 1,
    }
    return definition, {"weight": weight, "bias": torch.tensor([-0.02 * value for value in above])}


class BrightBox(nn.Module):
    """A detector: the box around what is brighter than `above`, as exported detectors answer."""

    def __init__(self, above: float) -> None:
        super().__init__()
        self.above = above

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes [n, 2 * dimensions], scores [n], labels [n] of a batch of one."""
        inside = torch.nonzero(image[0, 0] > self.above)
        if inside.shape[0] == 0:
            width = 2 * (image.dim() - 2)
            return torch.zeros(0, width), torch.zeros(0), torch.zeros(0, dtype=torch.long)
        low, high = inside.min(0)[0].float(), inside.max(0)[0].float() + 1.0
        box = torch.cat([low, high]).unsqueeze(0)
        return box, torch.full((1,), 0.9), torch.zeros(1, dtype=torch.long)
