"""A webhook is told what it asked for, signed, and only at an address that may be called."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from fhir.resources.R4B.diagnosticreport import DiagnosticReport

from foundation import webhooks
from tests.worklist.reports.outgoing.conftest import Sign, plan
from worklist.reports.models import Destination, ReportDelivery
from worklist.reports.outgoing import destinations, sealing, sending, webhook
from worklist.reports.outgoing.outcomes import Refused, Unreachable

SECRET = "a secret of both sides"


class Receiver(ThreadingHTTPServer):
    """Answers with `status` and keeps what came."""

    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook?x=1"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((dict(self.headers), body))
        self.send_response(self.server.status)
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()


def add_webhook(url: str, **values: Any) -> Destination:
    known = {"name": "EHR", "kind": "fhir-webhook", "url": url, **values}
    return destinations.add(values=known, secret=SECRET, by=None)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("content", ["reference", "resource"])
def test_a_report_is_posted_with_a_signature_that_the_receiver_can_check(
    sign: Sign, receiver: Receiver, content: str
) -> None:
    add_webhook(receiver.url, content=content)
    (delivery,) = plan(sign())
    sending.send(delivery_id=delivery.pk)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.acknowledgement) == ("sent", "HTTP 200")
    ((headers, body),) = receiver.seen
    at, signed = (part.split("=")[1] for part in headers[webhook.SIGNATURE].split(","))
    assert signed == webhook.signature(SECRET, int(at), body)
    assert headers[webhook.DELIVERY] == delivery.control_id
    told = json.loads(body)
    if content == "resource":
        DiagnosticReport.model_validate(told)
    else:
        assert told["resourceType"] == "Bundle" and b"Bleed" not in body


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("status", "state"), [(503, "failed"), (429, "failed"), (404, "dead"), (302, "dead"), (410, "dead")]
)
def test_later_is_tried_again_and_never_or_elsewhere_is_not(
    sign: Sign, receiver: Receiver, status: int, state: str
) -> None:
    receiver.status = status
    add_webhook(receiver.url)
    (delivery,) = plan(sign())
    sending.send(delivery_id=delivery.pk)
    delivery.refresh_from_db()
    assert delivery.state == state and f"HTTP {status}" in delivery.error
    assert len(receiver.seen) == 1


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://10.1.2.3/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[fd00::1]/",
        "https://0.0.0.0/",
        "https://224.0.0.1/",
        "http://93.184.215.14/",
        "https://user:password@93.184.215.14/",
        "ftp://93.184.215.14/",
        "file:///etc/passwd",
        "https:///x",
        "https://93.184.215.14:99999/",
    ],
)
def test_addresses_inside_and_without_encryption_are_refused(url: str, settings: Any) -> None:
    settings.REPORT_WEBHOOK_NETWORKS = []
    with pytest.raises(Refused):
        webhook.resolve(url)


def test_a_public_address_is_allowed_and_a_site_may_name_its_own_network(settings: Any) -> None:
    settings.REPORT_WEBHOOK_NETWORKS = ["10.1.0.0/16"]
    assert webhook.resolve("https://93.184.215.14/a?b=1").path == "/a?b=1"
    assert webhook.resolve("http://10.1.2.3:8080/").port == 8080
    with pytest.raises(Refused):
        webhook.resolve("http://10.2.2.3/")


def test_a_name_that_points_inside_is_refused_and_the_connection_goes_to_what_was_checked(
    settings: Any, monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    port = receiver.server_address[1]
    asked: list[str] = []

    def lookup(host: str, *_: Any, **__: Any) -> Any:
        asked.append(host)
        return [(2, 1, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(webhooks.socket, "getaddrinfo", lookup)
    url = f"http://ehr.example:{port}/"
    webhook.post(url, b"{}", secret=SECRET, delivery="d", at=1)
    assert asked[0] == "ehr.example" and "ehr.example" not in asked[1:], "looked up once"
    assert receiver.seen[0][0]["Host"] == f"ehr.example:{port}"
    settings.REPORT_WEBHOOK_NETWORKS = []
    with pytest.raises(Refused):
        webhook.resolve(url)


def test_a_closed_port_is_unreachable(receiver: Receiver) -> None:
    receiver.server_close()
    with pytest.raises(Unreachable):
        webhook.post(receiver.url, b"{}", secret=SECRET, delivery="d", at=1)


@pytest.mark.django_db
def test_secrets_lie_encrypted_and_open_with_an_old_key_only_while_it_is_kept(settings: Any) -> None:
    destination = add_webhook("http://127.0.0.1/")
    assert SECRET not in destination.sealed_secret
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another key of this site, long enough for anything"
    settings.SECRET_KEY_FALLBACKS = [old]
    assert sealing.unseal(destination.sealed_secret) == SECRET
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(sealing.Unreadable):
        sealing.unseal(destination.sealed_secret)
    assert destinations.test(destination=destination, by=None)[0] is False


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("values", "secret"),
    [
        ({"kind": "hl7", "host": "", "port": 1}, ""),
        ({"kind": "dicom"}, ""),
        ({"kind": "fhir-webhook", "url": "https://10.0.0.1/"}, SECRET),
        ({"kind": "fhir-webhook", "url": "http://127.0.0.1/"}, ""),
        ({"kind": "fhir-webhook", "url": "http://127.0.0.1/"}, "short"),
        ({"kind": "pigeon"}, ""),
        ({"kind": "hl7", "host": "ris", "port": 1, "location_classes": ["moon"]}, ""),
        ({"kind": "hl7", "host": "ris", "port": 1, "sealed_secret": "x"}, ""),
    ],
)
def test_a_destination_that_cannot_work_is_not_made(values: dict[str, Any], secret: str) -> None:
    with pytest.raises(ValidationError):
        destinations.add(values={"name": "X", **values}, secret=secret, by=None)
    assert not Destination.objects.exists() and not ReportDelivery.objects.exists()
