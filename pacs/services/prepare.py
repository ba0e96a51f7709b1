"""From bytes as they came to a clean, synced file in `incoming/` and its header. No database here."""

from __future__ import annotations

import errno
import hashlib
from dataclasses import dataclass
from pathlib import Path

from pacs import storage
from pacs.models import QuarantinedObject
from pacs.services import part10, statuses
from pacs.services.header import Header, InvalidObject, read_header
from pacs.services.objects import IncomingInstance, Outcome, Source, StoreResult
from pacs.services.syntaxes import ACCEPTED, MEDIA_STORAGE_DIRECTORY

Reason = QuarantinedObject.Reason


@dataclass(frozen=True)
class Prepared:
    """A clean Part 10 file, synced, waiting in `incoming/` for its row.

    Attributes:
        sha256: of the data set as encoded, without file meta information.
        size: of the file, bytes.
        derived: made here from other instances (SEG, SR), not by a modality.
    """

    path: Path
    header: Header
    sha256: str
    size: int
    source: Source
    name: str = ""
    derived: bool = False


@dataclass(frozen=True)
class Rejected:
    """A synced file in `incoming/` that can only go to quarantine."""

    path: Path
    reason: Reason
    detail: str
    dimse_status: int
    sha256: str
    size: int
    source: Source
    name: str = ""
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    study_instance_uid: str = ""


def prepare(
    item: IncomingInstance, *, source: Source, derived: bool = False
) -> Prepared | Rejected | StoreResult:
    """Check one object and put it into `incoming/` as it will be stored.

    Returns:
        Prepared or Rejected for the index, or the final result when there is no room for either.
    """
    try:
        storage.ensure_room()
        return _prepare(item, source, derived)
    except storage.StorageFull as error:
        discard(item)
        return _refused(item, str(error))
    except OSError as error:
        discard(item)
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return _refused(item, "The disk is full.")
        raise


def discard(item: IncomingInstance) -> None:
    """Remove an owned file that will not be stored."""
    if item.path is not None and item.owned:
        item.path.unlink(missing_ok=True)


def _refused(item: IncomingInstance, detail: str) -> StoreResult:
    return StoreResult(
        outcome=Outcome.REFUSED,
        dimse_status=statuses.OUT_OF_RESOURCES,
        name=item.name,
        sop_class_uid=item.sop_class_uid,
        sop_instance_uid=item.sop_instance_uid,
        reason="out_of_resources",
        detail=f"{detail} Free some space; sending again will then succeed.",
    )


def _prepare(item: IncomingInstance, source: Source, derived: bool) -> Prepared | Rejected:
    if item.dataset_offset is not None and item.path is not None:
        return _read_clean(item, item.path, item.dataset_offset, source, derived)
    raw, ours = _raw_file(item)
    try:
        prepared = _clean_copy(item, raw, source, derived)
        if isinstance(prepared, Rejected):
            if ours:
                storage.sync_file(raw)
                return prepared
            return _rejected_copy(prepared, raw)
    except OSError:
        if ours:
            raw.unlink(missing_ok=True)
        raise
    if ours:
        raw.unlink()
    return prepared


def _raw_file(item: IncomingInstance) -> tuple[Path, bool]:
    """The bytes as a file, and whether that file is ours to remove."""
    if item.path is not None:
        return item.path, item.owned
    path = storage.new_incoming()
    try:
        path.write_bytes(item.data or b"")
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return path, True


