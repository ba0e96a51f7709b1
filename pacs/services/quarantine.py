"""Objects that came and could not be filed: kept, shown to an administrator, released or discarded."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import structlog
from django.db import transaction
from django.utils import timezone

from foundation.accounts.models import User
from foundation.audit import services as audit
from pacs import storage
from pacs.models import QuarantinedObject
from pacs.services import statuses
from pacs.services.objects import IncomingInstance, Outcome, Source, StoreResult

if TYPE_CHECKING:
    from pacs.services.prepare import Rejected

log = structlog.get_logger(__name__)

NOTHING_TO_DECIDE = "This object was decided on already. Load the list again."


def keep(item: Rejected, now: datetime) -> str | None:
    """Record a rejected object; returns the key its file shall get, or None when it is kept already.

    The same bytes rejected for the same reason are one row: a sender that tries again and again fills
    neither the disk nor the list. Bytes that were discarded and come again are open again.
    """
    known = QuarantinedObject.objects.filter(reason=item.reason, sha256=item.sha256).first()
    if known is not None and known.resolved_at is None and storage.path_of(known).is_file():
        return None
    key = storage.new_key(storage.QUARANTINE, now)
    values = {
        "detail": item.detail[:500],
        "sop_instance_uid": item.sop_instance_uid[:64],
        "study_instance_uid": item.study_instance_uid[:64],
        "storage_key": key,
        "size": item.size,
        "source": item.source.label[:80],
        "received_at": now,
        "resolved_at": None,
        "resolution": "",
    }
    QuarantinedObject.objects.update_or_create(reason=item.reason, sha256=item.sha256, defaults=values)
    audit.record(
        audit.Kind.SECURITY_ALERT,
        action="C",
        outcome=4,
        user=item.source.user,
        channel=item.source.channel,
        peer=item.source.peer or item.source.label,
        study_instance_uid=item.study_instance_uid[:64],
        detail={"what": "quarantined", "reason": str(item.reason.value), "source": item.source.label},
    )
    log.warning("object_quarantined", reason=str(item.reason.value), source=item.source.label)
    return key


def release(*, quarantined: QuarantinedObject, user: User) -> StoreResult:
    """Try to file a quarantined object again, after whatever stood in its way was put right.

    It goes through the one write path like any other object. If it is rejected again, the row stays
    open with the newer reason.
    """
    from pacs.services.store import store_instances

    if quarantined.resolved_at is not None:
        return _refused(NOTHING_TO_DECIDE)
    path = storage.path_of(quarantined)
    if not path.is_file():
        return _refused("Its file is gone. Discard the row.")
    source = Source(label=quarantined.source, channel="page", user=user)
    (result,) = store_instances([IncomingInstance(path=path, owned=False)], source=source)
    if result.outcome in {Outcome.STORED, Outcome.DUPLICATE}:
        _resolve(quarantined, user, f"released: {result.outcome}")
    elif result.outcome == Outcome.QUARANTINED and result.reason != quarantined.reason:
        _resolve(quarantined, user, f"released: rejected again as {result.reason}")
    return result


def discard(*, quarantined: QuarantinedObject, user: User) -> bool:
    """Remove a quarantined object's bytes for good; the row stays. False when decided on already."""
    if quarantined.resolved_at is not None:
        return False
    return _resolve(quarantined, user, "discarded")


def _resolve(quarantined: QuarantinedObject, user: User, resolution: str) -> bool:
    path = storage.path_of(quarantined)
    with transaction.atomic():
        changed = QuarantinedObject.objects.filter(pk=quarantined.pk, resolved_at__isnull=True).update(
            resolved_at=timezone.now(), resolution=f"{resolution}, by {user.username}"[:200]
        )
        if not changed:
            return False
        audit.record(
            audit.Kind.APPLICATION_ACTIVITY,
            action="D" if resolution == "discarded" else "U",
            user=user,
            channel="page",
            study_instance_uid=quarantined.study_instance_uid,
            detail={"what": "quarantine", "id": quarantined.pk, "resolution": resolution},
        )
        transaction.on_commit(lambda: path.unlink(missing_ok=True))
    return True


def _refused(detail: str) -> StoreResult:
    return StoreResult(
        outcome=Outcome.REFUSED,
        dimse_status=statuses.PROCESSING_FAILURE,
        reason="quarantine",
        detail=detail,
    )
