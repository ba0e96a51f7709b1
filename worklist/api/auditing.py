"""PHI that the API shows goes into the audit trail."""

from __future__ import annotations

from rest_framework.request import Request

from foundation.audit import services as audit
from pacs.models import Study


def list_read(request: Request, what: str, filters: frozenset[str]) -> None:
    """A list was shown; of the filters only the known names are kept, never values."""
    used = sorted(filters & set(request.query_params))
    name = f"{what} by {', '.join(used)}" if used else what
    audit.record_read(request._request, what=name, kind=audit.Kind.QUERY, detail={"filters": used})


def study_read(request: Request, study: Study, what: str) -> None:
    """Something of one study was shown."""
    audit.record_read(
        request._request,
        study_instance_uid=study.study_instance_uid,
        patient_id=study.patient.patient_id,
        what=what,
        kind=audit.Kind.PATIENT_RECORD,
    )


def study_changed(request: Request, study: Study, what: str, **detail: object) -> None:
    """Something of one study was changed by the caller."""
    audit.record(
        audit.Kind.PATIENT_RECORD,
        action="U",
        user=request.user,
        request=request._request,
        study_instance_uid=study.study_instance_uid,
        patient_id=study.patient.patient_id,
        detail={"what": what, **detail},
    )
