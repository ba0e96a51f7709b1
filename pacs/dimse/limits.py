"""How much a peer may ask of the receiver. Against what, see each line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Times in seconds, sizes in bytes.

    Attributes:
        artim: from connection to a whole A-ASSOCIATE-RQ, and from our last word to the peer's close
            (PS3.8 9.1.4). Against connections that say nothing.
        idle: without a byte on an open association. Modalities pause for a reconstruction.
        pdu: from a PDU's header to its end, and for one answer to be taken. Against dripping senders.
        maximum_pdu: longest P-DATA-TF we offer to take and do take.
        maximum_request: longest A-ASSOCIATE-RQ. 128 contexts with ten syntaxes each stay below 128 KiB.
        maximum_command: longest command set of a message.
        maximum_object: longest data set of one instance.
        pending: connections that have not asked for an association; beyond, the oldest is closed.
        associations: open at once; beyond, one that idled for `evict_idle` is aborted, or the new one is
            refused for now.
        associations_per_peer: the same for one network address.
    """

    artim: float = 5.0
    idle: float = 120.0
    pdu: float = 30.0
    maximum_pdu: int = 128 * 1024
    maximum_request: int = 256 * 1024
    maximum_command: int = 16 * 1024
    maximum_object: int = 8 * 1024**3
    pending: int = 64
    associations: int = 128
    associations_per_peer: int = 64
    evict_idle: float = 5.0
