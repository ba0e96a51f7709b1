"""The one write path: whatever comes, by whatever entry, passes here.

An object is answered as stored only after its file was synced, its folder was synced, and the
transaction with its row was committed (docs/adr/0003-one-write-path.md). What happens to an object that
is here already:

- the same data set by SHA-256 and transfer syntax, or the same attributes and pixels in another
  uncompressed encoding: a duplicate, success, nothing changes;
- other content under the same SOP Instance UID: the first is kept, the other goes to quarantine. The
  sender is told 0xC111, a failure: it must not believe that the archive would give back what it sent.
  The bytes are durable all the same, and trying again adds nothing.
"""

from __future__ import annotations

import errno
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import structlog
from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connection,
    transaction,
)
from pydicom.dataset import Dataset

from foundation.databases import is_postgresql
from pacs import completeness, storage
from pacs.models import Instance, QuarantinedObject
from pacs.services import statuses
from pacs.services.datasets import encode
from pacs.services.index import Filing
from pacs.services.objects import IncomingInstance, Outcome, Source, StoreResult
from pacs.services.prepare import Prepared, Rejected, prepare

log = structlog.get_logger(__name__)

BATCH = 50
ATTEMPTS = 6
# PostgreSQL: serialization failure, deadlock, lock not available.
RETRIED_SQLSTATES = frozenset({"40001", "40P01", "55P03"})
DISK_FULL_SQLSTATE = "53100"


def store_instances(items: Iterable[IncomingInstance], *, source: Source) -> list[StoreResult]:
    """Store objects durably and index them; one result for each, in order.

    Files are checked one by one and committed in batches of 50. A batch whose transaction fails is
    refused as a whole and leaves nothing behind. Studies whose announced count is reached are completed
    at once, unless a DICOM association still brings them.

    Args:
        items: objects; owned files are moved or removed in every case.
        source: who sends.

    Returns:
        For each item: stored, duplicate, quarantined (kept, not filed) or refused (not kept).

    Raises:
        OSError: the archive's disk fails (a full disk is no error but a refusal).
    """
    results: list[StoreResult] = []
    for batch in _batches(iter(items), BATCH):
        results += _store_batch(batch, source=source, derived=False)
    if source.association is None:
        touched = {result.study_id for result in results if result.outcome == Outcome.STORED}
        if touched:
            completeness.complete_due_studies(study_ids=[pk for pk in touched if pk is not None])
    return results


def store_derived(datasets: list[Dataset], source_label: str) -> list[StoreResult]:
    """Store objects made here from a study's instances (SEG, SR): same path, but never reopens a study.

    Args:
        datasets: with file_meta.TransferSyntaxUID, or Explicit VR Little Endian is assumed.
        source_label: kept with the instances, e.g. "triage".
    """
    source = Source(label=source_label, channel="system")
    items = [IncomingInstance(data=encode(dataset)) for dataset in datasets]
    return _store_batch(items, source=source, derived=True) if items else []


def _store_batch(items: Sequence[IncomingInstance], *, source: Source, derived: bool) -> list[StoreResult]:
    checked = [prepare(item, source=source, derived=derived) for item in items]
    waiting = [item for item in checked if not isinstance(item, StoreResult)]
    filed = iter(commit(waiting))
    return [item if isinstance(item, StoreResult) else next(filed) for item in checked]


def commit(batch: Sequence[Prepared | Rejected]) -> list[StoreResult]:
    """File prepared objects, of one sender or of several, in one transaction.

    Returns:
        One result for each. When the database cannot commit: refused with 0x0110, files removed.
    """
    if not batch:
        return []
    attempt = 1
    while True:
        filing = Filing(batch)
        try:
            with transaction.atomic():
                filing.run()
            break
        except DataError as error:
            _put_back(filing)
            if len(batch) > 1:
                return [result for item in batch for result in commit([item])]
            return _unfit(batch[0], error)
        except DatabaseError as error:
            if filing.settled and _was_committed(filing):
                break
            if not filing.settled:
                _put_back(filing)
                if attempt < ATTEMPTS and (_is_race(error) or (attempt == 1 and _reconnects(error))):
                    time.sleep(random.uniform(0.005, 0.02) * attempt)
                    attempt += 1
                    continue
            return _failed(batch, error)
        except OSError as error:
            _put_back(filing)
            _discard(item.path for item in batch)
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                return [_no_room(item) for item in batch]
            raise
    for association, study_id in filing.joined:
        association.study_ids.add(study_id)
    _discard(filing.spare)
    return filing.results


