"""How a report moves: people draft and sign; what is signed is only added to, and nothing is ever unsigned."""

from __future__ import annotations

from foundation.transitions import Machine
from worklist.reports.models import FINAL_REPORT_STATES, ReportState

DRAFT, PRELIMINARY, FINAL = (
    ReportState.DRAFT.value,
    ReportState.PRELIMINARY.value,
    ReportState.FINAL.value,
)
ADDENDUM, CORRECTED, AMENDED = (
    ReportState.ADDENDUM.value,
    ReportState.CORRECTED.value,
    ReportState.AMENDED.value,
)

REPORT = Machine(
    name="report",
    table={
        (DRAFT, "edit"): DRAFT,
        (DRAFT, "sign preliminary"): PRELIMINARY,
        (DRAFT, "sign"): FINAL,
        (PRELIMINARY, "edit"): PRELIMINARY,
        (PRELIMINARY, "sign preliminary"): PRELIMINARY,
        (PRELIMINARY, "sign"): FINAL,
        (FINAL, "append"): ADDENDUM,
        (ADDENDUM, "append"): ADDENDUM,
        (CORRECTED, "append"): CORRECTED,
        (AMENDED, "append"): AMENDED,
        **{(state.value, "correct"): CORRECTED for state in FINAL_REPORT_STATES},
        **{(state.value, "amend"): AMENDED for state in FINAL_REPORT_STATES},
    },
    version_field="version",
)
