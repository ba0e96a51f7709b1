"""What a bundle says about a series: plain values and arrays, the same for every kind of model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from triage.inference.volume import FrameSource, SliceStack


class OutsideLimits(Exception):
    """The input is not what the model is made for; the message is the reason, without patient text."""


@dataclass(frozen=True)
class Target:
    """What a bundle says of one finding that it looks for; a detector says it once for each box.

    Attributes:
        name: of the target in the bundle (triage/targets.py).
        probability: of the finding in the study, 0 to 1.
        method: how the network's answer became that probability, in words.
        volume_ml, largest_diameter_mm: of what was marked; None where nothing is.
        side: left, right, both, midline or "".
        subtype: in words, or "".
        centroid_lps_mm: patient (x, y, z).
        box_lps_mm: two opposite corners (x, y, z, x, y, z) in patient coordinates.
        mask: bool [slice, row, column] on the native slices; None for models that draw none.
        key: index of the source frame that shows it best; None where the mask or nothing tells.
    """

    name: str
    probability: float
    method: str = ""
    volume_ml: float | None = None
    largest_diameter_mm: float | None = None
    side: str = ""
    subtype: str = ""
    centroid_lps_mm: tuple[float, float, float] | None = None
    box_lps_mm: tuple[float, float, float, float, float, float] | None = None
    mask: NDArray[np.bool_] | None = None
    key: int | None = None


@dataclass(frozen=True)
class Analysis:
    """What a bundle says about a series.

    Attributes:
        targets: one or more for each finding that the bundle looks for, in its order.
        sources: the frames that were looked at; of a volume sorted upwards.
        stack: the native slices of a volume, in the order of `sources`; None for projection images.
        weights_sha256: of the weights that were loaded.
        runtime: what computed it: torch, openvino, onnxruntime, cuda.
        timings: seconds by step.
        measurements: of the whole input, such as midline_shift_mm.
    """

    targets: tuple[Target, ...]
    sources: tuple[FrameSource, ...]
    stack: SliceStack | None
    weights_sha256: str
    runtime: str = "torch"
    timings: Mapping[str, float] = field(default_factory=dict)
    measurements: Mapping[str, float] = field(default_factory=dict)

    def key_of(self, target: Target) -> int | None:
        """Index of the frame that shows a target best: the one named, else that with most of the mask."""
        if target.key is not None or target.mask is None or not target.mask.any():
            return target.key
        return int(target.mask.sum(axis=(1, 2)).argmax())
