"""The DICOM SR of a signed report: valid by dciodvfy, after TID 2000, the same every time."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from worklist.reports import sr

DCIODVFY = Path(sys.executable).parent / "dciodvfy"


def header(**fields: Any) -> sr.StudyHeader:
    defaults: dict[str, Any] = {
        "study_instance_uid": "2.25.100",
        "patient_id": "SYN-1",
        "patient_name": "SYNTHETIC^A01",
        "patient_birth_date": "19550315",
        "patient_sex": "F",
        "study_date": "20261124",
        "study_time": "101500",
        "study_id": "1",
        "accession_number": "ACC1",
        "attributes": Dataset(),
    }
    return sr.StudyHeader(**(defaults | fields))


def signed(**fields: Any) -> sr.SignedText:
    defaults: dict[str, Any] = {
        "sections": [
            ("history", "History", "Fall, headache"),
            ("comparison", "Comparison", ""),
            ("technique", "Technique", "CT head, 34 slices."),
            ("findings", "Findings", "Hämorrhagie links.\nNo fracture."),
            ("impression", "Impression", "Intracranial hemorrhage, about 31 mL, left."),
        ],
        "version": 4,
        "number": 1,
        "signed_at": datetime(2026, 11, 24, 14, 32, 5, 1234, tzinfo=UTC),
        "signer": "Dr. Ada Reader",
        "organization": "Firstread",
        "seed": "2.25.100/1",
    }
    return sr.SignedText(**(defaults | fields))


EVIDENCE = [sr.Reference("2.25.100", "2.25.101", f"2.25.10{n}", "1.2.840.10008.5.1.4.1.1.2") for n in (2, 3)]


def encoded(ds: Dataset) -> bytes:
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def complaints(path: Path) -> list[str]:
    done = subprocess.run([DCIODVFY, path], capture_output=True, text=True, check=False)
    return [line for line in done.stderr.splitlines() if line.startswith("Error")]


@pytest.mark.parametrize("kind", ["signed", "addendum", "bare"])
def test_dciodvfy_finds_no_error(kind: str, tmp_path: Path) -> None:
    text, predecessors, evidence = signed(), [], EVIDENCE
    if kind == "addendum":
        added = ("addendum-1", "Addendum 1, Dr. B, 25 Nov 2026 08:00 UTC", "Small contusion.")
        text = signed(sections=[*text.sections, added], version=5, number=2)
        seed = text.seed
        predecessors = [
            sr.Reference("2.25.100", sr.series_uid(seed), sr.document_uid(seed, 4), sr.EnhancedSRStorage)
        ]
    if kind == "bare":
        evidence = []
    blank = {"patient_id": "", "patient_birth_date": "", "patient_sex": "?", "study_time": ""}
    ds = sr.build(
        header(**blank) if kind == "bare" else header(), text, evidence=evidence, predecessors=predecessors
    )
    path = tmp_path / "report.dcm"
    path.write_bytes(encoded(ds))
    assert complaints(path) == []
    again = dcmread(path)
    assert (again.CompletionFlag, again.VerificationFlag, again.PreliminaryFlag) == (
        "COMPLETE",
        "VERIFIED",
        "FINAL",
    )
    assert str(again.VerifyingObserverSequence[0].VerifyingObserverName) == "Reader^Ada^^Dr."
    assert ("PredecessorDocumentsSequence" in again) == (kind == "addendum")


def test_sections_stand_under_their_coded_headings_and_empty_ones_are_left_out() -> None:
    ds = sr.build(header(), signed(), evidence=EVIDENCE, predecessors=[])
    containers = [item for item in ds.ContentSequence if item.ValueType == "CONTAINER"]
    found = {
        item.ConceptNameCodeSequence[0].CodeValue: item.ContentSequence[0].TextValue for item in containers
    }
    assert list(found) == ["121060", "121064", "121070", "121072"]
    assert found["121070"] == "Hämorrhagie links.\r\nNo fracture."
    assert ds.ContentTemplateSequence[0].TemplateIdentifier == "2000"
    references = ds.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert len(references.ReferencedSOPSequence) == 2


def test_making_it_twice_gives_the_same_bytes() -> None:
    first, second = (
        encoded(sr.build(header(), signed(), evidence=EVIDENCE, predecessors=[])) for _ in range(2)
    )
    assert first == second
    assert sr.document_uid("seed", 1) != sr.document_uid("seed", 2)


@pytest.mark.parametrize(
    ("shown", "name"),
    [("Dr. Ada Reader", "Reader^Ada^^Dr."), ("reader", "reader"), ("A^B=C", "C^A B"), ("", "Unknown")],
)
def test_shown_names_become_person_names(shown: str, name: str) -> None:
    assert sr.person_name(shown) == name
