"""Destinations: made, changed and tried by administrators; every change is audited, no secret is kept open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from foundation.accounts.models import User
from foundation.audit import services as audit
from pacs.models import LocationClass
from worklist.reports.outgoing import transports, webhook
from worklist.reports.outgoing.models import Destination, DestinationKind
from worklist.reports.outgoing.outcomes import NotSent, Refused, Unreachable
from worklist.reports.outgoing.sealing import seal

FIELDS: Final = frozenset(
    {
        "name",
        "kind",
        "active",
        "modalities",
        "location_classes",
        "host",
        "port",
        "tls",
        "ca_certificate",
        "sending_application",
        "sending_facility",
        "receiving_application",
        "receiving_facility",
        "node",
        "url",
        "content",
    }
)
SHORTEST_SECRET: Final = 16


def add(
    *,
    values: Mapping[str, Any],
    secret: str = "",
    by: User | None,
    request: HttpRequest | None = None,
    channel: str = "",
) -> Destination:
    """A new destination; it gets what is signed from now on.

    Args:
        values: some of FIELDS.
        secret: of a webhook; both sides sign and check with it.

    Raises:
        ValidationError: an address is missing or not allowed, or the name is taken.
    """
    destination = Destination(since=timezone.now(), **_known(values))
    if secret:
        destination.sealed_secret = _sealed(secret)
    _check(destination)
    with transaction.atomic():
        destination.save()
        _record(destination, "C", "report destination added", by, request, channel)
    return destination


def change(
    *,
    destination_id: int,
    values: Mapping[str, Any],
    secret: str = "",
    by: User | None,
    request: HttpRequest | None = None,
) -> Destination:
    """Change a destination; an empty secret keeps the one there is.

    Switched on again it gets what is signed from then on. A changed address is tried at once, and failures
    of the old one are forgotten.

    Raises:
        ValidationError: as `add`, or another kind.
    """
    with transaction.atomic():
        destination = Destination.objects.select_for_update().get(pk=destination_id)
        known = _known(values)
        if known.get("kind", destination.kind) != destination.kind:
            raise ValidationError("The kind of a destination stays. Add another one instead.")
        if known.get("active") and not destination.active:
            destination.since = timezone.now()
        changed = sorted(name for name, value in known.items() if getattr(destination, name) != value)
        for name, value in known.items():
            setattr(destination, name, value)
        if secret:
            destination.sealed_secret = _sealed(secret)
            changed.append("secret")
        _check(destination)
        destination.failures, destination.failing_since, destination.paused_until = 0, None, None
        destination.error = ""
        destination.save()
        _record(destination, "U", "report destination changed", by, request, "", fields=changed)
    return destination


def test(
    *, destination: Destination, by: User | None, request: HttpRequest | None = None, channel: str = ""
) -> tuple[bool, str]:
    """Whether it answers, without sending a report, and what to tell the administrator."""
    try:
        ok, told = True, transports.probe(destination)
    except NotSent as error:
        ok, told = False, str(error)
    audit.record(
        audit.Kind.NODE_AUTHENTICATION,
        action="E",
        outcome=0 if ok else 4,
        user=by,
        request=request,
        channel=channel,
        peer="" if request else transports.address_of(destination),
        detail={"what": "report destination tried", "destination": destination.name},
    )
    return ok, told


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    unknown = set(values) - FIELDS
    if unknown:
        raise ValidationError(f"A destination has no {', '.join(sorted(unknown))}.")
    return dict(values)


def _sealed(secret: str) -> str:
    if len(secret) < SHORTEST_SECRET:
        raise ValidationError(f"A secret has at least {SHORTEST_SECRET} characters.")
    return seal(secret)


def _check(destination: Destination) -> None:
    match destination.kind:
        case DestinationKind.HL7:
            if not destination.host or not destination.port:
                raise ValidationError("An HL7 destination has a host and a port.")
        case DestinationKind.DICOM:
            if destination.node is None:
                raise ValidationError("A DICOM destination is a registered node.")
        case DestinationKind.WEBHOOK:
            if not destination.url or not destination.sealed_secret:
                raise ValidationError("A webhook has an address and a secret.")
            try:
                webhook.resolve(destination.url)
            except Refused as error:
                raise ValidationError(str(error)) from None
            except Unreachable:
                pass  # a name that is not known yet; the test and the first report say so again
        case _:
            raise ValidationError("A destination is of kind hl7, dicom or fhir-webhook.")
    strange = set(destination.location_classes) - set(LocationClass.values)
    if strange:
        raise ValidationError(f"There is no location class {', '.join(sorted(strange))}.")
    destination.full_clean()


def _record(
    destination: Destination,
    action: str,
    what: str,
    by: User | None,
    request: HttpRequest | None,
    channel: str,
    **detail: Any,
) -> None:
    audit.record(
        audit.Kind.APPLICATION_ACTIVITY,
        action=action,
        user=by,
        request=request,
        channel=channel,
        detail={"what": what, "destination": destination.name, **detail},
    )
