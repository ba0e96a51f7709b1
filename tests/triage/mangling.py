"""What scanners, archives and networks do to a series without changing what it shows."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path

import gdcm
import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    EnhancedMRImageStorage,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from tests.triage.making import datasets_of, enhanced_of, write
from triage.inference.volume import SliceStack

HTJ2K_SLICES = Path(__file__).parent / "htj2k_slices.npz"
Mangling = Callable[[SliceStack, random.Random], list[Dataset]]


def shuffled_numbers(stack: SliceStack, rng: random.Random) -> list[Dataset]:
    """Instance numbers and the order of files say nothing about places."""
    datasets = datasets_of(stack)
    numbers = list(range(1, len(datasets) + 1))
    rng.shuffle(numbers)
    for dataset, number in zip(datasets, numbers, strict=True):
        dataset.InstanceNumber = number
    rng.shuffle(datasets)
    return datasets


def reversed_order(stack: SliceStack, rng: random.Random) -> list[Dataset]:
    """Numbered from the other end."""
    datasets = datasets_of(stack)[::-1]
    for number, dataset in enumerate(datasets, start=1):
        dataset.InstanceNumber = number
    return datasets


def rescale_by_slice(stack: SliceStack, rng: random.Random) -> list[Dataset]:
    """Each slice has its own slope and intercept."""
    datasets = datasets_of(stack)
    for plane, dataset in zip(stack.pixels, datasets, strict=True):
        slope, intercept = rng.choice([0.5, 1.0, 2.0]), rng.choice([-1024.0, -2000.0])
        dataset.RescaleSlope, dataset.RescaleIntercept = slope, intercept
        dataset.PixelData = np.rint((plane - intercept) / slope).astype("<u2").tobytes()
    return datasets


def repeated_for_motion(stack: SliceStack, rng: random.Random) -> list[Dataset]:
    """Two slices were made twice at their places; the first try shows something else."""
    datasets = datasets_of(stack)
    for index in rng.sample(range(len(datasets)), 2):
        spoilt = _again(datasets[index], InstanceNumber=datasets[index].InstanceNumber)
        spoilt.PixelData = np.roll(spoilt.pixel_array, 7, axis=1).tobytes()
        datasets[index].InstanceNumber = 100 + index
        datasets.append(spoilt)
    rng.shuffle(datasets)
    return datasets


def sent_twice(stack: SliceStack, rng: random.Random) -> list[Dataset]:
    """Every image is there under a second name."""
    datasets = datasets_of(stack)
    return datasets + [_again(dataset) for dataset in datasets]


def with_a_contrast_scan(stack: SliceStack, rng: random.Random) -> list[Dataset]:
    """A second scan at the same places, with contrast, later."""
    datasets = datasets_of(stack)
    for dataset in datasets[:]:
        later = _again(dataset, ContrastBolusAgent="IOHEXOL", InstanceNumber=dataset.InstanceNumber + 50)
        later.PixelData = np.full(stack.pixels.shape[1:], 1200, "<u2").tobytes()
        datasets.append(later)
    return datasets


def with_another_orientation(stack: SliceStack, rng: random.Random) -> list[Dataset]:
    """A few slices across the others, and a localizer."""
    datasets = datasets_of(stack)
    across = [*stack.column_direction, *np.cross(stack.row_direction, stack.column_direction)]
    strangers = [_again(dataset) for dataset in datasets[:4]]
    for stranger in strangers:
        stranger.ImageOrientationPatient = [f"{v:.9f}"[:16] for v in across]
    strangers[0].ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    return strangers + datasets


def enhanced(stack: SliceStack, rng: random.Random) -> list[Dataset]:
    """One enhanced CT, its frames in any order, each with its own rescale."""
    order = list(range(len(stack.pixels)))
    rng.shuffle(order)
    return [enhanced_of(stack, order, slope=0.5)]


def enhanced_in_two(stack: SliceStack, rng: random.Random) -> list[Dataset]:
    """Two enhanced objects that hold every other slice."""
    first = enhanced_of(stack, range(0, len(stack.pixels), 2))
    second = enhanced_of(
        stack,
        range(1, len(stack.pixels), 2),
        **{
            name: first[name].value
            for name in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
        },
    )
    return [second, first]


def enhanced_mr(stack: SliceStack, rng: random.Random) -> list[Dataset]:
    """One enhanced MR without any rescale: its values are grey, not Hounsfield units."""
    order = list(range(len(stack.pixels)))
    rng.shuffle(order)
    dataset = enhanced_of(stack, order, SOPClassUID=EnhancedMRImageStorage, Modality="MR")
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        del frame.PixelValueTransformationSequence
    dataset.PixelData = np.rint(stack.pixels[order]).astype("<u2").tobytes()
    return [dataset]


def rle(stack: SliceStack, rng: random.Random) -> list[Dataset]:
    """RLE Lossless."""
    return _compressed(stack, RLELossless)


def jpeg_ls(stack: SliceStack, rng: random.Random) -> list[Dataset]:
    """JPEG-LS Lossless."""
    return _compressed(stack, JPEGLSLossless)


def jpeg_2000(stack: SliceStack, rng: random.Random) -> list[Dataset]:
    """JPEG 2000 Lossless."""
    return _compressed(stack, JPEG2000Lossless)


MANGLINGS: Sequence[Mangling] = (
    shuffled_numbers,
    reversed_order,
    rescale_by_slice,
    repeated_for_motion,
    sent_twice,
    with_a_contrast_scan,
    with_another_orientation,
    enhanced,
    enhanced_in_two,
    enhanced_mr,
    rle,
    jpeg_ls,
    jpeg_2000,
)


def write_jpeg_lossless(stack: SliceStack, folder: Path, process: str) -> list[Path]:
    """The series as JPEG Lossless files (process 14 or 14_1), as older archives keep them."""
    paths = write(datasets_of(stack), folder)
    for path in paths:
        reader = gdcm.ImageReader()
        reader.SetFileName(str(path))
        assert reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        syntax = getattr(gdcm.TransferSyntax, f"JPEGLosslessProcess{process}")
        change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer = gdcm.ImageWriter()
        writer.SetFileName(str(path))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
    return paths


def htj2k(stack: SliceStack) -> list[Dataset]:
    """High-Throughput JPEG 2000, from the stored code streams of exactly this stack's slices."""
    datasets = datasets_of(stack)
    with np.load(HTJ2K_SLICES) as streams:
        for index, dataset in enumerate(datasets):
            dataset.file_meta.TransferSyntaxUID = HTJ2KLossless
            dataset.PixelData = encapsulate([streams[f"slice{index:02d}"].tobytes()])
            dataset["PixelData"].VR = "OB"
    return datasets


def _compressed(stack: SliceStack, syntax: str) -> list[Dataset]:
    datasets = datasets_of(stack)
    for dataset in datasets:
        dataset["PixelData"].VR = "OW"
        uid = dataset.SOPInstanceUID
        dataset.compress(syntax)
        dataset.SOPInstanceUID = uid
    return datasets


def _again(dataset: Dataset, **values: object) -> Dataset:
    copy = deepcopy(dataset)
    copy.SOPInstanceUID = generate_uid()
    for keyword, value in values.items():
        setattr(copy, keyword, value)
    return copy
