"""A DICOM node gets SR and PDF of each version by C-STORE."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import EncapsulatedPDFStorage, EnhancedSRStorage, Verification  # type: ignore

from tests.worklist.reports.outgoing.conftest import Sign, add_node, plan
from worklist.reports.models import ReportVersion
from worklist.reports.outgoing import destinations, planning, sending
from worklist.reports.outgoing.models import Destination, ReportDelivery

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Node:
    """A storage SCP; answers with `status`."""

    port: int = 0
    status: int = 0x0000
    stored: list[Dataset] = field(default_factory=list)


@pytest.fixture
def node() -> Iterator[Node]:
    made = Node()

    def store(event: evt.Event) -> int:
        made.stored.append(event.dataset)
        return made.status

    entity = AE("OTHER")
    for context in (Verification, EnhancedSRStorage, EncapsulatedPDFStorage):
        entity.add_supported_context(context)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    assert server is not None
    made.port = server.server_address[1]
    yield made
    server.shutdown()


def test_sr_and_pdf_arrive_together(sign: Sign, node: Node) -> None:
    add_node(node.port)
    (delivery,) = plan(sign())
    sending.send(delivery_id=delivery.pk)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.acknowledgement) == ("sent", "0x0000 for 2 objects")
    version = ReportVersion.objects.get()
    assert [str(one.SOPInstanceUID) for one in node.stored] == [
        version.sr_sop_instance_uid,
        version.pdf_sop_instance_uid,
    ]


def test_a_refusal_is_tried_again_and_names_the_status(sign: Sign, node: Node) -> None:
    node.status = 0xA700
    add_node(node.port)
    (delivery,) = plan(sign())
    sending.send(delivery_id=delivery.pk)
    delivery.refresh_from_db()
    assert delivery.state == "failed" and "0xa700" in delivery.error


def test_what_is_not_in_the_archive_yet_is_waited_for(sign: Sign, node: Node) -> None:
    add_node(node.port)
    planning.plan(report_id=sign().pk)
    delivery = ReportDelivery.objects.get()
    sending.send(delivery_id=delivery.pk)
    delivery.refresh_from_db()
    assert delivery.state == "failed" and "not in the archive yet" in delivery.error and node.stored == []


def test_a_node_that_is_away_pauses_its_destination_and_the_test_says_so(sign: Sign, node: Node) -> None:
    destination = add_node(node.port)
    assert destinations.test(destination=destination, by=None)[0]
    assert destination.node is not None
    destination.node.port = 1
    destination.node.save()
    (delivery,) = plan(sign())
    sending.send(delivery_id=delivery.pk)
    assert Destination.objects.get().paused_until is not None
    ok, told = destinations.test(destination=Destination.objects.get(), by=None)
    assert not ok and "does not answer" in told
