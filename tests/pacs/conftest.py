"""A small archive for each test."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from pacs.services import IncomingInstance, Source


@pytest.fixture(autouse=True)
def archive(tmp_path: Path, settings: object) -> Path:
    """An empty archive folder."""
    folder = tmp_path / "archive"
    settings.ARCHIVE_DIR = folder  # type: ignore[attr-defined]
    settings.MINIMUM_FREE_DISK_MB = 1  # type: ignore[attr-defined]
    return folder


def make_dataset(**values: object) -> Dataset:
    """A CT slice of 16x16; keyword arguments replace attributes, None removes one."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID = generate_uid()
    dataset.SeriesInstanceUID = generate_uid()
    dataset.StudyDate = "20260102"
    dataset.StudyTime = "030405"
    dataset.AccessionNumber = "A1"
    dataset.Modality = "CT"
    dataset.PatientName = "Müller^Jürgen"
    dataset.PatientID = "P1"
    dataset.PatientBirthDate = "19500101"
    dataset.PatientSex = "M"
    dataset.StudyDescription = "Head"
    dataset.SeriesNumber = 2
    dataset.InstanceNumber = 1
    dataset.Rows = dataset.Columns = 16
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 0
    dataset.PixelData = np.arange(256, dtype="<u2").tobytes()
    for keyword, value in values.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def encoded(dataset: Dataset) -> bytes:
    """The data set as a Part 10 file."""
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def make_study(count: int, **values: object) -> list[Dataset]:
    """`count` slices of one series."""
    common = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid(), **values}
    return [make_dataset(**{"InstanceNumber": n + 1, **common}) for n in range(count)]


@pytest.fixture
def store() -> Callable[..., list]:
    """store(dataset or bytes, …) -> results, through the write path."""
    from pacs.services import store_instances

    def go(*objects: Dataset | bytes, source: Source | None = None) -> list:
        items = [
            IncomingInstance(data=o if isinstance(o, bytes) else encoded(o), name=f"object {n}")
            for n, o in enumerate(objects)
        ]
        return store_instances(items, source=source or Source(label="TEST", channel="command"))

    return go
