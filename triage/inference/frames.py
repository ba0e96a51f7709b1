"""What each frame of a series says of itself: where it lies, how its values are meant, what sets it apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from triage.inference.volume import VolumeError

#: What may tell apart frames at one position, the surest first: (in words, functional group, keyword).
TRAITS: tuple[tuple[str, str, str], ...] = (
    ("contrast agent", "", "ContrastBolusAgent"),
    ("kernel", "CTReconstructionSequence", "ConvolutionKernel"),
    ("tube voltage", "CTXRayDetailsSequence", "KVP"),
    ("echo", "MREchoSequence", "EffectiveEchoTime"),
    ("echo", "", "EchoTime"),
    ("b-value", "MRDiffusionSequence", "DiffusionBValue"),
    ("stack", "FrameContentSequence", "StackID"),
    ("moment", "FrameContentSequence", "TemporalPositionIndex"),
    ("moment", "", "TemporalPositionIdentifier"),
    ("acquisition", "FrameContentSequence", "FrameAcquisitionNumber"),
    ("acquisition", "", "AcquisitionNumber"),
    ("image type", "CTImageFrameTypeSequence", "FrameType"),
    ("image type", "", "ImageType"),
)


@dataclass(frozen=True)
class Frame:
    """One frame's geometry (mm, LPS) and rescale; `dataset` holds its pixels at `number` (from 1).

    Attributes:
        made: when it was acquired, as text that sorts; "" when not told.
        traits: values of TRAITS, in their order, as text.
    """

    dataset: int
    number: int
    sop_instance_uid: str
    instance_number: int
    made: str
    traits: tuple[str, ...]
    frame_of_reference_uid: str
    size: tuple[int, int]
    position: NDArray[np.float64]
    row_direction: NDArray[np.float64]
    column_direction: NDArray[np.float64]
    pixel_spacing_mm: tuple[float, float]
    thickness_mm: float
    slope: float
    intercept: float

    @property
    def order(self) -> tuple[str, int, str, int]:
        """When it was made: what comes later repeats what came before."""
        return self.made, self.instance_number, self.sop_instance_uid, self.number

    @property
    def normal(self) -> NDArray[np.float64]:
        """Unit vector across the slice."""
        return np.cross(self.row_direction, self.column_direction)


def frames_of(datasets: Sequence[Dataset], notes: list[str]) -> list[Frame]:
    """Every frame but localizers, which are noted.

    Raises:
        VolumeError: a frame has no place, or its values have no meaning (CT: Hounsfield units).
    """
    frames: list[Frame] = []
    localizers = 0
    for index, dataset in enumerate(datasets):
        if int(dataset.get("SamplesPerPixel", 1)) != 1 or "PixelData" not in dataset:
            raise VolumeError("an instance of the series is not a grey value image")
        try:
            for number in range(1, int(dataset.get("NumberOfFrames") or 1) + 1):
                if _is_localizer(dataset, number):
                    localizers += 1
                else:
                    frames.append(_frame(dataset, index, number))
        except (TypeError, ValueError, AttributeError, IndexError) as error:
            raise VolumeError("a position, orientation or rescale value is malformed") from error
    if localizers:
        notes.append(f"{localizers} localizer image{'s' if localizers > 1 else ''} left out")
    return frames


def look_up(dataset: Dataset, number: int, sequence: str, keyword: str) -> Any:
    """An attribute of a frame: per frame, else shared (PS3.3 C.7.6.16), else of the whole instance."""
    if sequence:
        per_frame = dataset.get("PerFrameFunctionalGroupsSequence")
        shared = dataset.get("SharedFunctionalGroupsSequence")
        for groups in (per_frame[number - 1] if per_frame else None, shared[0] if shared else None):
            items = groups.get(sequence) if groups is not None else None
            if items and items[0].get(keyword) is not None:
                return items[0].get(keyword)
    return dataset.get(keyword)


def _is_localizer(dataset: Dataset, number: int) -> bool:
    frame_type = look_up(dataset, number, "CTImageFrameTypeSequence", "FrameType") or []
    return "LOCALIZER" in frame_type or "LOCALIZER" in dataset.get("ImageType", [])


def _frame(dataset: Dataset, index: int, number: int) -> Frame:
    position = look_up(dataset, number, "PlanePositionSequence", "ImagePositionPatient")
    orientation = look_up(dataset, number, "PlaneOrientationSequence", "ImageOrientationPatient")
    spacing = look_up(dataset, number, "PixelMeasuresSequence", "PixelSpacing")
    if position is None or orientation is None:
        raise VolumeError("a slice has no position or orientation")
    if spacing is None:
        raise VolumeError("a slice has no pixel spacing")
    slope, intercept = _rescale(dataset, number)
    directions = np.array([float(v) for v in orientation])
    row, column = directions[:3], directions[3:]
    if directions.shape != (6,) or not np.allclose([row @ row, column @ column], 1.0, atol=1e-2):
        raise VolumeError("an orientation is not made of two unit vectors")
    if abs(row @ column) > 1e-2:
        raise VolumeError("an orientation is not made of two vectors at right angles")
    place = np.array([float(v) for v in position])
    down, across = (float(v) for v in spacing)
    finite = np.isfinite([*place, down, across, slope, intercept]).all()
    if place.shape != (3,) or down <= 0.0 or across <= 0.0 or not finite:
        raise VolumeError("a position, spacing or rescale value is malformed")
    thickness = look_up(dataset, number, "PixelMeasuresSequence", "SliceThickness")
    return Frame(
        dataset=index,
        number=number,
        sop_instance_uid=str(dataset.SOPInstanceUID),
        instance_number=int(dataset.get("InstanceNumber") or 0),
        made=_made(dataset, number),
        traits=tuple(_text(look_up(dataset, number, group, keyword)) for _, group, keyword in TRAITS),
        frame_of_reference_uid=str(dataset.get("FrameOfReferenceUID") or ""),
        size=(int(dataset.Rows), int(dataset.Columns)),
        position=place,
        row_direction=row / np.linalg.norm(row),
        column_direction=column / np.linalg.norm(column),
        pixel_spacing_mm=(down, across),
        thickness_mm=float(thickness) if thickness not in (None, "") else 0.0,
        slope=slope,
        intercept=intercept,
    )


def _rescale(dataset: Dataset, number: int) -> tuple[float, float]:
    """Slope and intercept; CT must give them in Hounsfield units (PS3.3 C.8.2.1), MR need not give any."""
    group = "PixelValueTransformationSequence"
    slope = look_up(dataset, number, group, "RescaleSlope")
    intercept = look_up(dataset, number, group, "RescaleIntercept")
    if in_hounsfield_units(dataset):
        kind = str(look_up(dataset, number, group, "RescaleType") or "HU").strip().upper()
        if slope is None or intercept is None or kind not in {"HU", "HU_MOD"}:
            raise VolumeError("the grey values are not given in Hounsfield units")
    values = float(1.0 if slope is None else slope), float(0.0 if intercept is None else intercept)
    if values[0] == 0.0:
        raise VolumeError("a position, spacing or rescale value is malformed")
    return values


def in_hounsfield_units(dataset: Dataset) -> bool:
    """Are the values of this instance a scale, or only grey: MR has none."""
    return str(dataset.get("Modality") or "CT") != "MR"


def _made(dataset: Dataset, number: int) -> str:
    moment = look_up(dataset, number, "FrameContentSequence", "FrameAcquisitionDateTime")
    if moment := moment or dataset.get("AcquisitionDateTime"):
        return str(moment)
    return f"{dataset.get('AcquisitionDate') or ''}{dataset.get('AcquisitionTime') or ''}"


def _text(value: Any) -> str:
    if value is None:
        return ""
    return (
        "\\".join(str(v) for v in value)
        if isinstance(value, list | tuple) or hasattr(value, "append")
        else str(value)
    )
