"""The files of a study as production would see them: its series, and what the strata need."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset as DicomDataset
from pydicom.errors import InvalidDicomError

from triage.facts import facts_from_headers
from triage.series import SeriesFacts

# Enough for routing and the strata; sequences hold the geometry of enhanced objects.
_TAGS = [
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality", "StudyDate",
    "StudyDescription", "SeriesDescription", "ProtocolName", "SeriesNumber", "InstanceNumber",
    "NumberOfFrames", "ImageType", "BodyPartExamined", "ConvolutionKernel", "SliceThickness",
    "ImageOrientationPatient", "ImagePositionPatient", "ContrastBolusAgent", "ContrastBolusAgentSequence",
    "Manufacturer", "ManufacturerModelName", "PatientAge", "PatientBirthDate", "PatientSex", "PatientName",
    "ImageComments", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
]  # fmt: skip


class StudyUnreadable(Exception):
    """No DICOM in the folder, or more than one study; the message says so."""


@dataclass(frozen=True)
class StudyFiles:
    """One study in a folder.

    Attributes:
        series: facts of each series; `series_id` counts them from 0.
        files: of each series, in the order of `series`.
        digest: SHA-256 over names, sizes and times of all files: the same as long as nothing changed.
        sex: Patient's Sex, or "".
        scanner: manufacturer and model by series.
        synthetic: the images say of themselves that they show no patient.
    """

    study_instance_uid: str
    series: tuple[SeriesFacts, ...]
    files: tuple[tuple[Path, ...], ...]
    digest: str
    sex: str
    scanner: tuple[str, ...]
    synthetic: bool


def read_study(folder: Path) -> StudyFiles:
    """Read the headers of every DICOM file below a folder.

    Raises:
        StudyUnreadable: there is none, or they are of several studies.
    """
    by_series: dict[str, list[tuple[Path, DicomDataset]]] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        header = _header(path)
        if header is not None:
            by_series.setdefault(str(header.SeriesInstanceUID), []).append((path, header))
    if not by_series:
        raise StudyUnreadable(f"{folder.name} holds no DICOM images")
    first = next(iter(by_series.values()))[0][1]
    studies = {str(header.StudyInstanceUID) for rows in by_series.values() for _, header in rows}
    if len(studies) > 1:
        raise StudyUnreadable(f"{folder.name} holds {len(studies)} studies: give each a folder of its own")
    groups = list(by_series.values())
    return StudyFiles(
        study_instance_uid=studies.pop(),
        series=tuple(
            facts_from_headers([_json(header) for _, header in rows], series_id=index)
            for index, rows in enumerate(groups)
        ),
        files=tuple(tuple(path for path, _ in rows) for rows in groups),
        digest=_digest(folder, [path for rows in groups for path, _ in rows]),
        sex=str(first.get("PatientSex", "") or ""),
        scanner=tuple(_scanner(rows[0][1]) for rows in groups),
        synthetic=_synthetic(first),
    )


def _header(path: Path) -> DicomDataset | None:
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)
    except (InvalidDicomError, OSError, EOFError, ValueError):
        return None
    return header if "SeriesInstanceUID" in header and "StudyInstanceUID" in header else None


def _json(header: DicomDataset) -> Mapping[str, Any]:
    with warnings.catch_warnings():
        # They quote the values that they complain of, names among them.
        warnings.simplefilter("ignore")
        return header.to_json_dict(suppress_invalid_tags=True)


def _digest(folder: Path, paths: list[Path]) -> str:
    lines = [
        f"{path.relative_to(folder).as_posix()} {path.stat().st_size} {path.stat().st_mtime_ns}"
        for path in sorted(paths)
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _scanner(header: DicomDataset) -> str:
    parts = [str(header.get(name, "") or "").strip() for name in ("Manufacturer", "ManufacturerModelName")]
    return " ".join(dict.fromkeys(filter(None, parts)))


def _synthetic(header: DicomDataset) -> bool:
    said = (str(header.get("ImageComments", "") or ""), str(header.get("PatientName", "") or ""))
    return any(text.upper().startswith("SYNTHETIC") for text in said)
