"""What a version is called in the standards that leave the house, after what was signed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from worklist.reports.models import ReportEntry


@dataclass(frozen=True)
class Status:
    """One state in the words of each standard.

    Attributes:
        fhir: DiagnosticReport.status.
        hl7: OBR-25 (table 0123) and OBX-11 (table 0085).
        words: for people.
    """

    fhir: str
    hl7: str
    words: str


_BY_ACTION: Final = {
    ReportEntry.Action.PRELIMINARY.value: Status("preliminary", "P", "Preliminary report"),
    ReportEntry.Action.SIGNED.value: Status("final", "F", "Final report"),
    ReportEntry.Action.COSIGNED.value: Status("final", "F", "Final report"),
    ReportEntry.Action.ADDENDUM.value: Status("appended", "C", "Final report with addendum"),
    ReportEntry.Action.CORRECTED.value: Status("corrected", "C", "Corrected report"),
    ReportEntry.Action.AMENDED.value: Status("amended", "C", "Amended report"),
}


def status_of(action: str) -> Status:
    """The state that a signature brought; raises KeyError for what is no signature."""
    return _BY_ACTION[action]
