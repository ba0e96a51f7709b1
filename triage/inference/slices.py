"""From the files of a series to slices with known places: single-frame and enhanced multi-frame CT."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.pixels import pixel_array

from triage.inference.volume import AIR_HU, FrameSource, SliceStack, VolumeError, stacking_normal

# Directions within half a degree are the same; places within this depth are the same slice.
_SAME_DIRECTION = np.cos(np.radians(0.5))
_SAME_DEPTH_MM = 0.02
_MOST_FRAMES = 2000


@dataclass(frozen=True)
class _Frame:
    """One frame's geometry (mm, LPS) and rescale; `dataset` holds its pixels at `number` (from 1)."""

    dataset: int
    number: int
    sop_instance_uid: str
    instance_number: int
    position: NDArray[np.float64]
    row_direction: NDArray[np.float64]
    column_direction: NDArray[np.float64]
    pixel_spacing_mm: tuple[float, float]
    thickness_mm: float
    slope: float
    intercept: float


def read_stack(files: Sequence[Path]) -> SliceStack:
    """Read the instances of one series into HU slices, sorted by place.

    Localizers within the series and repeated places are left out, with a note; of a repeat the last
    instance is kept, as it was made because the first was no good.

    Raises:
        VolumeError: not readable, no place or no Hounsfield units given, or slices that are not parallel
            or not of one size.
    """
    datasets = [_read(path) for path in files]
    notes: list[str] = []
    frames = list(_frames(datasets, notes))
    if len(frames) < 2:
        raise VolumeError("fewer than two slices with a position")
    if len(frames) > _MOST_FRAMES:
        raise VolumeError(f"{len(frames)} slices are more than the {_MOST_FRAMES} that can be analysed")
    first = frames[0]
    _must_agree(frames, first)
    reference = {str(datasets[frame.dataset].get("FrameOfReferenceUID") or "") for frame in frames}
    if len(reference) != 1 or reference == {""}:
        raise VolumeError("the slices do not share one Frame of Reference")
    normal = stacking_normal(first.row_direction, first.column_direction)
    frames = _sorted_without_repeats(frames, normal, notes)
    if len(frames) < 2:
        raise VolumeError("all slices lie at the same position")
    positions = np.stack([frame.position for frame in frames])
    gaps = np.diff(positions @ normal)
    thickness = np.array([frame.thickness_mm for frame in frames])
    thickness[thickness <= 0.0] = float(np.median(gaps))
    return SliceStack(
        pixels=_pixels(datasets, frames),
        positions=positions,
        row_direction=first.row_direction,
        column_direction=first.column_direction,
        pixel_spacing_mm=first.pixel_spacing_mm,
        thickness_mm=thickness,
        sources=tuple(FrameSource(frame.sop_instance_uid, frame.number) for frame in frames),
        frame_of_reference_uid=reference.pop(),
        notes=tuple(notes),
    )


def _read(path: Path) -> Dataset:
    try:
        return pydicom.dcmread(path)
    except (InvalidDicomError, EOFError, ValueError, KeyError, AttributeError) as error:
        raise VolumeError("an instance of the series cannot be read") from error


def _frames(datasets: Sequence[Dataset], notes: list[str]) -> Iterator[_Frame]:
    localizers = 0
    for index, dataset in enumerate(datasets):
        if "LOCALIZER" in dataset.get("ImageType", []):
            localizers += 1
            continue
        if int(dataset.get("SamplesPerPixel", 1)) != 1 or "PixelData" not in dataset:
            raise VolumeError("an instance of the series is not a grey value image")
        try:
            for number in range(1, int(dataset.get("NumberOfFrames") or 1) + 1):
                yield _frame(dataset, index, number)
        except (TypeError, ValueError, AttributeError, IndexError) as error:
            raise VolumeError("a position, orientation or rescale value is malformed") from error
    if localizers:
        notes.append(f"{localizers} localizer image{'s' if localizers > 1 else ''} left out")


