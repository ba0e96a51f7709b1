"""One association, from connection to close, in one thread.

Verification and Storage as SCP (PS3.4 A and B). The command comes first, the data set follows in
fragments that go to a file as they come, and the answer is sent after the commit that holds the object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from django.conf import settings
from django.db import DatabaseError, connection

from pacs.dimse import messages, negotiation
from pacs.dimse.incoming import IncomingFile
from pacs.dimse.messages import Command
from pacs.dimse.negotiation import Context
from pacs.dimse.wire import HEADER, ConnectionLost, Pdu, ProtocolViolation, Wire
from pacs.services import (
    Association,
    IncomingInstance,
    Outcome,
    Source,
    StoreResult,
    close_association,
    statuses,
)
from pacs.services.prepare import prepare

if TYPE_CHECKING:
    from pacs.dimse.server import Receiver

log = structlog.get_logger(__name__)

RELEASE_RP = HEADER.pack(Pdu.RELEASE_RP, 4) + b"\0" * 4


class Acceptor:
    """The accepting side of one connection."""

    def __init__(self, receiver: Receiver, wire: Wire, peer: str) -> None:
        self.wire = wire
        self.peer = peer
        self.established = False
        self.busy = False
        self.ending = False
        self._receiver = receiver
        self._limits = receiver.limits
        self._contexts: dict[int, Context] = {}
        self._source = Source(label="", channel="dimse", peer=peer)
        self._message: _Message | None = None

    def run(self) -> None:
        """Serve until the peer is done, breaks a rule, or the receiver stops."""
        try:
            if self._establish():
                self._serve()
        except ConnectionLost as error:
            log.debug("association_lost", peer=self.peer, why=str(error))
        except ProtocolViolation as error:
            log.warning("association_aborted", peer=self.peer, why=str(error))
            self.wire.abort(source=2, reason=error.reason)
        finally:
            if self._message is not None and self._message.file is not None:
                self._message.file.drop()
            self.wire.close()
            if self.established:
                self._closed()

    def _establish(self) -> bool:
        kind, length = self.wire.read_header(timeout=self._limits.artim)
        if kind == Pdu.ABORT:
            return False
        if kind != Pdu.ASSOCIATE_RQ:
            raise ProtocolViolation("The first PDU is no A-ASSOCIATE-RQ.", reason=2)
        if length > self._limits.maximum_request:
            raise ProtocolViolation(f"An A-ASSOCIATE-RQ of {length} bytes is too long.")
        body = bytes(self.wire.read_body(length, timeout=self._limits.artim))
        request = negotiation.decode_request(body)
        rejection = self._objection(request)
        if rejection is not None:
            log.warning("association_rejected", peer=self.peer, reason=rejection.reason)
            self.wire.send(rejection.encode())
            self.wire.finish(timeout=1.0)
            return False
        title = request.calling_ae_title[:16]
        reply, self._contexts = negotiation.answer(
            request,
            maximum_pdu=self._limits.maximum_pdu,
            may_store=self._receiver.peers.may_store(title),
        )
        self._source = Source(label=title, channel="dimse", peer=self.peer, association=Association())
        self.established = True
        self.wire.send(reply)
        return True

    def _objection(self, request: negotiation.Request) -> negotiation.Rejection | None:
        if not request.protocol_version & 1:
            return negotiation.PROTOCOL_VERSION_NOT_SUPPORTED
        if request.application_context != negotiation.APPLICATION_CONTEXT:
            return negotiation.APPLICATION_CONTEXT_NOT_SUPPORTED
        if request.called_ae_title != settings.AE_TITLE:
            return negotiation.CALLED_AE_NOT_RECOGNISED
        if not self._receiver.has_room_for(self):
            return negotiation.LOCAL_LIMIT_EXCEEDED
        return None

    def _serve(self) -> None:
        while not self.ending:
            self.busy = self._message is not None
            timeout = self._limits.pdu if self.busy else self._limits.idle
            kind, length = self.wire.read_header(timeout=timeout)
            if kind == Pdu.DATA:
                for context_id, is_command, is_last, fragment in self.wire.read_values(length):
                    self._take(context_id, is_command, is_last, fragment)
                continue
            if length > 64:
                raise ProtocolViolation("A PDU without data is too long.")
            self.wire.read_body(length)
            if kind == Pdu.ABORT:
                return
            if kind != Pdu.RELEASE_RQ:
                raise ProtocolViolation("This PDU is not expected on an open association.", reason=2)
            self.wire.send(RELEASE_RP)
            self._closed()
            self.wire.finish(timeout=self._limits.artim)
            return
        self.wire.abort(source=2, reason=0)

    def _take(self, context_id: int, is_command: bool, is_last: bool, fragment: memoryview) -> None:
        context = self._contexts.get(context_id)
        if context is None:
            raise ProtocolViolation("A message uses a presentation context that was not agreed on.")
        if self._message is None:
            self.busy = True
            self._message = _Message(context)
        message = self._message
        if message.context is not context:
            raise ProtocolViolation("A message changes its presentation context.")
        if is_command:
            if message.command is not None:
                raise ProtocolViolation("A command follows its own end.")
            message.command_bytes += fragment
            if len(message.command_bytes) > self._limits.maximum_command:
                raise ProtocolViolation("A command set is too long.")
            if is_last:
                self._command_complete(message)
            return
        if message.command is None:
            raise ProtocolViolation("A data set comes before its command.")
        if message.file is not None:
            message.file.write(fragment)
        if is_last:
            self._message_complete(message, message.command)

    def _command_complete(self, message: _Message) -> None:
        command = message.command = messages.decode(bytes(message.command_bytes))
        if command.field == messages.C_STORE_RQ and command.has_data_set:
            message.file = IncomingFile(
                command,
                message.context,
                calling_ae_title=self._source.label,
                maximum=self._limits.maximum_object,
            )
        if not command.has_data_set:
            self._message_complete(message, command)

    def _message_complete(self, message: _Message, command: Command) -> None:
        status, comment = statuses.SUCCESS, ""
        if command.field == messages.C_CANCEL_RQ:
            self._message = None
            return
        if command.field & messages.RESPONSE:
            raise ProtocolViolation("A response came to no request.")
        if command.field == messages.C_STORE_RQ:
            status, comment = self._store(message)
        elif command.field != messages.C_ECHO_RQ:
            status, comment = messages.UNRECOGNIZED_OPERATION, "Only C-ECHO and C-STORE are served here"
        self._message = None
        self.wire.send(messages.response(command, message.context.context_id, status, comment))

    def _store(self, message: _Message) -> tuple[int, str]:
        if message.file is None:
            return statuses.CANNOT_UNDERSTAND, "C-STORE came without a data set"
        item = message.file.finish()
        if item is None:
            return message.file.status, message.file.comment
        message.file = None
        try:
            result = self._file(item)
        except OSError as error:
            log.error("disk_failed", error=type(error).__name__, errno=error.errno)
            return statuses.PROCESSING_FAILURE, "The archive's disk failed"
        association = self._source.association
        if association is not None and result.outcome == Outcome.STORED and result.study_id is not None:
            association.instances[result.study_id] = association.instances.get(result.study_id, 0) + 1
        return result.dimse_status, "" if result.dimse_status == statuses.SUCCESS else result.detail

    def _file(self, item: IncomingInstance) -> StoreResult:
        """Check it here, commit it together with what other associations bring at the same moment."""
        checked = prepare(item, source=self._source)
        if isinstance(checked, StoreResult):
            return checked
        return self._receiver.group.submit(checked).result()

    def _closed(self) -> None:
        """Its studies may be complete now. When the database is away, their timers will tell."""
        self.established = False
        try:
            close_association(source=self._source)
        except DatabaseError as error:
            log.warning("association_not_closed_in_database", error=type(error).__name__)
        finally:
            if not connection.in_atomic_block:
                connection.close()


class _Message:
    """A DIMSE message that is coming in."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.command_bytes = bytearray()
        self.command: Command | None = None
        self.file: IncomingFile | None = None
