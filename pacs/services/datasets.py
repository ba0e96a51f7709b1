"""Data sets made here, as DICOM files in memory."""

from __future__ import annotations

import io

from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian


def encode(dataset: Dataset) -> bytes:
    """A Part 10 file of `dataset`, in the transfer syntax its file_meta names or Explicit VR Little Endian.

    Raises:
        ValueError, AttributeError: a value cannot be encoded or a required UID is missing.
    """
    meta: FileMetaDataset | None = getattr(dataset, "file_meta", None)
    if meta is None:
        meta = FileMetaDataset()
        dataset.file_meta = meta
    if not getattr(meta, "TransferSyntaxUID", None):
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()
