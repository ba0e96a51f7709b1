"""Write, seal and verify the trail."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from foundation.audit.models import AuditEvent, AuditSeal
from foundation.databases import exclusive

SEAL_LOCK = 0x46524155
GENESIS = "0" * 64
COALESCE_SECONDS = 60.0


class Kind(StrEnum):
    """Event codes of DICOM PS3.15 A.5 (DCM)."""

    APPLICATION_ACTIVITY = "110100"
    AUDIT_LOG_USED = "110101"
    INSTANCES_ACCESSED = "110103"
    INSTANCES_TRANSFERRED = "110104"
    STUDY_DELETED = "110105"
    EXPORT = "110106"
    IMPORT = "110107"
    PATIENT_RECORD = "110110"
    QUERY = "110112"
    SECURITY_ALERT = "110113"
    LOGIN = "110122"
    LOGOUT = "110123"
    NODE_AUTHENTICATION = "110126"
    EMERGENCY_OVERRIDE = "110127"
    ROLES_CHANGED = "110136"


def record(
    kind: Kind,
    *,
    action: str,
    user: Any = None,
    request: HttpRequest | None = None,
    channel: str = "",
    peer: str = "",
    outcome: int = 0,
    study_instance_uid: str = "",
    patient_id: str = "",
    detail: dict[str, Any] | None = None,
) -> AuditEvent:
    """Append one event, in the caller's transaction when there is one.

    Args:
        kind: what happened.
        action: C create, R read, U update, D delete, E execute.
        user: who; None for the system or an unknown caller.
        request: gives address and channel when they are not named.
        channel: page, api, dicomweb, dimse, websocket, command or system.
        peer: network address or AE title.
        outcome: 0, 4, 8 or 12.
        study_instance_uid, patient_id: what it was about.
        detail: further facts as JSON; codes and ids, no free patient text.
    """
    if request is not None:
        peer = peer or str(request.META.get("REMOTE_ADDR", ""))
        channel = channel or _channel(request.path)
        user = user if user is not None else getattr(request, "user", None)
    known = user is not None and getattr(user, "pk", None) is not None
    return AuditEvent.objects.create(
        at=timezone.now(),
        kind=kind.value,
        action=action,
        outcome=outcome,
        user_id=user.pk if known else None,
        username=user.get_username() if known else "",
        peer=peer[:200],
        channel=channel or "system",
        study_instance_uid=study_instance_uid,
        patient_id=patient_id,
        detail=detail or {},
    )


class _Recent:
    """Which reads this process has recorded in the last minute."""

    def __init__(self) -> None:
        self._seen: dict[tuple[Any, ...], float] = {}
        self._lock = threading.Lock()

    def first(self, key: tuple[Any, ...]) -> bool:
        now = time.monotonic()
        with self._lock:
            if len(self._seen) > 10_000:
                self._seen = {k: t for k, t in self._seen.items() if now - t < COALESCE_SECONDS}
            if now - self._seen.get(key, -COALESCE_SECONDS) < COALESCE_SECONDS:
                return False
            self._seen[key] = now
            return True


_recent = _Recent()


def record_read(
    request: HttpRequest,
    *,
    study_instance_uid: str = "",
    patient_id: str = "",
    what: str,
    kind: Kind = Kind.INSTANCES_ACCESSED,
    detail: dict[str, Any] | None = None,
) -> None:
    """Record that the request's user read PHI.

    A viewer asks for a study in hundreds of requests: the same user, address, study and `what` within
    a minute is one event, as PS3.15 A.5.3.6 reports instances accessed by study.
    """
    user = getattr(request, "user", None)
    peer = str(request.META.get("REMOTE_ADDR", ""))
    if _recent.first((getattr(user, "pk", None), peer, study_instance_uid, patient_id, what)):
        record(
            kind,
            action="R",
            request=request,
            user=user,
            study_instance_uid=study_instance_uid,
            patient_id=patient_id,
            detail={"what": what, **(detail or {})},
        )


def seal() -> int:
    """Chain all events that are not yet chained; returns how many."""
    count = 0
    with exclusive(SEAL_LOCK):
        last = AuditSeal.objects.order_by("-pk").first()
        previous = last.hash if last else GENESIS
        for event in AuditEvent.objects.filter(seal__isnull=True).order_by("pk").iterator():
            digest = _hash(previous, event)
            AuditSeal.objects.create(event=event, previous_hash=previous, hash=digest)
            previous = digest
            count += 1
    return count


@dataclass(frozen=True)
class Verdict:
    """What verification found."""

    events: int
    sealed: int
    faults: list[str]
    head: str

    @property
    def intact(self) -> bool:
        """True when nothing was changed, removed or reordered."""
        return not self.faults


def verify() -> Verdict:
    """Seal what is open, then walk the whole chain."""
    seal()
    faults: list[str] = []
    previous = GENESIS
    sealed = 0
    with transaction.atomic():
        for link in AuditSeal.objects.select_related("event").order_by("pk").iterator():
            sealed += 1
            if link.previous_hash != previous:
                faults.append(
                    f"Seal {link.pk} does not follow the one before it: a link was removed or reordered."
                )
            event = AuditEvent.objects.filter(pk=link.event_id).first()
            if event is None:
                faults.append(f"Event {link.event_id} is missing.")
            elif _hash(link.previous_hash, event) != link.hash:
                faults.append(f"Event {link.event_id} was changed after it was written.")
            previous = link.hash
        events = AuditEvent.objects.count()
    if events != sealed:
        faults.append(f"{events} events but {sealed} seals: events were removed or a seal is missing.")
    return Verdict(events=events, sealed=sealed, faults=faults, head=previous)


def _hash(previous: str, event: AuditEvent) -> str:
    canonical = json.dumps(
        [
            event.pk,
            event.at.isoformat(),
            event.kind,
            event.action,
            event.outcome,
            event.user_id,
            event.username,
            event.peer,
            event.channel,
            event.study_instance_uid,
            event.patient_id,
            event.detail,
        ],
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=True,
    )
    return hashlib.sha256(f"{previous}\n{canonical}".encode()).hexdigest()


def _channel(path: str) -> str:
    if path.startswith("/dicom-web/"):
        return "dicomweb"
    if path.startswith("/api/") or path.startswith("/fhir/"):
        return "api"
    return "page"
