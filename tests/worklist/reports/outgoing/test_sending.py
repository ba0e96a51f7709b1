"""Sending to real peers: once, in order, again after failures, given up only when a person has to look."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from foundation.accounts.models import User
from foundation.audit.models import AuditEvent
from foundation.transitions import IllegalTransition
from tests.worklist.reports.outgoing import mllp_peer
from tests.worklist.reports.outgoing.conftest import Sign, add_hl7, at_once, plan
from tests.worklist.reports.outgoing.mllp_peer import MllpPeer
from worklist.reports import services
from worklist.reports.models import ReportDelivery
from worklist.reports.outgoing import deciding, mllp, selectors, sending, transports
from worklist.reports.outgoing.models import Destination

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mllp, "CONNECT_SECONDS", 0.3)
    monkeypatch.setattr(mllp, "ANSWER_SECONDS", 0.3)


def states() -> list[str]:
    return list(ReportDelivery.objects.order_by("version__version", "pk").values_list("state", flat=True))


def test_a_signed_report_arrives_and_its_acknowledgement_is_kept(sign: Sign, ris: MllpPeer) -> None:
    add_hl7(ris.port)
    (delivery,) = plan(sign())
    assert sending.send(delivery_id=delivery.pk) is None
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("sent", 1)
    assert delivery.acknowledgement == f"AA {delivery.control_id}" and delivery.sent_at
    assert "Bleed, left." in ris.received[0]
    exported = AuditEvent.objects.get(kind="110106")
    assert exported.patient_id == "P1" and exported.detail["destination"] == "RIS"
    assert exported.peer == f"127.0.0.1:{ris.port}"


def test_sending_again_what_has_arrived_sends_nothing(sign: Sign, ris: MllpPeer) -> None:
    add_hl7(ris.port)
    (delivery,) = plan(sign())
    sending.send(delivery_id=delivery.pk)
    sending.send(delivery_id=delivery.pk)
    assert len(ris.received) == 1


def test_two_workers_at_once_send_it_once(sign: Sign, ris: MllpPeer) -> None:
    add_hl7(ris.port)
    (delivery,) = plan(sign())

    def work(_: int) -> None:
        try:
            sending.send(delivery_id=delivery.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert len(ris.received) == 1 and states() == ["sent"]


def test_version_2_waits_for_version_1_and_then_follows(sign: Sign, reader: User, ris: MllpPeer) -> None:
    add_hl7(ris.port)
    report = sign()
    services.add_addendum(report_id=report.pk, text="Fracture.", by=reader)
    first, second = plan(report)
    sending.send(delivery_id=second.pk)
    assert ris.received == [] and states() == ["waiting", "waiting"]
    assert sending.waiting_to_be_woken() == [first.pk]
    assert sending.send(delivery_id=first.pk) == second.pk
    sending.send(delivery_id=second.pk)
    assert states() == ["sent", "sent"]
    assert ["Fracture." in message for message in ris.received] == [False, True]


@pytest.mark.parametrize(
    ("behave", "state", "said", "pauses"),
    [
        (mllp_peer.answers("AE", "Busy"), "failed", "AE: Busy", False),
        (mllp_peer.answers("AR", "No such patient"), "dead", "AR: No such patient", False),
        (mllp_peer.answers_another, "failed", "another message", False),
        (mllp_peer.hangs, "failed", "did not answer in time", True),
        (mllp_peer.hangs_up, "failed", "hung up", True),
        (mllp_peer.babbles, "failed", "not HL7", True),
    ],
)
def test_each_way_to_fail_is_told_and_followed_up(
    sign: Sign, behave: Any, state: str, said: str, pauses: bool
) -> None:
    with MllpPeer(behave) as peer:
        destination = add_hl7(peer.port)
        (delivery,) = plan(sign())
        sending.send(delivery_id=delivery.pk)
    delivery.refresh_from_db()
    destination.refresh_from_db()
    assert delivery.state == state and said in delivery.error and delivery.next_attempt_at > timezone.now()
    assert bool(destination.failing_since) == pauses


def test_a_destination_that_comes_back_gets_everything_in_order(sign: Sign, reader: User) -> None:
    with MllpPeer(mllp_peer.hangs_up) as away:
        destination = add_hl7(away.port)
        report = sign()
        services.add_addendum(report_id=report.pk, text="Fracture.", by=reader)
        first, second = plan(report)
        other = plan(sign())
        sending.send(delivery_id=first.pk)
    assert sending.waiting_to_be_woken() == [], "a destination that fails is left alone for a while"
    Destination.objects.update(paused_until=None)
    assert sending.waiting_to_be_woken() == [other[0].pk], "then one tries"
    assert selectors.troubles()[0]["waiting"] == 3
    with MllpPeer() as back:
        Destination.objects.update(port=back.port)
        at_once()
        following: int | None = first.pk
        while following is not None:
            following = sending.send(delivery_id=following)
    assert states() == ["sent"] * 3 and len(back.received) == 3
    destination.refresh_from_db()
    assert destination.failing_since is None and selectors.troubles() == []
    assert second.control_id in back.received[1]


def test_a_worker_that_died_leaves_a_lease_that_runs_out(sign: Sign, ris: MllpPeer) -> None:
    add_hl7(ris.port)
    (delivery,) = plan(sign())
    now = timezone.now()
    ReportDelivery.objects.update(
        state="sending", lease="dead worker", lease_until=now + timedelta(minutes=1)
    )
    sending.send(delivery_id=delivery.pk)
    assert ris.received == []
    ReportDelivery.objects.update(lease_until=now)
    assert sending.waiting_to_be_woken() == [delivery.pk]
    sending.send(delivery_id=delivery.pk)
    assert states() == ["sent"] and delivery.control_id in ris.received[0]


def test_who_lost_the_lease_while_the_peer_answered_writes_nothing(
    sign: Sign, ris: MllpPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_hl7(ris.port)
    (delivery,) = plan(sign())

    def slow(taken: ReportDelivery) -> str:
        ReportDelivery.objects.filter(pk=taken.pk).update(lease="another worker")
        return "AA"

    monkeypatch.setattr(transports, "deliver", slow)
    sending.send(delivery_id=delivery.pk)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.lease, delivery.acknowledgement) == ("sending", "another worker", "")


def test_after_too_many_attempts_a_person_has_to_look(sign: Sign) -> None:
    with MllpPeer(mllp_peer.answers("AE")) as peer:
        add_hl7(peer.port)
        (delivery,) = plan(sign())
        ReportDelivery.objects.update(attempts=sending.MAXIMUM_ATTEMPTS - 1)
        sending.send(delivery_id=delivery.pk)
    assert states() == ["dead"] and selectors.troubles()[0]["dead"] == 1


def test_pauses_grow_to_an_hour_and_last_half_a_day_together() -> None:
    pauses = [sending.pause_after(n) for n in range(1, sending.MAXIMUM_ATTEMPTS)]
    assert pauses[:3] == [timedelta(seconds=s) for s in (10, 20, 40)] and pauses == sorted(pauses)
    assert timedelta(hours=10) < sum(pauses, timedelta()) < timedelta(hours=16)


def test_given_up_is_tried_again_or_discarded_by_a_named_person(
    sign: Sign, reader: User, administrator: User
) -> None:
    with MllpPeer(mllp_peer.answers("AR")) as refusing:
        add_hl7(refusing.port)
        report = sign()
        services.add_addendum(report_id=report.pk, text="Fracture.", by=reader)
        first, second = plan(report)
        sending.send(delivery_id=first.pk)
        sending.send(delivery_id=second.pk)
    assert states() == ["dead", "waiting"]
    with MllpPeer() as ready:
        Destination.objects.update(port=ready.port)
        assert deciding.retry_all(by=administrator) == [first.pk]
        assert sending.send(delivery_id=first.pk) == second.pk
    first.refresh_from_db()
    with pytest.raises(IllegalTransition):
        deciding.retry(delivery=first, by=administrator)
    ReportDelivery.objects.filter(pk=second.pk).update(state="dead")
    second.refresh_from_db()
    with pytest.raises(ValidationError):
        deciding.discard(delivery=second, reason="  ", by=administrator)
    deciding.discard(delivery=second, reason="Phoned", by=administrator)
    assert states() == ["sent", "discarded"]
    told = AuditEvent.objects.filter(username="admin").values_list("detail__what", flat=True)
    assert list(told) == ["report delivery tried again", "report delivery discarded"]


def test_many_that_wait_for_one_place_do_not_hold_up_another(sign: Sign, ris: MllpPeer) -> None:
    with MllpPeer() as other:
        add_hl7(ris.port)
        add_hl7(other.port, name="EHR")
        for _ in range(3):
            plan(sign())
        Destination.objects.filter(name="RIS").update(failures=2)
        chosen = ReportDelivery.objects.filter(pk__in=sending.waiting_to_be_woken())
        names = sorted(chosen.values_list("destination__name", flat=True))
    assert names == ["EHR", "EHR", "EHR", "RIS"]
