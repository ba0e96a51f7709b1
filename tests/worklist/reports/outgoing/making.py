"""Plain sheets for tests of what is made of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from worklist.reports.outgoing.sheet import OrderFacts, ReportSheet, Signature
from worklist.reports.outgoing.status import status_of

AT = datetime(2026, 11, 24, 13, 32, 5, tzinfo=UTC)
ADA = Signature(1, "signed", "Dr. Ada Reader", "reader", AT)


def make_sheet(**values: Any) -> ReportSheet:
    """A signed head CT from the ER."""
    sheet = ReportSheet(
        report_id=7,
        key="7.3",
        status=status_of("signed"),
        patient_id="SYN-1",
        issuer_of_patient_id="TEST",
        patient_name="Müller^Jürgen^^Dr.^Jr.",
        patient_birth_date="19550315",
        patient_sex="M",
        patient_age="071Y",
        study_instance_uid="1.2.3.4",
        study_date="20261124",
        study_time="101500.000",
        study_description="SYNTHETIC Head w/o",
        accession_number="ACC-1",
        modalities=("CT",),
        institution="Synthetic Hospital",
        referring_physician="Haus^Arzt^^Dr.",
        order=OrderFacts("er", "ER bed 4", "Emergency", "Fall, headache", "CT head w/o contrast"),
        sections=(
            ("history", "History", "Fall, headache."),
            ("technique", "Technique", "Axial CT, 30 slices."),
            ("findings", "Findings", "Intraparenchymal hemorrhage, left, 31 mL.\nNo fracture."),
            ("impression", "Impression", "Acute hemorrhage, left."),
        ),
        conclusions=(
            {
                "code": "1386000",
                "scheme": "SCT",
                "meaning": "Intracranial hemorrhage",
                "value": "present",
            },
        ),
        signatures=(ADA,),
        ai_models=(("ich_demo", "1.0"),),
    )
    return replace(sheet, **values)


def corrected(sheet: ReportSheet) -> ReportSheet:
    """The same after an addendum and a correction."""
    later = (
        Signature(2, "addendum", "Dr. Ada Reader", "reader", AT + timedelta(hours=1)),
        Signature(3, "corrected", "Dr. Bert Chief", "chief", AT + timedelta(hours=2)),
    )
    added = (
        (
            "addendum-1",
            "Addendum 1, Dr. Ada Reader, 24 Nov 2026 14:32 UTC",
            "Fracture of the left temporal bone.",
        ),
        ("addendum-2", "Addendum 2, Dr. Bert Chief, 24 Nov 2026 15:32 UTC", "No hemorrhage: calcification."),
    )
    return replace(
        sheet,
        key="7.5",
        status=status_of("corrected"),
        sections=(*sheet.sections, *added),
        signatures=(*sheet.signatures, *later),
    )
