"""MLLP against a peer on a real socket: every answer counts for what it is, and every silence ends."""

from __future__ import annotations

import socket
import time

import pytest

from tests.worklist.reports.outgoing import mllp_peer
from tests.worklist.reports.outgoing.making import make_sheet
from tests.worklist.reports.outgoing.mllp_peer import Behaviour, MllpPeer
from worklist.reports.outgoing import mllp, oru

ROUTE = oru.Route("FIRSTREAD", "SITE", "RIS", "HOSPITAL")
MESSAGE = oru.message(make_sheet(), ROUTE, "CTRL1")


def send(peer: MllpPeer, seconds: float = 1.0) -> mllp.Acknowledgement:
    return mllp.send(MESSAGE, mllp.Peer("127.0.0.1", peer.port), answer_seconds=seconds)


@pytest.mark.parametrize("code", ["AA", "AE", "AR", "CA"])
def test_an_acknowledgement_is_read_with_its_words(code: str) -> None:
    with MllpPeer(mllp_peer.answers(code, "Unknown patient")) as peer:
        assert send(peer) == mllp.Acknowledgement(code, "CTRL1", "Unknown patient")
    assert peer.received == [MESSAGE]


def test_an_answer_in_crumbs_after_garbage_is_put_together() -> None:
    with MllpPeer(mllp_peer.in_pieces) as peer:
        assert send(peer).code == "AA"


@pytest.mark.parametrize(
    ("behave", "said"),
    [
        (mllp_peer.hangs, "did not answer in time"),
        (mllp_peer.hangs_up, "hung up"),
        (mllp_peer.babbles, "not HL7"),
        (mllp_peer.floods, "too long"),
    ],
)
def test_a_peer_that_misbehaves_is_named_and_never_waited_for_longer_than_said(
    behave: Behaviour, said: str
) -> None:
    with MllpPeer(behave) as peer:
        began = time.monotonic()
        with pytest.raises(mllp.NoAnswer, match=said):
            send(peer, 0.3)
        assert time.monotonic() - began < 2


def test_a_closed_port_and_a_peer_without_tls_are_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mllp, "CONNECT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(mllp.NoAnswer, match="not reached"):
        mllp.send(MESSAGE, mllp.Peer("127.0.0.1", port), answer_seconds=0.3)
    with MllpPeer() as peer, pytest.raises(mllp.NoAnswer):
        mllp.send(MESSAGE, mllp.Peer("127.0.0.1", peer.port, tls=True), answer_seconds=0.3)


@pytest.mark.parametrize(
    "answer", [b"", b"MSH|^~\\&|A\r", b"MSH|^~\\&|A\rMSA|XX|1\r", b"\xff\xfe", b"MSA|AA|1"]
)
def test_what_is_no_acknowledgement_is_not_taken_for_one(answer: bytes) -> None:
    with pytest.raises(mllp.NoAnswer):
        mllp.parse(answer)
