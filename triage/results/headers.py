"""Headers of the analysed instances, ready to be copied into derived objects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pydicom
from pydicom.dataset import Dataset

CHARACTER_SET: Final = "ISO_IR 192"
# Type 2 in the Patient, General Study and Patient Study modules: a sender may have left them out, a derived
# object must carry them, if only empty (PS3.3 C.7.1.1, C.7.2.1).
_TYPE_2: Final = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)


def read_headers(files: Sequence[Path]) -> list[Dataset]:
    """Data sets without pixels; text decoded, absent type 2 attributes empty, values as received."""
    return [_completed(pydicom.dcmread(path, stop_before_pixels=True)) for path in files]


def _completed(dataset: Dataset) -> Dataset:
    dataset.decode()
    dataset.SpecificCharacterSet = CHARACTER_SET
    # An empty value says nothing, and where the standard wants a value (type 1C) it is a fault to copy it.
    for element in [e for e in dataset if e.is_empty and e.keyword not in _TYPE_2]:
        del dataset[element.tag]
    if dataset.get("PatientIdentityRemoved") == "YES" and not (
        "DeidentificationMethod" in dataset or "DeidentificationMethodCodeSequence" in dataset
    ):
        dataset.DeidentificationMethod = "not stated by the sender"
    for keyword in _TYPE_2:
        if keyword not in dataset:
            setattr(dataset, keyword, "")
    return dataset
