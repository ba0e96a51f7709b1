"""What workers do for reports."""

from __future__ import annotations

import structlog
from django.db import DatabaseError

from foundation.queueing import task
from worklist.reports import documents

log = structlog.get_logger(__name__)


@task(name="reports.store_documents", time_limit=120)
def store_documents(report_id: int) -> None:
    """Put the missing DICOM SR of one signed report into the archive; the sweep repeats what fails."""
    try:
        documents.store_documents_of(report_id)
    except (documents.NotStored, OSError, DatabaseError) as error:
        log.warning("report_document_not_stored", report=report_id, error=type(error).__name__)
