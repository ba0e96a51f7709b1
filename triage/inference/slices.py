"""From the files of a series to slices with known places: single-frame and enhanced multi-frame CT and MR."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.pixels import pixel_array

from triage.inference.frames import TRAITS, Frame, frames_of, in_hounsfield_units
from triage.inference.volume import AIR_HU, FrameSource, SliceStack, VolumeError, stacking_normal

# Directions within half a degree are the same; places within this depth are the same slice.
_SAME_DIRECTION = np.cos(np.radians(0.5))
_SAME_DEPTH_MM = 0.02
_MOST_FRAMES = 2000
# Up to here repeats are slices made again for motion; above, the series holds more than one volume.
_MOST_REPEATS = 0.25
# A position that is there so often belongs to a perfusion or another dynamic series.
_DYNAMIC = 4
# A gap this much wider than its neighbours on both sides is a slice that did not come.
_MISSING = 1.7


def read_stack(files: Sequence[Path]) -> SliceStack:
    """Read the instances of one series into slices, sorted by place; CT in HU, MR in its own grey values.

    What does not belong to the one volume is left out with a note: localizers, slices of another
    orientation, size or frame of reference than most, and second volumes at the same places. Of a slice that
    was repeated the last is kept, as it was made because the first was no good.

    Raises:
        VolumeError: not readable, not decodable, no place or no Hounsfield units given, or nothing tells
            which of several images at one place to read.
    """
    datasets = [_read(path) for path in files]
    notes: list[str] = []
    frames = frames_of(datasets, notes)
    if len(frames) < 2:
        raise VolumeError("fewer than two slices with a position")
    if len(frames) > _MOST_FRAMES:
        raise VolumeError(f"{len(frames)} slices are more than the {_MOST_FRAMES} that can be analysed")
    frames = _of_one_geometry(frames, notes)
    first = frames[0]
    if not first.frame_of_reference_uid:
        raise VolumeError("the slices do not share one Frame of Reference")
    normal = stacking_normal(first.row_direction, first.column_direction)
    frames = _one_a_place(frames, normal, datasets, notes)
    if len(frames) < 2:
        raise VolumeError("all slices lie at the same position")
    positions = np.stack([frame.position for frame in frames])
    gaps = np.diff(positions @ normal)
    notes += missing_slices(gaps)
    notes += _announced_but_absent(datasets)
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
        frame_of_reference_uid=first.frame_of_reference_uid,
        notes=tuple(notes),
        empty=AIR_HU if in_hounsfield_units(datasets[first.dataset]) else 0.0,
    )


def missing_slices(gaps_mm: NDArray[np.float64]) -> list[str]:
    """Notes of gaps that are much wider than the usual ones on both sides of them."""
    notes = []
    for index, gap in enumerate(gaps_mm):
        sides = [gaps_mm[max(0, index - 3) : index], gaps_mm[index + 1 : index + 4]]
        usual = max((float(np.median(side)) for side in sides if len(side)), default=0.0)
        if usual > 0.0 and gap > _MISSING * usual:
            count = max(1, round(float(gap) / usual) - 1)
            some = "a slice seems" if count == 1 else f"{count} slices seem"
            notes.append(f"{some} to be missing: a gap of {gap:.1f} mm where {usual:.1f} mm are usual")
    return notes


def _read(path: Path) -> Dataset:
    try:
        return pydicom.dcmread(path)
    except (InvalidDicomError, EOFError, ValueError, KeyError, AttributeError) as error:
        raise VolumeError("an instance of the series cannot be read") from error


def _of_one_geometry(frames: list[Frame], notes: list[str]) -> list[Frame]:
    """The frames of the orientation, size, pixel spacing and frame of reference that most have."""
    groups: list[list[Frame]] = []
    for frame in frames:
        for group in groups:
            if _same_geometry(frame, group[0]):
                group.append(frame)
                break
        else:
            groups.append([frame])

    def suits(group: list[Frame]) -> tuple[int, float, tuple[str, int, str, int]]:
        return -len(group), -abs(float(group[0].normal[2])), min(frame.order for frame in group)

    groups.sort(key=suits)
    left_out = len(frames) - len(groups[0])
    if left_out:
        one = left_out == 1
        notes.append(
            f"{left_out} of {len(frames)} slices {'has' if one else 'have'} another orientation, size or frame "
            f"of reference and {'is' if one else 'are'} left out"
        )
    return groups[0]


def _same_geometry(a: Frame, b: Frame) -> bool:
    return (
        a.size == b.size
        and a.frame_of_reference_uid == b.frame_of_reference_uid
        and float(a.row_direction @ b.row_direction) >= _SAME_DIRECTION
        and float(a.column_direction @ b.column_direction) >= _SAME_DIRECTION
        and bool(np.allclose(a.pixel_spacing_mm, b.pixel_spacing_mm, rtol=1e-3))
    )


def _one_a_place(
    frames: list[Frame], normal: NDArray[np.float64], datasets: Sequence[Dataset], notes: list[str]
) -> list[Frame]:
    """One frame for each depth, upwards; what else lies there is left out with a note, or refused."""
    places = _places(frames, normal)
    if _repeats(places) > _MOST_REPEATS * len(places):
        most = sum(len(place) >= _DYNAMIC for place in places)
        if 2 * most > len(places):
            raise VolumeError(f"each position is there {_DYNAMIC} times or more: a dynamic series")
        if not all(_same_content(place, datasets) for place in places):
            frames = _one_volume(frames, normal, notes)
            places = _places(frames, normal)
    repeats = _repeats(places)
    if repeats:
        notes.append(f"{repeats} of {len(frames)} slices repeat a position; of each the last was used")
    return [max(place, key=lambda frame: frame.order) for place in places]


def _places(frames: list[Frame], normal: NDArray[np.float64]) -> list[list[Frame]]:
    by_depth = sorted(frames, key=lambda frame: (float(frame.position @ normal), frame.order))
    places: list[list[Frame]] = []
    for frame in by_depth:
        if places and float((frame.position - places[-1][0].position) @ normal) < _SAME_DEPTH_MM:
            places[-1].append(frame)
        else:
            places.append([frame])
    return places


def _repeats(places: list[list[Frame]]) -> int:
    return sum(len(place) - 1 for place in places)


def _same_content(place: list[Frame], datasets: Sequence[Dataset]) -> bool:
    """Are the images at a place the same image under several names? Frames of one object are told apart."""
    first = place[0]
    return all(
        frame is first
        or (
            frame.dataset != first.dataset
            and (frame.slope, frame.intercept) == (first.slope, first.intercept)
            and datasets[frame.dataset].PixelData == datasets[first.dataset].PixelData
        )
        for frame in place
    )


def _one_volume(frames: list[Frame], normal: NDArray[np.float64], notes: list[str]) -> list[Frame]:
    """Of several volumes at the same places, the one that a trait sets apart."""
    count = len(_places(frames, normal))
    for index, (name, _, _) in enumerate(TRAITS):
        groups: dict[str, list[Frame]] = {}
        for frame in frames:
            groups.setdefault(frame.traits[index], []).append(frame)
        whole = {
            value: group
            for value, group in groups.items()
            if (own := _places(group, normal))
            and 5 * len(own) >= 4 * count
            and _repeats(own) <= _MOST_REPEATS * len(own)
        }
        if len(groups) > 1 and whole:
            chosen = min(whole, key=_preference(name, whole, normal))
            notes.append(
                f"{len(frames) - len(whole[chosen])} of {len(frames)} slices are of another {name} "
                f'than "{chosen or "none"}" and are left out'
            )
            return whole[chosen]
    raise VolumeError("the same positions hold different images, and nothing tells which to read")


def _preference(
    name: str, groups: dict[str, list[Frame]], normal: NDArray[np.float64]
) -> Callable[[str], tuple[Hashable, ...]]:
    """Without contrast first, then the most slices; of acquisitions the last, else the first by name."""
    latest = {value: max(frame.order for frame in group) for value, group in groups.items()}
    by_time = sorted(latest, key=lambda value: latest[value], reverse=name == "acquisition")

    def key(value: str) -> tuple[Hashable, ...]:
        with_agent = name == "contrast agent" and value != ""
        return with_agent, -len(_places(groups[value], normal)), by_time.index(value)

    return key


def _announced_but_absent(datasets: Sequence[Dataset]) -> list[str]:
    """A note when the series was announced with more instances (0020,1209) than there are."""
    said = Counter(str(dataset.get("NumberOfSeriesRelatedInstances") or "") for dataset in datasets)
    text, _ = said.most_common(1)[0]
    announced = int(text) if text.isdigit() else 0
    return [f"{len(datasets)} of {announced} announced images came"] if announced > len(datasets) else []


def _pixels(datasets: Sequence[Dataset], frames: Sequence[Frame]) -> NDArray[np.float32]:
    """Values of the frames, float32 [slice, row, column]; each instance is decoded once."""
    shape = frames[0].size
    wanted: dict[int, list[int]] = {}
    for place, frame in enumerate(frames):
        wanted.setdefault(frame.dataset, []).append(place)
    pixels = np.empty((len(frames), *shape), dtype=np.float32)
    for index, places in wanted.items():
        stored = _decode(datasets[index])
        if stored.shape[1:] != shape:
            raise VolumeError("the slices have different sizes")
        in_hu = in_hounsfield_units(datasets[index])
        empty = AIR_HU if in_hu else 0.0
        for place in places:
            frame = frames[place]
            raw = stored[frame.number - 1]
            plane = raw.astype(np.float32) * np.float32(frame.slope) + np.float32(frame.intercept)
            plane[_padding(datasets[index], raw)] = empty
            pixels[place] = np.maximum(plane, AIR_HU) if in_hu else plane
        del datasets[index].PixelData
    return pixels


def _padding(dataset: Dataset, raw: NDArray[Any]) -> NDArray[np.bool_]:
    """Pixels outside of what was imaged: one stored value or a range of them (PS3.3 C.7.5.1.1.2)."""
    value = dataset.get("PixelPaddingValue")
    if value is None:
        return np.zeros(raw.shape, dtype=bool)
    limit = dataset.get("PixelPaddingRangeLimit")
    ends = sorted((int(value), int(value if limit is None else limit)))
    outside: NDArray[np.bool_] = (raw >= ends[0]) & (raw <= ends[1])
    return outside


def _decode(dataset: Dataset) -> NDArray[Any]:
    """Stored values [frame, row, column], uncompressed."""
    syntax = dataset.file_meta.get("TransferSyntaxUID") if hasattr(dataset, "file_meta") else None
    name = syntax.name if syntax is not None else "no transfer syntax given"
    try:
        stored = pixel_array(dataset)  # unlike Dataset.pixel_array it keeps no second copy
    except (ValueError, RuntimeError, AttributeError, NotImplementedError, KeyError, IndexError) as error:
        raise VolumeError(f"the pixels of an instance cannot be decoded ({name})") from error
    if dataset.get("PhotometricInterpretation") != "MONOCHROME2":
        raise VolumeError("the grey values are not MONOCHROME2")
    return stored if stored.ndim == 3 else stored[None]
