"""What goes into the write path and what comes out of it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from foundation.accounts.models import User


class Outcome(StrEnum):
    """What became of one incoming instance."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    QUARANTINED = "quarantined"
    REFUSED = "refused"


@dataclass
class Association:
    """One open connection that brings instances: a DICOM association.

    A study that an association is still bringing is given more time before it counts as complete.

    Attributes:
        key: for the audit trail.
        study_ids: studies whose `associations_open` counts this association.
        instances: how many were stored by study, for the audit event at the end.
    """

    key: str = field(default_factory=lambda: uuid.uuid4().hex)
    study_ids: set[int] = field(default_factory=set)
    instances: dict[int, int] = field(default_factory=dict)
    quarantined: int = 0


@dataclass(frozen=True)
class Source:
    """Where instances come from.

    Attributes:
        label: calling AE title, or the entry: "stow", "upload", "import", "triage". Kept with the study.
        channel: of the audit trail: dimse, dicomweb, api, command or system.
        peer: network address.
        user: who is signed in, if anybody.
        association: set for DICOM associations only.
    """

    label: str
    channel: str
    peer: str = ""
    user: User | None = None
    association: Association | None = None


@dataclass(frozen=True)
class IncomingInstance:
    """One object as it came. Give `path` or `data`.

    Attributes:
        path: a file. With `owned` it lies in the archive's `incoming/` (storage.new_incoming) and is
            taken: moved or removed in every case. Otherwise it is copied and left alone.
        data: the bytes, when they are few.
        name: for messages to the sender, such as a file name inside a zip; never logged.
        transfer_syntax_uid: with `bare_dataset`, how the data set is encoded.
        bare_dataset: the bytes are a data set without Part 10 preamble and file meta information.
        sop_class_uid, sop_instance_uid: what the sender announced outside the data set (C-STORE, STOW);
            must agree with it where given.
        dataset_offset, dataset_sha256: set by writers that made a clean Part 10 file themselves and
            hashed the data set on the way; the file is then used as it is.
    """

    path: Path | None = None
    data: bytes | None = None
    owned: bool = True
    name: str = ""
    transfer_syntax_uid: str = ""
    bare_dataset: bool = False
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    dataset_offset: int | None = None
    dataset_sha256: str = ""


@dataclass(frozen=True)
class StoreResult:
    """What became of one object.

    Attributes:
        reason: "" when stored, else a QuarantinedObject.Reason, "out_of_resources" or "database".
        detail: a sentence for the sender; no patient text.
        dimse_status: what C-STORE answers (PS3.4 B.2.3); 0x0000 only for stored and duplicate.
    """

    outcome: Outcome
    dimse_status: int
    name: str = ""
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    series_instance_uid: str = ""
    study_instance_uid: str = ""
    study_id: int | None = None
    reason: str = ""
    detail: str = ""