def _frame(dataset: Dataset, index: int, number: int) -> _Frame:
    position = _lookup(dataset, number, "PlanePositionSequence", "ImagePositionPatient")
    orientation = _lookup(dataset, number, "PlaneOrientationSequence", "ImageOrientationPatient")
    spacing = _lookup(dataset, number, "PixelMeasuresSequence", "PixelSpacing")
    if position is None or orientation is None:
        raise VolumeError("a slice has no position or orientation")
    if spacing is None:
        raise VolumeError("a slice has no pixel spacing")
    slope = _lookup(dataset, number, "PixelValueTransformationSequence", "RescaleSlope")
    intercept = _lookup(dataset, number, "PixelValueTransformationSequence", "RescaleIntercept")
    kind = _lookup(dataset, number, "PixelValueTransformationSequence", "RescaleType")
    if slope is None or intercept is None or str(kind or "HU").strip().upper() not in {"HU", "HU_MOD"}:
        raise VolumeError("the grey values are not given in Hounsfield units")
    directions = np.array([float(v) for v in orientation])
    row, column = directions[:3], directions[3:]
    if directions.shape != (6,) or not np.allclose([row @ row, column @ column], 1.0, atol=1e-2):
        raise VolumeError("an orientation is not made of two unit vectors")
    if abs(row @ column) > 1e-2:
        raise VolumeError("an orientation is not made of two vectors at right angles")
    place = np.array([float(v) for v in position])
    down, across = (float(v) for v in spacing)
    finite = np.isfinite([*place, down, across, float(slope), float(intercept)]).all()
    if place.shape != (3,) or down <= 0.0 or across <= 0.0 or not finite:
        raise VolumeError("a position, spacing or rescale value is malformed")
    thickness = _lookup(dataset, number, "PixelMeasuresSequence", "SliceThickness")
    return _Frame(
        dataset=index,
        number=number,
        sop_instance_uid=str(dataset.SOPInstanceUID),
        instance_number=int(dataset.get("InstanceNumber") or 0),
        position=place,
        row_direction=row / np.linalg.norm(row),
        column_direction=column / np.linalg.norm(column),
        pixel_spacing_mm=(down, across),
        thickness_mm=float(thickness) if thickness not in (None, "") else 0.0,
        slope=float(slope),
        intercept=float(intercept),
    )


def _lookup(dataset: Dataset, number: int, sequence: str, keyword: str) -> Any:
    """An attribute of a frame: per frame, else shared (PS3.3 C.7.6.16), else of the whole instance."""
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence")
    shared = dataset.get("SharedFunctionalGroupsSequence")
    for groups in (per_frame[number - 1] if per_frame else None, shared[0] if shared else None):
        items = groups.get(sequence) if groups is not None else None
        if items and items[0].get(keyword) is not None:
            return items[0].get(keyword)
    return dataset.get(keyword)


def _must_agree(frames: Sequence[_Frame], first: _Frame) -> None:
    for frame in frames:
        if (
            frame.row_direction @ first.row_direction < _SAME_DIRECTION
            or frame.column_direction @ first.column_direction < _SAME_DIRECTION
        ):
            raise VolumeError("the slices have different orientations")
        if not np.allclose(frame.pixel_spacing_mm, first.pixel_spacing_mm, rtol=1e-3):
            raise VolumeError("the slices have different pixel spacings")


def _sorted_without_repeats(
    frames: Sequence[_Frame], normal: NDArray[np.float64], notes: list[str]
) -> list[_Frame]:
    def order(frame: _Frame) -> tuple[int, str, int]:
        return frame.instance_number, frame.sop_instance_uid, frame.number

    by_depth = sorted(frames, key=lambda frame: (float(frame.position @ normal), *order(frame)))
    kept: list[_Frame] = []
    for frame in by_depth:
        if kept and float((frame.position - kept[-1].position) @ normal) < _SAME_DEPTH_MM:
            if order(frame) > order(kept[-1]):
                kept[-1] = frame
        else:
            kept.append(frame)
    repeats = len(frames) - len(kept)
    if repeats:
        notes.append(f"{repeats} of {len(frames)} slices repeat a position; of each the last was used")
    return kept


def _pixels(datasets: Sequence[Dataset], frames: Sequence[_Frame]) -> NDArray[np.float32]:
    """HU of the frames, float32 [slice, row, column]; each instance is decoded once."""
    first = datasets[frames[0].dataset]
    shape = (int(first.Rows), int(first.Columns))
    wanted: dict[int, list[int]] = {}
    for place, frame in enumerate(frames):
        wanted.setdefault(frame.dataset, []).append(place)
    pixels = np.empty((len(frames), *shape), dtype=np.float32)
    for index, places in wanted.items():
        stored = _decode(datasets[index])
        if stored.shape[1:] != shape:
            raise VolumeError("the slices have different sizes")
        padding = datasets[index].get("PixelPaddingValue")
        for place in places:
            frame = frames[place]
            raw = stored[frame.number - 1]
            plane = raw.astype(np.float32) * np.float32(frame.slope) + np.float32(frame.intercept)
            if padding is not None:
                plane[raw == int(padding)] = AIR_HU
            pixels[place] = np.maximum(plane, AIR_HU)
        del datasets[index].PixelData
    return pixels


def _decode(dataset: Dataset) -> NDArray[Any]:
    try:
        stored = pixel_array(dataset)  # unlike Dataset.pixel_array it keeps no second copy
    except (ValueError, RuntimeError, AttributeError, NotImplementedError) as error:
        raise VolumeError("the pixels of an instance cannot be decoded") from error
    if dataset.get("PhotometricInterpretation") != "MONOCHROME2":
        raise VolumeError("the grey values are not MONOCHROME2")
    return stored if stored.ndim == 3 else stored[None]
