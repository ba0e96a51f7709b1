"""Sending: C-ECHO and C-STORE as SCU."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, build_context, evt
from pynetdicom.association import Association
from pynetdicom.pdu import A_ASSOCIATE_RJ
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from pacs.services.statuses import SUCCESS

CONNECT_TIMEOUT = 5.0
ANSWER_TIMEOUT = 60.0


class PeerError(Exception):
    """The peer could not be reached or refused; the message says which, without patient text."""


@dataclass
class Sent:
    """What a peer answered.

    Attributes:
        stored: SOP Instance UIDs answered with 0x0000 or a warning (0xBxxx).
        failed: (SOP Instance UID, status) of the others; status -1 when no answer came.
        seconds: from the request for an association to its release.
    """

    stored: list[str] = field(default_factory=list)
    failed: list[tuple[str, int]] = field(default_factory=list)
    seconds: float = 0.0


def echo(
    host: str, port: int, *, called_aet: str, calling_aet: str, timeout: float = CONNECT_TIMEOUT
) -> float:
    """C-ECHO; returns the seconds it took.

    Raises:
        PeerError: no connection, no association, or another answer than success.
    """
    began = time.monotonic()
    entity = _entity(calling_aet, timeout)
    entity.add_requested_context(Verification)
    association = _associate(entity, host, port, called_aet)
    try:
        answer = association.send_c_echo()
    finally:
        association.release()
    status = getattr(answer, "Status", -1)
    if status != SUCCESS:
        raise PeerError(f"{called_aet} at {host}:{port} answered C-ECHO with status {status:#06x}.")
    return time.monotonic() - began


def send(
    instances: Iterable[Path | Dataset],
    host: str,
    port: int,
    *,
    called_aet: str,
    calling_aet: str,
    pause_seconds: float = 0.0,
    on_answer: Callable[[str, int], None] | None = None,
    answer_timeout: float = ANSWER_TIMEOUT,
) -> Sent:
    """C-STORE of files or data sets over one association.

    Each is sent in its own transfer syntax; no pixel is re-encoded.

    Args:
        pause_seconds: between two instances, to look like a modality.
        on_answer: called with SOP Instance UID and status after each.
        answer_timeout: seconds to wait for each answer; pynetdicom may wait them out when a peer dies.

    Raises:
        PeerError: no connection, no association, or nothing of it is taken.
        ValueError: more than 128 pairs of SOP class and transfer syntax.
    """
    loaded: Sequence[Path | Dataset] = list(instances)
    result = Sent()
    if not loaded:
        return result
    entity = _entity(calling_aet, CONNECT_TIMEOUT)
    entity.dimse_timeout = answer_timeout
    entity.requested_contexts = [
        build_context(sop_class, syntax) for sop_class, syntax in sorted({_context(item) for item in loaded})
    ]
    began = time.monotonic()
    association = _associate(entity, host, port, called_aet)
    try:
        for number, item in enumerate(loaded):
            if number and pause_seconds:
                time.sleep(pause_seconds)
            _send_one(association, item, result, on_answer)
    finally:
        if association.is_established:
            association.release()
    result.seconds = time.monotonic() - began
    return result


def _send_one(
    association: Association,
    item: Path | Dataset,
    result: Sent,
    on_answer: Callable[[str, int], None] | None,
) -> None:
    dataset = dcmread(item) if isinstance(item, Path) else item
    uid = str(dataset.SOPInstanceUID)
    try:
        status = getattr(association.send_c_store(dataset), "Status", -1)
    except (ValueError, RuntimeError):
        # The context was not accepted, or the association is gone.
        status = -1
    if status == SUCCESS or status & 0xF000 == 0xB000:
        result.stored.append(uid)
    else:
        result.failed.append((uid, status))
    if on_answer is not None:
        on_answer(uid, status)


def _context(item: Path | Dataset) -> tuple[UID, UID]:
    dataset = dcmread(item, specific_tags=["SOPClassUID"]) if isinstance(item, Path) else item
    meta = getattr(dataset, "file_meta", None)
    syntax = getattr(meta, "TransferSyntaxUID", None)
    if syntax is None:
        syntax = ImplicitVRLittleEndian if dataset.original_encoding[0] else ExplicitVRLittleEndian
    return dataset.SOPClassUID, syntax


def _entity(calling_aet: str, timeout: float) -> AE:
    entity = AE(ae_title=calling_aet)
    entity.connection_timeout = timeout
    entity.acse_timeout = timeout
    entity.dimse_timeout = timeout
    entity.network_timeout = ANSWER_TIMEOUT
    entity.maximum_pdu_size = 128 * 1024
    return entity


def _associate(entity: AE, host: str, port: int, called_aet: str) -> Association:
    rejections: list[A_ASSOCIATE_RJ] = []

    def note(event: evt.Event) -> None:
        if isinstance(event.pdu, A_ASSOCIATE_RJ):
            rejections.append(event.pdu)

    association = entity.associate(host, port, ae_title=called_aet, evt_handlers=[(evt.EVT_PDU_RECV, note)])
    if association.is_established:
        return association
    # pynetdicom takes a peer that refuses and closes at once for one that was never reached.
    if association.is_rejected or rejections:
        raise PeerError(
            f"{called_aet} at {host}:{port} refused the association. Check the AE titles on both sides."
        )
    if association.rejected_contexts:
        raise PeerError(
            f"{called_aet} at {host}:{port} takes none of these SOP classes in these transfer syntaxes from "
            f"{entity.ae_title}. Check there what this node may send."
        )
    raise PeerError(f"{called_aet} at {host}:{port} does not answer. Check host, port and that it runs.")
