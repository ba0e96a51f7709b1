"""One C-STORE data set on its way from the network to a file, with bounded memory."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from typing import Final

from pacs import storage
from pacs.dimse.messages import Command
from pacs.dimse.negotiation import Context
from pacs.services import part10, statuses
from pacs.services.header import VALID_UID
from pacs.services.objects import IncomingInstance

CHECK_ROOM_EVERY: Final = 64 * 1024 * 1024  # bytes
BUFFER: Final = 512 * 1024  # bytes


class IncomingFile:
    """Writes a clean Part 10 file while its data set arrives, and hashes it.

    Once something is wrong, the rest of the data set is read and dropped: DIMSE has no way to stop a
    sender between a request and its response.

    Attributes:
        status: what C-STORE will answer if it is not 0x0000 already, and
        comment: why.
    """

    def __init__(self, command: Command, context: Context, *, calling_ae_title: str, maximum: int) -> None:
        self.status: int = statuses.SUCCESS
        self.comment = ""
        self._command = command
        self._context = context
        self._maximum = maximum
        self._digest = hashlib.sha256()
        self._size = 0
        self._checked_at = 0
        self._path = storage.new_incoming()
        self._file = None
        if command.sop_class_uid != context.abstract_syntax:
            self._refuse(statuses.SOP_CLASS_NOT_SUPPORTED, "Another SOP class was agreed on for this context")
            return
        if len(command.sop_instance_uid) > 64 or not VALID_UID.fullmatch(command.sop_instance_uid):
            self._refuse(statuses.DATA_SET_DOES_NOT_MATCH, "Affected SOP Instance UID is no valid UID")
            return
        head = part10.header(
            sop_class_uid=command.sop_class_uid,
            sop_instance_uid=command.sop_instance_uid,
            transfer_syntax_uid=context.transfer_syntax,
            source_ae_title=calling_ae_title,
        )
        self._offset = len(head)
        try:
            storage.ensure_room()
            self._file = self._path.open("xb", buffering=BUFFER)
            self._file.write(head)
        except (OSError, storage.StorageFull) as error:
            self._fail(error)

    def write(self, fragment: memoryview) -> None:
        """Take the next fragment."""
        if self._file is None:
            return
        self._size += len(fragment)
        if self._size > self._maximum:
            self._refuse(statuses.OUT_OF_RESOURCES, "The object is larger than this archive takes")
            return
        try:
            if self._size - self._checked_at > CHECK_ROOM_EVERY:
                self._checked_at = self._size
                storage.ensure_room()
            self._file.write(fragment)
        except (OSError, storage.StorageFull) as error:
            self._fail(error)
            return
        self._digest.update(fragment)

    def finish(self) -> IncomingInstance | None:
        """Sync the file; the object for the write path, or None with `status` set."""
        if self._file is None:
            return None
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        except OSError as error:
            self._fail(error)
            return None
        return IncomingInstance(
            path=self._path,
            transfer_syntax_uid=self._context.transfer_syntax,
            sop_class_uid=self._command.sop_class_uid,
            sop_instance_uid=self._command.sop_instance_uid,
            dataset_offset=self._offset,
            dataset_sha256=self._digest.hexdigest(),
        )

    def drop(self) -> None:
        """The association ended in the middle: nothing of it remains."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # a full disk may fail the last flush
                self._file.close()
            self._file = None
        self._path.unlink(missing_ok=True)

    def _fail(self, error: OSError | storage.StorageFull) -> None:
        if isinstance(error, storage.StorageFull) or error.errno in {errno.ENOSPC, errno.EDQUOT}:
            self._refuse(statuses.OUT_OF_RESOURCES, "The archive's disk is full")
        else:
            self._refuse(statuses.PROCESSING_FAILURE, "The archive's disk failed")

    def _refuse(self, status: int, comment: str) -> None:
        self.status, self.comment = status, comment
        self.drop()
