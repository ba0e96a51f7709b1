"""What a drawn measurement measures, from the image's own pixels and spacing. Pure functions.

Points are (column, row) in image coordinates: (0, 0) is the corner of the first pixel and (0.5, 0.5) its
centre (PS3.3 C.18.6.1.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np

Point = tuple[float, float]
SPACINGS: Final = ("00280030", "00181164", "00182010")
"""Pixel Spacing, Imager Pixel Spacing, Nominal Scanned Pixel Spacing: rows apart, columns apart, in mm."""


class Kind(StrEnum):
    """What a reader draws."""

    LENGTH = "length"
    ANGLE = "angle"
    ELLIPSE = "ellipse"


NUMBER_OF_POINTS: Final = {Kind.LENGTH: 2, Kind.ANGLE: 3, Kind.ELLIPSE: 4}


class NotMeasurable(ValueError):
    """What was drawn measures nothing; the message says why."""


@dataclass(frozen=True)
class Spacing:
    """Distance of rows and of columns in mm; `at_detector` when the beam's magnification is not in it."""

    rows: float
    columns: float
    at_detector: bool = False


@dataclass(frozen=True)
class Values:
    """What was measured.

    Attributes:
        length_mm: of a line.
        angle_deg: between two lines that meet.
        area_mm2: of an ellipse.
        mean, deviation, minimum, maximum: of the modality values within it, in HU for CT.
    """

    length_mm: float | None = None
    angle_deg: float | None = None
    area_mm2: float | None = None
    mean: float | None = None
    deviation: float | None = None
    minimum: float | None = None
    maximum: float | None = None


def spacing_of(content: Mapping[str, Any], frame: int) -> Spacing | None:
    """The spacing that an image, or a frame of it from 1, states; None when it states none.

    Args:
        content: the instance's DICOM JSON.
    """
    for groups in (_frame_group(content, frame), _items(content, "52009229")[:1]):
        for group in groups:
            for measures in _items(group, "00289110"):
                found = _pair(measures, "00280030")
                if found:
                    return Spacing(*found)
    for tag in SPACINGS:
        found = _pair(content, tag)
        if found:
            return Spacing(*found, at_detector=tag != "00280030")
    return None


def measure(
    kind: Kind, points: Sequence[Point], spacing: Spacing | None, values: np.ndarray | None = None
) -> Values:
    """Measure what was drawn.

    Args:
        points: two ends; or end, corner, end; or the ends of an ellipse's two axes, (a, a, b, b).
        values: modality values [rows, columns] for an ellipse, None where they are no single numbers.

    Raises:
        NotMeasurable: the wrong number of points, no spacing, or nothing inside.
    """
    if len(points) != NUMBER_OF_POINTS[kind]:
        raise NotMeasurable(f"A {kind.value} has {NUMBER_OF_POINTS[kind]} points, not {len(points)}.")
    drawn = np.asarray(points, dtype=float)
    if not np.isfinite(drawn).all():
        raise NotMeasurable("A point of it is no number.")
    if kind == Kind.ANGLE:
        scale = np.array([spacing.columns, spacing.rows]) if spacing else np.ones(2)
        return Values(angle_deg=_angle(drawn * scale))
    if spacing is None:
        if kind == Kind.LENGTH:
            raise NotMeasurable("The image states no pixel spacing: nothing on it can be measured in mm.")
        return _inside(drawn, None, values)
    if kind == Kind.LENGTH:
        ends = drawn * np.array([spacing.columns, spacing.rows])
        length = float(np.linalg.norm(ends[1] - ends[0]))
        if length <= 0:
            raise NotMeasurable("Both ends of the line are the same point.")
        return Values(length_mm=length)
    return _inside(drawn, spacing, values)


def _angle(points: np.ndarray) -> float:
    first, second = points[0] - points[1], points[2] - points[1]
    lengths = float(np.linalg.norm(first) * np.linalg.norm(second))
    if lengths <= 0:
        raise NotMeasurable("Two points of the angle are the same.")
    return float(np.degrees(np.arccos(np.clip(np.dot(first, second) / lengths, -1, 1))))


def _inside(points: np.ndarray, spacing: Spacing | None, values: np.ndarray | None) -> Values:
    """Area and values of an ellipse: a pixel counts when its centre lies inside."""
    centre = points.mean(axis=0)
    along, across = (points[1] - points[0]) / 2, (points[3] - points[2]) / 2
    shape = np.array([along, across])
    determinant = abs(float(np.linalg.det(shape)))
    if determinant <= 1e-6:
        raise NotMeasurable("The ellipse has no area.")
    area = np.pi * determinant * spacing.rows * spacing.columns if spacing else None
    if values is None:
        return Values(area_mm2=area)
    rows, columns = np.indices(values.shape)
    offsets = np.stack([columns + 0.5 - centre[0], rows + 0.5 - centre[1]], axis=-1)
    unit = offsets @ np.linalg.inv(shape)
    counted = values[(unit**2).sum(axis=-1) <= 1.0]
    if counted.size == 0:
        raise NotMeasurable("No pixel lies inside the ellipse.")
    return Values(
        area_mm2=area,
        mean=float(counted.mean()),
        deviation=float(counted.std()),
        minimum=float(counted.min()),
        maximum=float(counted.max()),
    )


def _items(content: Mapping[str, Any], tag: str) -> list[Any]:
    return [item for item in content.get(tag, {}).get("Value") or [] if isinstance(item, dict)]


def _frame_group(content: Mapping[str, Any], frame: int) -> list[Any]:
    return _items(content, "52009230")[frame - 1 : frame]


def _pair(content: Mapping[str, Any], tag: str) -> tuple[float, float] | None:
    values = content.get(tag, {}).get("Value") or []
    try:
        rows, columns = (float(value) for value in values)
    except (TypeError, ValueError):
        return None
    return (rows, columns) if rows > 0 and columns > 0 else None
