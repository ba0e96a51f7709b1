"""How a report moves: people draft and sign; what is signed is only added to."""

from __future__ import annotations

from foundation.transitions import Machine
from worklist.reports.models import ReportState

DRAFT, FINAL = ReportState.DRAFT.value, ReportState.FINAL.value
ADDENDUM, CORRECTED = ReportState.ADDENDUM.value, ReportState.CORRECTED.value

REPORT = Machine(
    name="report",
    table={
        (DRAFT, "edit"): DRAFT,
        (DRAFT, "sign"): FINAL,
        (FINAL, "append"): ADDENDUM,
        (ADDENDUM, "append"): ADDENDUM,
        (CORRECTED, "append"): CORRECTED,
        (FINAL, "correct"): CORRECTED,
        (ADDENDUM, "correct"): CORRECTED,
        (CORRECTED, "correct"): CORRECTED,
    },
    version_field="version",
)
