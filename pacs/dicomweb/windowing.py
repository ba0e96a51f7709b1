"""From stored values to grey levels (PS3.3 C.7.6.3, C.11.1, C.11.2). Pure numpy.

Values are [rows, columns] arrays; after the modality transformation they are float32, in HU for CT.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

LINEAR = "LINEAR"
FUNCTIONS = (LINEAR, "LINEAR_EXACT", "SIGMOID")


@dataclass(frozen=True)
class Window:
    """A window in the units of the modality values.

    Attributes:
        function: LINEAR, LINEAR_EXACT or SIGMOID (PS3.3 C.11.2.1.2, C.11.2.1.3).
    """

    center: float
    width: float
    function: str = LINEAR


def modality_values(pixels: np.ndarray, attributes: Dataset) -> np.ndarray:
    """Rescale slope and intercept, or the modality LUT, applied to stored values."""
    sequence = attributes.get("ModalityLUTSequence")
    if sequence:
        return _looked_up(pixels, sequence[0]).astype(np.float32)
    slope = float(attributes.get("RescaleSlope", 1) or 1)
    intercept = float(attributes.get("RescaleIntercept", 0) or 0)
    return pixels.astype(np.float32) * np.float32(slope) + np.float32(intercept)


def default_grey(values: np.ndarray, attributes: Dataset, ignore: np.ndarray | None) -> np.ndarray:
    """Grey levels 0 to 255 by the instance's own VOI: LUT, window, or what the values span.

    Args:
        ignore: mask of padding pixels, which do not count for the span.
    """
    sequence = attributes.get("VOILUTSequence")
    if sequence and "WindowCenter" not in attributes:
        table = _looked_up(np.rint(values).astype(np.int64), sequence[0]).astype(np.float32)
        return _scaled(table, 0.0, float(2 ** _depth(sequence[0]) - 1))
    window = own_window(attributes)
    if window is not None:
        return windowed(values, window)
    counted = values if ignore is None or ignore.all() else values[~ignore]
    low, high = np.percentile(counted[::7] if counted.ndim == 1 else counted[::3, ::3], (0.5, 99.5))
    if high <= low:
        low, high = float(counted.min()), float(counted.max())
    return _scaled(values, float(low), float(high))


def own_window(attributes: Dataset) -> Window | None:
    """The first window the instance brings, or None."""
    center, width = _first(attributes.get("WindowCenter")), _first(attributes.get("WindowWidth"))
    if center is None or width is None or width <= 0:
        return None
    function = str(attributes.get("VOILUTFunction") or LINEAR).upper()
    return Window(center, width, function if function in FUNCTIONS else LINEAR)


def windowed(values: np.ndarray, window: Window) -> np.ndarray:
    """Grey levels 0 to 255 by a window."""
    center, width = window.center, window.width
    if window.function == "SIGMOID":
        exponent = np.clip(-4.0 * (values - center) / width, -60, 60)
        return np.rint(255.0 / (1.0 + np.exp(exponent))).astype(np.uint8)
    if window.function == LINEAR:
        # C.11.2.1.2.1: the window runs from c - 0.5 - (w - 1) / 2 to c - 0.5 + (w - 1) / 2.
        half = max(width - 1.0, 1e-6) / 2
        return _scaled(values, center - 0.5 - half, center - 0.5 + half)
    return _scaled(values, center - width / 2, center + width / 2)


def _scaled(values: np.ndarray, low: float, high: float) -> np.ndarray:
    span = high - low
    if span <= 0:
        return np.zeros(values.shape, np.uint8)
    grey = (values - np.float32(low)) * np.float32(255.0 / span)
    return np.rint(np.clip(grey, 0, 255)).astype(np.uint8)


def _looked_up(pixels: np.ndarray, table: Dataset) -> np.ndarray:
    """A LUT of PS3.3 C.11.1.1: values before its first entry take the first, after its last the last."""
    count, first, depth = (int(number) for number in table.LUTDescriptor)
    data = table.LUTData
    if isinstance(data, bytes):
        data = np.frombuffer(data, np.uint8 if depth <= 8 and len(data) < 2 * (count or 65536) else "<u2")
    entries = np.asarray(data)
    if first >= 2**15 and pixels.min() < 0:
        first -= 2**16
    return entries[np.clip(pixels - first, 0, len(entries) - 1)]


def _depth(table: Dataset) -> int:
    return int(table.LUTDescriptor[2]) or 16


def _first(value: Any) -> float | None:
    """The first of one or several numbers; None when there is none."""
    try:
        return float(value) if isinstance(value, str | float | int) else float(value[0])
    except (TypeError, ValueError, IndexError):
        return None
