"""One delivery, handed over in the way its destination takes it."""

from __future__ import annotations

import json
import time
from typing import Any

from django.conf import settings

from pacs.dimse import scu
from worklist.fhir import resources
from worklist.reports import documents
from worklist.reports.outgoing import encapsulated, mllp, oru, webhook
from worklist.reports.outgoing.models import Destination, DestinationKind, ReportDelivery, WebhookContent
from worklist.reports.outgoing.outcomes import NotNow, Refused, Unreachable
from worklist.reports.outgoing.sealing import Unreadable, unseal
from worklist.reports.outgoing.sheet import sheet_of

DIMSE_SECONDS = 30.0


def deliver(delivery: ReportDelivery) -> str:
    """Hand it over; returns what the destination said, for the delivery table.

    Raises:
        Unreachable, NotNow, Refused: see outcomes.py.
    """
    match delivery.destination.kind:
        case DestinationKind.HL7:
            return _hl7(delivery)
        case DestinationKind.DICOM:
            return _dicom(delivery)
        case _:
            return _webhook(delivery)


def payload(delivery: ReportDelivery) -> str:
    """What is sent, as text: the HL7 message, the webhook's JSON, or the names of the DICOM objects."""
    match delivery.destination.kind:
        case DestinationKind.HL7:
            return message_of(delivery).replace("\r", "\n")
        case DestinationKind.WEBHOOK:
            return json.dumps(_body(delivery), indent=2, ensure_ascii=False)
        case _:
            version = delivery.version
            return (
                f"Enhanced SR {version.sr_sop_instance_uid or 'not made yet'}\n"
                f"Encapsulated PDF {version.pdf_sop_instance_uid or 'not made yet'}"
            )


def address_of(destination: Destination) -> str:
    """Where it lies, for people and the audit trail."""
    match destination.kind:
        case DestinationKind.HL7:
            return f"{destination.host}:{destination.port}"
        case DestinationKind.DICOM:
            node = destination.node
            return f"{node.ae_title}@{node.host}:{node.port}" if node else ""
        case _:
            return destination.url


def probe(destination: Destination) -> str:
    """Try whether it answers, without sending a report; returns what to tell the administrator.

    Raises:
        Unreachable, Refused: it does not, or may not be called.
    """
    try:
        match destination.kind:
            case DestinationKind.HL7:
                mllp.connect(_peer(destination))
                return "It takes connections. Whether it takes reports shows with the first one."
            case DestinationKind.DICOM:
                assert destination.node is not None
                node = destination.node
                seconds = scu.echo(
                    node.host, node.port, called_aet=node.ae_title, calling_aet=settings.AE_TITLE
                )
                return f"It answered C-ECHO in {seconds * 1000:.0f} ms."
            case _:
                target = webhook.resolve(destination.url)
                unseal(destination.sealed_secret)
                mllp.connect(mllp.Peer(target.address, target.port))
                return "It takes connections, and the address is allowed."
    except (mllp.NoAnswer, scu.PeerError) as error:
        raise Unreachable(str(error)) from None
    except Unreadable as error:
        raise Refused(str(error)) from None


def message_of(delivery: ReportDelivery) -> str:
    """The ORU^R01 of a delivery."""
    destination = delivery.destination
    route = oru.Route(
        destination.sending_application or "FIRSTREAD",
        destination.sending_facility or settings.SITE_NAME,
        destination.receiving_application,
        destination.receiving_facility,
    )
    return oru.message(sheet_of(delivery.version), route, delivery.control_id)


def _hl7(delivery: ReportDelivery) -> str:
    try:
        answer = mllp.send(
            message_of(delivery), _peer(delivery.destination), answer_seconds=mllp.ANSWER_SECONDS
        )
    except mllp.NoAnswer as error:
        raise Unreachable(str(error)) from None
    told = f"{answer.code}: {answer.text}" if answer.text else answer.code
    if answer.control_id != delivery.control_id:
        raise NotNow("The acknowledgement is of another message.")
    if answer.code in ("AA", "CA"):
        return f"{answer.code} {answer.control_id}"
    if answer.code in ("AE", "CE"):
        raise NotNow(f"Answered {told}")
    raise Refused(f"Answered {told}")


def _peer(destination: Destination) -> mllp.Peer:
    assert destination.port is not None
    return mllp.Peer(destination.host, destination.port, destination.tls, destination.ca_certificate)


def _dicom(delivery: ReportDelivery) -> str:
    node = delivery.destination.node
    assert node is not None
    paths = []
    for stored in (documents.stored_document, encapsulated.stored_document):
        try:
            paths.append(stored(delivery.version_id))
        except documents.NotStored:
            raise NotNow("The documents are not in the archive yet.") from None
    try:
        sent = scu.send(
            paths,
            node.host,
            node.port,
            called_aet=node.ae_title,
            calling_aet=settings.AE_TITLE,
            answer_timeout=DIMSE_SECONDS,
        )
    except scu.PeerError as error:
        raise Unreachable(str(error)) from None
    if sent.failed:
        statuses = ", ".join("no answer" if status < 0 else f"{status:#06x}" for _, status in sent.failed)
        raise NotNow(f"{node.name} answered C-STORE with {statuses}.")
    return f"0x0000 for {len(sent.stored)} objects"


def _webhook(delivery: ReportDelivery) -> str:
    try:
        secret = unseal(delivery.destination.sealed_secret)
    except Unreadable as error:
        raise Refused(str(error)) from None
    body = json.dumps(_body(delivery), ensure_ascii=False).encode()
    return webhook.post(
        delivery.destination.url, body, secret=secret, delivery=delivery.control_id, at=int(time.time())
    )


def _body(delivery: ReportDelivery) -> dict[str, Any]:
    version = delivery.version
    if delivery.destination.content == WebhookContent.REFERENCE:
        return resources.notification(version, settings.PUBLIC_URL)
    return resources.diagnostic_report(version, pdf=encapsulated.pdf_of(version))
