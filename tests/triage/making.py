"""Slices of a known world, as stacks and as DICOM files, and a bundle that marks what is very bright."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import torch
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian, generate_uid

from triage.inference.volume import FrameSource, SliceStack

BACKGROUND_HU, BLOB_HU = 30.0, 3000.0
Vector = NDArray[np.float64]


def rotation(degrees: Sequence[float]) -> NDArray[np.float64]:
    """Turn about x, then y, then z."""
    a, b, c = np.radians(degrees)
    x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return np.asarray(z @ y @ x)


def world(points: Vector, centre: Vector, radius_mm: float) -> NDArray[np.float32]:
    """HU at LPS points: brain grey, with a very bright ball."""
    distance = np.linalg.norm(points - centre, axis=-1)
    return np.where(distance <= radius_mm, BLOB_HU, BACKGROUND_HU).astype(np.float32)


def make_stack(
    *,
    centre: Vector,
    radius_mm: float,
    row_direction: Vector,
    column_direction: Vector,
    depths_mm: Vector,
    thickness_mm: float,
    tilt_shift: float = 0.0,
    size: int = 48,
    pixel_mm: float | tuple[float, float] = 2.5,
) -> SliceStack:
    """Slices around the origin; `tilt_shift` moves each by that many mm per mm of depth along its columns.

    A pixel is the mean over its slice's thickness, as on a scanner.
    """
    normal = np.cross(row_direction, column_direction)
    down, across = pixel_mm if isinstance(pixel_mm, tuple) else (pixel_mm, pixel_mm)
    half = (size - 1) / 2.0
    corner = -half * (across * row_direction + down * column_direction)
    positions = corner + depths_mm[:, None] * (normal + tilt_shift * column_direction)
    grid = np.arange(size)[:, None]
    plane = grid[:, None] * down * column_direction + grid[None] * across * row_direction
    through = ((np.arange(5) + 0.5) / 5 - 0.5) * thickness_mm
    pixels = np.stack(
        [
            np.mean([world(p + plane + t * normal, centre, radius_mm) for t in through], axis=0)
            for p in positions
        ]
    ).astype(np.float32)
    upwards = np.argsort(positions @ (normal * np.sign(normal[np.argmax(np.abs(normal))])))
    return SliceStack(
        pixels=pixels[upwards],
        positions=positions[upwards],
        row_direction=row_direction,
        column_direction=column_direction,
        pixel_spacing_mm=(down, across),
        thickness_mm=np.full(len(positions), thickness_mm),
        sources=tuple(FrameSource(f"1.2.{i}") for i in upwards),
    )


def datasets_of(stack: SliceStack, **values: object) -> list[Dataset]:
    """A CT series with these slices, in their order; keyword arguments replace attributes everywhere."""
    shared = {
        "StudyInstanceUID": generate_uid(),
        "SeriesInstanceUID": generate_uid(),
        "FrameOfReferenceUID": generate_uid(),
    }
    return [
        _slice(stack, index, shared | {"InstanceNumber": index + 1} | values)
        for index in range(len(stack.pixels))
    ]


def _slice(stack: SliceStack, index: int, values: dict[str, Any]) -> Dataset:
    dataset = _common(stack)
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = generate_uid()
    dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = 1, -1024, "HU"
    dataset.ImagePositionPatient = [f"{v:.9f}"[:16] for v in stack.positions[index]]
    dataset.ImageOrientationPatient = _orientation(stack)
    dataset.PixelSpacing = list(stack.pixel_spacing_mm)
    dataset.SliceThickness = float(stack.thickness_mm[index])
    dataset.PixelData = _stored(stack.pixels[index])
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def enhanced_of(stack: SliceStack, order: Sequence[int], slope: float = 1.0, **values: object) -> Dataset:
    """One enhanced multi-frame CT with the slices in the given order; rescale differs by frame.

    Keyword arguments replace attributes of the whole object.
    """
    dataset = _common(stack)
    dataset.SOPClassUID = EnhancedCTImageStorage
    dataset.SOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.FrameOfReferenceUID = generate_uid()
    dataset.InstanceNumber = 1
    dataset.NumberOfFrames = len(order)
    shared, orientation, measures = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = _orientation(stack)
    measures.PixelSpacing = list(stack.pixel_spacing_mm)
    measures.SliceThickness = float(stack.thickness_mm[0])
    shared.PlaneOrientationSequence = DicomSequence([orientation])
    shared.PixelMeasuresSequence = DicomSequence([measures])
    dataset.SharedFunctionalGroupsSequence = DicomSequence([shared])
    frames, pixels = [], b""
    for number, index in enumerate(order):
        frame, position, rescale = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = [f"{v:.9f}"[:16] for v in stack.positions[index]]
        intercept = -1024.0 - 10 * number
        rescale.RescaleSlope, rescale.RescaleIntercept, rescale.RescaleType = slope, intercept, "HU"
        frame.PlanePositionSequence = DicomSequence([position])
        frame.PixelValueTransformationSequence = DicomSequence([rescale])
        frames.append(frame)
        pixels += _stored(stack.pixels[index], slope, intercept)
    dataset.PerFrameFunctionalGroupsSequence = DicomSequence(frames)
    dataset.PixelData = pixels
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def write(datasets: Sequence[Dataset], folder: Path) -> list[Path]:
    """The datasets as files, in their order."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{index:04d}.dcm" for index in range(len(datasets))]
    for dataset, path in zip(datasets, paths, strict=True):
        pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return paths


