"""What detectors answer with: boxes, scores and labels, in the forms that MONAI and exporters give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from triage.inference.exported import BundleError


@dataclass(frozen=True)
class Boxes:
    """Boxes of one image.

    Attributes:
        corners: float64 [box, 2 * dimensions]: the lower corner, then the upper one, along the image's axes and in
            voxels; 0 is the outer face of the first voxel, 1 the face between it and the second (MONAI's
            corner-corner mode).
        scores: float64 [box], 0 to 1.
        labels: int [box]: the output that a finding names.
    """

    corners: NDArray[np.float64]
    scores: NDArray[np.float64]
    labels: NDArray[np.int64]


def boxes_of(raw: Any, dimensions: int, name: str) -> Boxes:
    """Read a detector's answer for a batch of one.

    Taken are: MONAI's list of one mapping with `boxes` (or `box`), `labels` (or `label`) and a key that ends in
    `scores`; that mapping alone; and (boxes, scores) or (boxes, scores, labels) as exported networks give them.

    Raises:
        BundleError: it is none of these, or its shapes do not fit each other.
    """
    if isinstance(raw, Sequence) and len(raw) == 1 and isinstance(raw[0], Mapping):
        raw = raw[0]
    if isinstance(raw, Mapping):
        parts = _from_mapping(raw)
    elif isinstance(raw, Sequence) and len(raw) in (2, 3):
        parts = list(raw)
    else:
        raise BundleError(f"{name}: a detector answers with boxes and scores, not {type(raw).__name__}")
    arrays = [_array(part) for part in parts if part is not None]
    if len(arrays) < 2:
        raise BundleError(f"{name}: a detector answers with boxes and scores")
    corners, scores = arrays[0].reshape(-1, 2 * dimensions), arrays[1].reshape(-1)
    labels = arrays[2].reshape(-1) if len(arrays) > 2 else np.zeros(len(scores))
    if not len(corners) == len(scores) == len(labels):
        raise BundleError(f"{name}: {len(corners)} boxes, {len(scores)} scores, {len(labels)} labels")
    if not np.isfinite(corners).all() or not ((scores >= 0.0) & (scores <= 1.0)).all():
        raise BundleError(f"{name}: a box is not finite or a score does not lie in 0 to 1")
    return Boxes(corners, scores, labels.astype(np.int64))


def _from_mapping(raw: Mapping[str, Any]) -> list[Any]:
    boxes = next((raw[key] for key in ("boxes", "box") if key in raw), None)
    labels = next((raw[key] for key in ("labels", "label") if key in raw), None)
    scores = next((value for key, value in raw.items() if str(key).endswith("scores")), None)
    return [boxes, scores, labels]


def _array(part: Any) -> NDArray[np.float64]:
    if isinstance(part, torch.Tensor):
        part = part.detach().cpu().numpy()
    return np.asarray(part, dtype=np.float64)
