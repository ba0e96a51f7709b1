"""What workers do for reports."""

from __future__ import annotations

import structlog
from django.db import DatabaseError

from foundation.queueing import enqueue, task
from worklist.reports import documents
from worklist.reports.outgoing import encapsulated, sending

log = structlog.get_logger(__name__)


@task(name="reports.store_documents", time_limit=120)
def store_documents(report_id: int) -> None:
    """Put the missing DICOM SR and PDF of one signed report into the archive; the sweep repeats what fails."""
    try:
        documents.store_documents_of(report_id)
        encapsulated.store_of_report(report_id)
    except (documents.NotStored, OSError, DatabaseError) as error:
        log.warning("report_document_not_stored", report=report_id, error=type(error).__name__)


# Shorter than a delivery's lease: whoever outlived it is killed before somebody else takes over.
@task(name="reports.send", time_limit=150)
def send(delivery_id: int) -> None:
    """Send one delivery, if nobody else does, and wake the next for the same destination."""
    following = sending.send(delivery_id=delivery_id)
    if following is not None:
        enqueue(send, following)
