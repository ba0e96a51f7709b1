"""Files and rows that do not match, after a crash or a fault of the disk.

A receiver that is killed between a file's rename and the commit leaves a file without a row: it is filed
now, or removed when the object came again meanwhile. A row without its file is a loss that no program
can repair: it is told loudly. What a killed writer left in `incoming/` is removed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import structlog
from django.utils import timezone

from foundation.audit import services as audit
from pacs import storage
from pacs.models import Instance, QuarantinedObject
from pacs.services.objects import IncomingInstance, Outcome, Source
from pacs.services.store import store_instances

log = structlog.get_logger(__name__)

# Younger files belong to a writer that is still at work.
ABANDONED_SECONDS = 3600.0
UNCOMMITTED_SECONDS = 120.0
RECENT = timedelta(days=2)

_told: set[str] = set()


@dataclass
class Reconciliation:
    """What was found and done, by storage key or file name."""

    indexed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def reconcile_archive(*, everything: bool = False, grace_seconds: float | None = None) -> Reconciliation:
    """Compare the archive's files with their rows and repair what can be repaired.

    Args:
        everything: the whole archive instead of the last two days.
        grace_seconds: how old a file must be; for a receiver-less moment and for tests.
    """
    found = Reconciliation()
    abandoned = ABANDONED_SECONDS if grace_seconds is None else grace_seconds
    uncommitted = UNCOMMITTED_SECONDS if grace_seconds is None else grace_seconds
    for path in _older_than(storage.root() / storage.INCOMING, abandoned):
        path.unlink(missing_ok=True)
        found.removed.append(path.name)
    for folder in _days(storage.OBJECTS, everything):
        _file_objects(folder, uncommitted, found)
    for folder in _days(storage.QUARANTINE, everything):
        _remove_unknown_quarantine(folder, uncommitted, found)
    _tell_missing(everything, found)
    if found.indexed or found.removed:
        log.warning("archive_reconciled", indexed=len(found.indexed), removed=len(found.removed))
    return found


def _file_objects(folder: Path, age: float, found: Reconciliation) -> None:
    by_key = {str(path.relative_to(storage.root())): path for path in _older_than(folder, age)}
    known = set(Instance.objects.filter(storage_key__in=by_key).values_list("storage_key", flat=True))
    for key, path in by_key.items():
        if key in known or not storage.KEY.fullmatch(key):
            continue
        source = Source(label="reconcile", channel="system")
        (result,) = store_instances([IncomingInstance(path=path, owned=False)], source=source)
        if result.outcome == Outcome.REFUSED:
            continue  # no room or no database: the next run will do it
        path.unlink(missing_ok=True)
        (found.indexed if result.outcome == Outcome.STORED else found.removed).append(key)


def _remove_unknown_quarantine(folder: Path, age: float, found: Reconciliation) -> None:
    by_key = {str(path.relative_to(storage.root())): path for path in _older_than(folder, age)}
    known = set(
        QuarantinedObject.objects.filter(storage_key__in=by_key).values_list("storage_key", flat=True)
    )
    for key, path in by_key.items():
        if key not in known:
            # Its sender was never told that it is kept.
            path.unlink(missing_ok=True)
            found.removed.append(key)


def _tell_missing(everything: bool, found: Reconciliation) -> None:
    rows = Instance.objects.select_related("series__study").only(
        "storage_key", "stored_at", "series__study__study_instance_uid"
    )
    if not everything:
        rows = rows.filter(stored_at__gte=timezone.now() - RECENT)
    for instance in rows.iterator(chunk_size=2000):
        if storage.path_of(instance).is_file():
            continue
        found.missing.append(instance.storage_key)
        log.error("instance_file_missing", instance_id=instance.pk, storage_key=instance.storage_key)
        if instance.storage_key not in _told:
            _told.add(instance.storage_key)
            audit.record(
                audit.Kind.SECURITY_ALERT,
                action="R",
                outcome=12,
                channel="system",
                study_instance_uid=instance.series.study.study_instance_uid,
                detail={"what": "file of an instance is missing", "instance": instance.pk},
            )


def _days(kind: str, everything: bool) -> Iterator[Path]:
    top = storage.root() / kind
    if not top.is_dir():
        return
    oldest = f"{timezone.now() - RECENT:%Y%m%d}"
    for day in sorted(top.iterdir()):
        if everything or day.name >= oldest:
            yield from sorted(path for path in day.iterdir() if path.is_dir())


def _older_than(folder: Path, seconds: float) -> Iterator[Path]:
    if not folder.is_dir():
        return
    limit = time.time() - seconds
    for path in sorted(folder.iterdir()):
        try:
            if path.is_file() and path.stat().st_mtime <= limit:
                yield path
        except FileNotFoundError:
            continue  # its writer moved it meanwhile