def _clean_copy(item: IncomingInstance, raw: Path, source: Source, derived: bool) -> Prepared | Rejected:
    size = raw.stat().st_size
    syntax, offset = item.transfer_syntax_uid, 0
    if not item.bare_dataset:
        try:
            with raw.open("rb") as file:
                meta = part10.read_meta(file)
        except part10.NotPart10 as error:
            return _reject(item, raw, source, Reason.NOT_DICOM, str(error), statuses.CANNOT_UNDERSTAND)
        syntax, offset = meta.transfer_syntax_uid, meta.dataset_offset
        if meta.sop_class_uid == MEDIA_STORAGE_DIRECTORY:
            detail = "A DICOMDIR lists other files and is no instance itself."
            return _reject(item, raw, source, Reason.UNSUPPORTED, detail, statuses.SOP_CLASS_NOT_SUPPORTED)
    if syntax not in ACCEPTED:
        detail = f"Transfer syntax {syntax[:64]} is not taken. Send it in another one."
        return _reject(item, raw, source, Reason.UNSUPPORTED, detail, statuses.CANNOT_UNDERSTAND)
    if size <= offset:
        return _reject(item, raw, source, Reason.INVALID, "It holds no data set.", statuses.CANNOT_UNDERSTAND)
    try:
        header = read_header(raw, offset=offset, transfer_syntax_uid=syntax)
    except InvalidObject as error:
        return _reject(item, raw, source, Reason.INVALID, str(error), statuses.CANNOT_UNDERSTAND)
    mismatch = _mismatch(item, header)
    if mismatch:
        return _reject(item, raw, source, Reason.INVALID, mismatch, statuses.DATA_SET_DOES_NOT_MATCH, header)
    head = part10.header(
        sop_class_uid=header.sop_class_uid,
        sop_instance_uid=header.sop_instance_uid,
        transfer_syntax_uid=syntax,
        source_ae_title=source.label,
    )
    target = storage.new_incoming()
    try:
        with raw.open("rb") as file:
            file.seek(offset)
            sha256, written = part10.write(target, head, file)
    except OSError:
        target.unlink(missing_ok=True)
        raise
    return Prepared(target, header, sha256, written, source, item.name, derived)


def _read_clean(
    item: IncomingInstance, path: Path, offset: int, source: Source, derived: bool
) -> Prepared | Rejected:
    """A file the receiver wrote itself: already clean, hashed and synced."""
    try:
        if path.stat().st_size <= offset:
            raise InvalidObject("It holds no data set.")
        header = read_header(path, offset=offset, transfer_syntax_uid=item.transfer_syntax_uid)
    except InvalidObject as error:
        return _reject(item, path, source, Reason.INVALID, str(error), statuses.CANNOT_UNDERSTAND)
    mismatch = _mismatch(item, header)
    if mismatch:
        status = statuses.DATA_SET_DOES_NOT_MATCH
        return _reject(item, path, source, Reason.INVALID, mismatch, status, header)
    return Prepared(path, header, item.dataset_sha256, path.stat().st_size, source, item.name, derived)


def _mismatch(item: IncomingInstance, header: Header) -> str:
    """What was announced must be what the data set says (PS3.4 B.2.3)."""
    if item.sop_class_uid and item.sop_class_uid != header.sop_class_uid:
        return "The SOP Class UID announced by the sender is not the one in the data set."
    if item.sop_instance_uid and item.sop_instance_uid != header.sop_instance_uid:
        return "The SOP Instance UID announced by the sender is not the one in the data set."
    return ""


def _reject(
    item: IncomingInstance,
    path: Path,
    source: Source,
    reason: Reason,
    detail: str,
    dimse_status: int,
    header: Header | None = None,
) -> Rejected:
    return Rejected(
        path=path,
        reason=reason,
        detail=detail,
        dimse_status=dimse_status,
        sha256=_sha256(path),
        size=path.stat().st_size,
        source=source,
        name=item.name,
        sop_class_uid=item.sop_class_uid or (header.sop_class_uid if header else ""),
        sop_instance_uid=item.sop_instance_uid or (header.sop_instance_uid if header else ""),
        study_instance_uid=header.study_instance_uid if header else "",
    )


def _rejected_copy(rejected: Rejected, raw: Path) -> Rejected:
    """The same, in a file of ours, when the sender's file must be left where it is."""
    target = storage.new_incoming()
    try:
        with raw.open("rb") as file:
            part10.write(target, b"", file)
    except OSError:
        target.unlink(missing_ok=True)
        raise
    return Rejected(**{**rejected.__dict__, "path": target})


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
