"""An Analysis as a message and arrays, and back; what comes back is checked value by value.

The pixels stay where they are: nobody on the other side needs them, and they are the most of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triage.inference.analysis import Analysis, Target
from triage.inference.host.wire import Arrays, Malformed
from triage.inference.volume import FrameSource, SliceStack

_LONGEST_TEXT = 300
_MOST_TARGETS = 200
_STACK_ARRAYS = ("positions", "row_direction", "column_direction", "thickness_mm")


def encode(analysis: Analysis) -> tuple[dict[str, Any], Arrays]:
    """Plain values, and arrays by name; masks are packed eight to a byte."""
    arrays: Arrays = {}
    targets = []
    for index, target in enumerate(analysis.targets):
        if target.mask is not None:
            arrays[f"mask {index}"] = np.packbits(target.mask)
        targets.append(
            {
                "name": target.name,
                "probability": float(target.probability),
                "method": target.method,
                "volume_ml": _plain(target.volume_ml),
                "largest_diameter_mm": _plain(target.largest_diameter_mm),
                "side": target.side,
                "subtype": target.subtype,
                "centroid_lps_mm": _plain_list(target.centroid_lps_mm),
                "box_lps_mm": _plain_list(target.box_lps_mm),
                "key": None if target.key is None else int(target.key),
                "mask": None if target.mask is None else [int(n) for n in target.mask.shape],
            }
        )
    message: dict[str, Any] = {
        "targets": targets,
        "sources": [[source.sop_instance_uid, int(source.frame)] for source in analysis.sources],
        "stack": None,
        "weights_sha256": analysis.weights_sha256,
        "runtime": analysis.runtime,
        "timings": {name: float(value) for name, value in analysis.timings.items()},
        "measurements": {name: float(value) for name, value in analysis.measurements.items()},
    }
    if (stack := analysis.stack) is not None:
        arrays.update({name: np.asarray(getattr(stack, name), np.float64) for name in _STACK_ARRAYS})
        message["stack"] = {
            "shape": [int(n) for n in stack.pixels.shape],
            "pixel_spacing_mm": [float(v) for v in stack.pixel_spacing_mm],
            "frame_of_reference_uid": stack.frame_of_reference_uid,
            "notes": list(stack.notes),
            "empty": float(stack.empty),
        }
    return message, arrays


def decode(message: Mapping[str, Any], arrays: Arrays) -> Analysis:
    """The Analysis; every pixel of its stack is `empty`.

    Raises:
        Malformed: a value is missing, of another kind, or impossible.
    """
    try:
        return _decode(message, arrays)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise Malformed("an answer that is none") from error


def _decode(message: Mapping[str, Any], arrays: Arrays) -> Analysis:
    sources = tuple(FrameSource(_text(uid, 64), _whole(frame, 1)) for uid, frame in message["sources"])
    if len(message["targets"]) > _MOST_TARGETS:
        raise ValueError("too many targets")
    stack = None if message["stack"] is None else _stack(message["stack"], arrays, sources)
    targets = tuple(
        _target(target, arrays.get(f"mask {index}"), len(sources))
        for index, target in enumerate(message["targets"])
    )
    return Analysis(
        targets=targets,
        sources=sources,
        stack=stack,
        weights_sha256=_text(message["weights_sha256"], 64),
        runtime=_text(message["runtime"], 32),
        timings=_numbers(message["timings"]),
        measurements=_numbers(message["measurements"]),
    )


def _target(plain: Mapping[str, Any], packed: NDArray[Any] | None, count: int) -> Target:
    probability = _number(plain["probability"])
    if not 0.0 <= probability <= 1.0:
        raise ValueError("no probability")
    key = plain["key"]
    centroid, box = plain["centroid_lps_mm"], plain["box_lps_mm"]
    return Target(
        name=_text(plain["name"]),
        probability=probability,
        method=_text(plain["method"]),
        volume_ml=_optional(plain["volume_ml"]),
        largest_diameter_mm=_optional(plain["largest_diameter_mm"]),
        side=_text(plain["side"]),
        subtype=_text(plain["subtype"]),
        centroid_lps_mm=None if centroid is None else _three(centroid),
        box_lps_mm=None if box is None else (*_three(box[:3]), *_three(box[3:])),
        mask=None if plain["mask"] is None else _mask(packed, plain["mask"], count),
        key=None if key is None else _whole(key, 0, count - 1),
    )


def _mask(packed: NDArray[Any] | None, shape: list[Any], count: int) -> NDArray[np.bool_]:
    slices, rows, columns = (_whole(n, 0) for n in shape)
    voxels = slices * rows * columns
    if packed is None or packed.dtype != np.uint8 or packed.shape != (-(-voxels // 8),) or slices != count:
        raise ValueError("no mask of the slices")
    return np.unpackbits(packed, count=voxels).view(np.bool_).reshape(slices, rows, columns)


def _stack(plain: Mapping[str, Any], arrays: Arrays, sources: tuple[FrameSource, ...]) -> SliceStack:
    count, rows, columns = (_whole(n, 1) for n in plain["shape"])
    shapes = {
        "positions": (count, 3), "row_direction": (3,), "column_direction": (3,), "thickness_mm": (count,),
    }  # fmt: skip
    if count != len(sources) or any(arrays[name].shape != shape for name, shape in shapes.items()):
        raise ValueError("slices without their places")
    if not all(np.isfinite(arrays[name]).all() for name in shapes):
        raise ValueError("places that are not numbers")
    down, across = (_number(v) for v in plain["pixel_spacing_mm"])
    empty = _number(plain["empty"])
    return SliceStack(
        pixels=np.broadcast_to(np.float32(empty), (count, rows, columns)),
        pixel_spacing_mm=(down, across),
        sources=sources,
        frame_of_reference_uid=_text(plain["frame_of_reference_uid"], 64),
        notes=tuple(_text(note) for note in plain["notes"]),
        empty=empty,
        **{name: arrays[name] for name in shapes},
    )


def _plain(value: float | None) -> float | None:
    return None if value is None else float(value)


def _plain_list(values: tuple[float, ...] | None) -> list[float] | None:
    return None if values is None else [float(v) for v in values]


def _text(value: Any, most: int = _LONGEST_TEXT) -> str:
    if not isinstance(value, str) or len(value) > most or not value.isprintable():
        raise ValueError("no text")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("no number")
    return float(value)


def _optional(value: Any) -> float | None:
    return None if value is None else _number(value)


def _whole(value: Any, least: int, most: int = 1 << 31) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError("no whole number")
    return value


def _three(values: Any) -> tuple[float, float, float]:
    x, y, z = (_number(v) for v in values)
    return x, y, z


def _numbers(values: Any) -> dict[str, float]:
    return {_text(name, 64): _number(value) for name, value in values.items()}