def make_bright_bundle(
    folder: Path,
    *,
    name: str = "bright",
    version: str = "1.0",
    above_hu: float = 1500.0,
    spacing_mm: Sequence[float] = (2.0, 2.0, 2.0),
    limits: dict[str, Any] | None = None,
    **config: Any,
) -> Path:
    """A whole bundle whose network, one 1x1x1 convolution, marks what is brighter than `above_hu`."""
    bundle = folder / name
    (bundle / "configs").mkdir(parents=True, exist_ok=True)
    (bundle / "models").mkdir(exist_ok=True)
    metadata = {"version": version, "monai_version": "1.6.1", "network_data_format": {}}
    inference = {
        "preprocessing": {"_target_": "Compose", "transforms": [{"_target_": "Identity"}]},
        "network_def": {
            "_target_": "torch.nn.Conv3d",
            "in_channels": 1,
            "out_channels": 1,
            "kernel_size": 1,
        },
        "inferer": {"_target_": "SimpleInferer"},
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [{"_target_": "Activations", "sigmoid": True}],
        },
    }
    firstread = {
        "finding": {"code": "1386000", "scheme": "SCT", "meaning": "Intracranial hemorrhage"},
        "criticality": "critical",
        "rank_threshold": 0.5,
        "alert_threshold": 0.8,
        "spacing_mm": list(spacing_mm),
        "mask_threshold": 0.5,
        "min_component_ml": 0.1,
        "probability": {"features": ["peak"], "coefficients": [10.0], "intercept": -3.0},
        "input_limits": {"modality": ["CT"], "min_slices": 8} if limits is None else limits,
        "routing": {"modality": "CT", "body_part_any": ["HEAD", ""]},
        "intended_use": "Tests.",
        **config,
    }
    for file, content in (("metadata", metadata), ("inference", inference), ("firstread", firstread)):
        (bundle / "configs" / f"{file}.json").write_text(json.dumps(content))
    torch.save(
        {"weight": torch.full((1, 1, 1, 1, 1), 0.02), "bias": torch.tensor([-0.02 * above_hu])},
        bundle / "models" / "model.pt",
    )
    return bundle


def _common(stack: SliceStack) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.Modality = "CT"
    dataset.Manufacturer = "Synthetic"
    dataset.PatientName, dataset.PatientID = "SYNTHETIC^Jürgen", "SYN-1"
    dataset.PatientBirthDate, dataset.PatientSex = "19500101", "M"
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID = "20260102", "030405", "7"
    dataset.AccessionNumber, dataset.ReferringPhysicianName = "A7", "Referrer^One"
    dataset.StudyDescription = "SYNTHETIC head"
    dataset.SeriesDescription = "SYNTHETIC"
    dataset.BodyPartExamined = "HEAD"
    dataset.SeriesNumber = 2
    dataset.KVP, dataset.PatientPosition, dataset.PositionReferenceIndicator = 120, "HFS", ""
    dataset.Rows, dataset.Columns = stack.pixels.shape[1:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    return dataset


def _orientation(stack: SliceStack) -> list[str]:
    return [f"{v:.9f}"[:16] for v in (*stack.row_direction, *stack.column_direction)]


def _stored(plane: NDArray[np.float32], slope: float = 1.0, intercept: float = -1024.0) -> bytes:
    return np.rint((plane - intercept) / slope).astype("<u2").tobytes()