def _batches(items: Iterator[IncomingInstance], size: int) -> Iterator[list[IncomingInstance]]:
    while batch := list(islice(items, size)):
        yield batch


def _put_back(filing: Filing) -> None:
    """After a rollback: files that were moved already go back to `incoming/`."""
    for source, key in filing.moves:
        target = storage.path_of_key(key)
        if target.exists():
            target.rename(source)


def _was_committed(filing: Filing) -> bool:
    """COMMIT failed and its outcome is unknown: do the rows exist?

    If the database does not answer, the sender is told of a failure and the files stay: reconciliation
    indexes them, or removes them when the object came again.
    """
    keys = [key for _, key in filing.moves]
    if not keys:
        return False
    if not connection.in_atomic_block:
        connection.close()
    try:
        if Instance.objects.filter(storage_key__in=keys).exists():
            return True
        if QuarantinedObject.objects.filter(storage_key__in=keys).exists():
            return True
    except DatabaseError:
        return False
    _put_back(filing)
    return False


def _is_race(error: DatabaseError) -> bool:
    if isinstance(error, IntegrityError):
        return True  # somebody else inserted the same study, series or instance: look again
    return getattr(error.__cause__, "sqlstate", None) in RETRIED_SQLSTATES


def _reconnects(error: DatabaseError) -> bool:
    """The server was restarted under an idle connection: a new one may work at once."""
    if connection.in_atomic_block or not is_postgresql():
        return False
    connection.close()
    return isinstance(error, OperationalError | InterfaceError)


def _failed(batch: Sequence[Prepared | Rejected], error: DatabaseError) -> list[StoreResult]:
    if not connection.in_atomic_block:
        connection.close()  # the next batch connects anew
    _discard(item.path for item in batch)
    log.error("store_not_committed", error=type(error).__name__, instances=len(batch))
    if "full" in str(error) or getattr(error.__cause__, "sqlstate", None) == DISK_FULL_SQLSTATE:
        return [_no_room(item) for item in batch]
    detail = "The database did not take it. Send it again later."
    return [_refusal(item, "database", detail, statuses.PROCESSING_FAILURE) for item in batch]


def _no_room(item: Prepared | Rejected) -> StoreResult:
    detail = "The disk is full. Free some space; sending again will then succeed."
    return _refusal(item, "out_of_resources", detail, statuses.OUT_OF_RESOURCES)


def _refusal(item: Prepared | Rejected, reason: str, detail: str, dimse_status: int) -> StoreResult:
    about = item.header if isinstance(item, Prepared) else item
    return StoreResult(
        outcome=Outcome.REFUSED,
        dimse_status=dimse_status,
        name=item.name,
        sop_class_uid=about.sop_class_uid,
        sop_instance_uid=about.sop_instance_uid,
        study_instance_uid=about.study_instance_uid,
        reason=reason,
        detail=detail,
    )


def _unfit(item: Prepared | Rejected, error: DataError) -> list[StoreResult]:
    """A value that the database cannot hold: an invalid object, not a fault of ours."""
    if isinstance(item, Rejected):
        return _failed([item], error)
    rejected = Rejected(
        path=item.path,
        reason=QuarantinedObject.Reason.INVALID,
        detail="An attribute has a value that cannot be indexed.",
        dimse_status=statuses.CANNOT_UNDERSTAND,
        sha256=item.sha256,
        size=item.size,
        source=item.source,
        name=item.name,
        sop_class_uid=item.header.sop_class_uid,
        sop_instance_uid=item.header.sop_instance_uid,
        study_instance_uid=item.header.study_instance_uid,
    )
    return commit([rejected])


def _discard(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
