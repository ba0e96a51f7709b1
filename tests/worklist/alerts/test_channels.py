"""Ways beside the page, against real servers: mail over SMTP, webhook, SMS form and Web Push over HTTP."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import http_ece
import jwt
import pytest
from aiosmtpd.controller import Controller
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import connection
from django.utils import timezone

from foundation import webhooks
from foundation.accounts.models import User
from tests.house import free_port
from tests.worklist.alerts.making import raised
from worklist.alerts import delivering, policies, services
from worklist.alerts.channels import push
from worklist.alerts.models import Alert, ChannelHealth, Delivery, PushSubscription
from worklist.alerts.selectors import alerts_of
from worklist.live.services import arrive
from worklist.rota.models import Shift

pytestmark = pytest.mark.django_db

EVERYBODY = {"who": [{"group": "er"}, {"group": "readers"}], "channels": ["page"], "seconds": 300}


class Server(ThreadingHTTPServer):
    """Answers with `status` and keeps what came."""

    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[dict[str, str], bytes]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/x"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((dict(self.headers), body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def make_user(make_user):
    """As everywhere, with an address and a telephone."""

    def make(*roles: str, email: str = "", phone: str = "", **fields: str) -> User:
        user = make_user(*roles, **fields)
        user.email, user.phone = email, phone
        user.save()
        return user

    return make


@pytest.fixture
def server(settings) -> Iterator[Server]:
    settings.REPORT_WEBHOOK_NETWORKS = ["127.0.0.1/32"]
    made = Server()
    threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


class Mailbox:
    """A mail server's hook; `refuses` is what it answers to every address."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.refuses = ""

    async def handle_RCPT(self, server, session, envelope, address, options) -> str:
        if self.refuses:
            return self.refuses
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope) -> str:
        self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content)))
        return "250 OK"


@pytest.fixture
def mailbox(settings) -> Iterator[Mailbox]:
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=free_port())
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "127.0.0.1"
    settings.EMAIL_PORT = controller.port
    settings.EMAIL_USE_TLS = False
    yield box
    controller.stop()


def policy_of(make_user, *rungs: dict[str, Any]) -> None:
    document = {
        "rules": [
            {
                "name": "all",
                "finding_codes": [],
                "departments": [],
                "locations": [],
                "rungs": [*rungs, EVERYBODY],
            }
        ]
    }
    by = make_user("pacs_administrator", username=f"admin-{len(rungs)}")
    made = policies.draft(version="v1", document=document, by=by)
    policies.activate(policy_id=made.pk, reason="test", by=by)


def rung(*channels: str, position: int = 0, seconds: int = 60) -> dict[str, Any]:
    who = {"group": "on_call", "position": position} if position else {"group": "department"}
    return {"who": [who], "channels": list(channels), "seconds": seconds}


def send_all() -> None:
    for pk in delivering.waiting_to_be_woken():
        delivering.send(delivery_id=pk)


def later() -> None:
    """Everything that waits for its next attempt may be tried now."""
    past = timezone.now() - timedelta(seconds=1)
    Delivery.objects.filter(state="waiting").update(next_attempt_at=past)


def assert_no_patient_in(text: str, alert: Alert) -> None:
    study = alert.study
    for secret in (
        study.patient.patient_id,
        "SYNTHETIC",
        study.study_instance_uid,
        study.accession_number,
        "emorrhage",
        "bed 4",
    ):
        assert secret not in text


def test_a_mail_goes_over_smtp_once_without_the_patient_and_with_a_link(make_user, mailbox):
    policy_of(make_user, rung("page", "email"))
    make_user("er_staff", username="n1", department="ER", email="n1@er.example")
    make_user("er_staff", username="n2", department="ER", email="N1@er.example")
    make_user("er_staff", username="n3", department="Other", email="n3@er.example")
    alert = raised()
    send_all()
    send_all()
    ((to, mail),) = mailbox.mails
    assert to == ["n1@er.example"], "one mail for one address"
    text = f"{mail['Subject']}\n{mail.get_payload(decode=True).decode()}"
    assert "/a/" in text and f"alert {alert.pk}" in text
    assert_no_patient_in(text, alert)
    delivery = Delivery.objects.get(channel="email")
    assert (delivery.state, delivery.attempts) == ("sent", 1)
    assert mail["Message-ID"].startswith(f"<alert-{alert.pk}-{delivery.pk}@")
    assert ("n1", "email", "sent: taken by the mail server") in alert.steps.values_list(
        "who", "channel", "outcome"
    )
    assert ChannelHealth.objects.get(channel="email").failing_since is None


def test_a_refused_address_is_given_up_and_is_not_the_channels_fault(make_user, mailbox):
    mailbox.refuses = "550 no such mailbox"
    policy_of(make_user, rung("page", "email"))
    make_user("er_staff", department="ER", email="gone@er.example")
    raised()
    send_all()
    delivery = Delivery.objects.get(channel="email")
    assert (delivery.state, delivery.attempts) == ("failed", 1) and "550" in delivery.error
    assert not ChannelHealth.objects.exists()


def test_a_webhook_is_signed_and_knows_a_repeated_message_by_its_key(make_user, server, settings):
    settings.ALERT_WEBHOOK_URL, settings.ALERT_WEBHOOK_SECRET = server.url, "a secret of both sides"
    policy_of(make_user, rung("webhook"))
    alert = raised()
    server.status = 503
    send_all()
    assert Delivery.objects.get(channel="webhook").state == "waiting"
    health = ChannelHealth.objects.get(channel="webhook")
    assert health.failing_since and "503" in health.error
    send_all()
    assert len(server.seen) == 1, "not before its pause is over"
    server.status = 200
    later()
    send_all()
    (first, _), (second, body) = server.seen
    assert first[webhooks.DELIVERY] == second[webhooks.DELIVERY]
    at, signed = (part.split("=")[1] for part in second[webhooks.SIGNATURE].split(","))
    assert signed == webhooks.signature("a secret of both sides", int(at), body)
    assert json.loads(body)["alert"] == str(alert.pk)
    assert_no_patient_in(body.decode(), alert)
    assert ChannelHealth.objects.get(channel="webhook").failing_since is None


def test_an_sms_goes_as_a_form_to_the_provider(make_user, server, settings):
    settings.ALERT_SMS_URL, settings.ALERT_SMS_AUTHORIZATION = server.url, "Basic abc"
    settings.ALERT_SMS_FORM = "To={to}&Body={text}&From=Firstread"
    policy_of(make_user, rung("sms"))
    make_user("er_staff", department="ER", phone="+491701234567")
    alert = raised()
    send_all()
    ((headers, body),) = server.seen
    form = parse_qs(body.decode())
    assert (form["To"], form["From"]) == (["+491701234567"], ["Firstread"])
    assert "/a/" in form["Body"][0] and headers["Authorization"] == "Basic abc"
    assert_no_patient_in(form["Body"][0], alert)


def _browser(user, url: str) -> tuple[PushSubscription, ec.EllipticCurvePrivateKey, bytes]:
    key, auth = ec.generate_private_key(ec.SECP256R1()), os.urandom(16)
    point = key.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    made = PushSubscription.objects.create(
        user=user,
        endpoint=url,
        p256dh=base64.urlsafe_b64encode(point).rstrip(b"=").decode(),
        auth=base64.urlsafe_b64encode(auth).rstrip(b"=").decode(),
    )
    return made, key, auth


def test_a_browser_gets_a_message_only_it_can_read_signed_by_the_sites_own_key(
    make_user, server, settings, tmp_path
):
    settings.ALERT_PUSH_KEY_FILE = tmp_path / "keys" / "push.pem"
    policy_of(make_user, rung("push"))
    _, key, auth = _browser(make_user("er_staff", department="ER"), server.url)
    alert = raised()
    send_all()
    ((headers, body),) = server.seen
    told = http_ece.decrypt(body, private_key=key, auth_secret=auth, version="aes128gcm")
    assert "/a/" in json.loads(told)["url"]
    assert_no_patient_in(told.decode(), alert)
    assert (headers["Content-Encoding"], headers["Urgency"], headers["Topic"]) == (
        "aes128gcm",
        "high",
        f"alert-{alert.pk}",
    )
    token = headers["Authorization"].removeprefix("vapid t=").split(",")[0]
    site = serialization.load_pem_private_key(settings.ALERT_PUSH_KEY_FILE.read_bytes(), None).public_key()
    claims = jwt.decode(token, site, algorithms=["ES256"], audience=server.url.removesuffix("/x"))
    assert claims["sub"].startswith("mailto:")
    assert headers["Authorization"].endswith(f"k={push.public_key()}")
    assert oct(settings.ALERT_PUSH_KEY_FILE.stat().st_mode).endswith("600")


def test_a_browser_that_is_gone_is_told_nothing_more(make_user, server, settings, tmp_path):
    settings.ALERT_PUSH_KEY_FILE = tmp_path / "push.pem"
    server.status = 410
    policy_of(make_user, rung("page", "push"))
    browser, *_ = _browser(make_user("er_staff", department="ER"), server.url)
    raised()
    send_all()
    browser.refresh_from_db()
    assert browser.gone_at is not None
    raised()
    assert Delivery.objects.filter(channel="push").count() == 1


def test_twenty_processes_make_one_site_key(settings, tmp_path):
    settings.ALERT_PUSH_KEY_FILE = tmp_path / "push.pem"
    keys: set[str] = set()
    threads = [threading.Thread(target=lambda: keys.add(push.public_key())) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 1 and len(list(tmp_path.iterdir())) == 1


def test_a_dead_channel_is_tried_again_shows_and_sends_the_alert_on_at_once(make_user, settings):
    """Fault 17: the alert channel is down."""
    settings.REPORT_WEBHOOK_NETWORKS = ["127.0.0.1/32"]
    settings.ALERT_WEBHOOK_URL = "http://127.0.0.1:1/"
    settings.ALERT_WEBHOOK_SECRET = "a secret of both sides"
    policy_of(make_user, rung("webhook", seconds=3600))
    alert = raised()
    for attempt in range(1, delivering.MAXIMUM_ATTEMPTS + 1):
        send_all()
        delivery = Delivery.objects.get(channel="webhook")
        assert delivery.attempts == attempt
        assert ChannelHealth.objects.get(channel="webhook").failing_since is not None
        assert services.pass_on_unreached() == (attempt == delivering.MAXIMUM_ATTEMPTS)
        later()
    alert.refresh_from_db()
    assert (alert.state, alert.rung) == ("escalated", 1), "long before its deadline of an hour"
    said = [outcome for outcome in alert.steps.order_by("pk").values_list("outcome", flat=True)]
    assert any("given up" in one for one in said)
    assert "every channel failed: passed on at once" in said
    assert services.pass_on_unreached() == 0, "once"
    nurse = make_user("er_staff")
    for _ in range(2):  # acknowledging twice is harmless
        services.acknowledge(alert_id=alert.pk, user=nurse, name="Nurse", read_back="bleed")
    assert Alert.objects.get().acknowledged_name == "Nurse"


def test_while_somebody_sees_the_page_a_dead_channel_makes_nobody_else_jump(make_user):
    policy_of(make_user, rung("page", "sms"))
    nurse = make_user("er_staff", department="ER", phone="+491701234567")
    arrive("window", nurse.pk)
    raised()
    send_all()
    assert Delivery.objects.get(channel="sms").state == "failed", "SMS is not set up"
    assert "FIRSTREAD_SMS_URL" in ChannelHealth.objects.get(channel="sms").error
    assert services.pass_on_unreached() == 0


def test_an_answer_withdraws_what_waits_also_at_the_last_moment(make_user, mailbox):
    policy_of(make_user, rung("page", "email"))
    for n in range(2):
        make_user("er_staff", username=f"n{n}", department="ER", email=f"n{n}@er.example")
    alert = raised()
    _, second = delivering.waiting_to_be_woken()
    services.acknowledge(alert_id=alert.pk, user=None, name="N", read_back="bleed")
    # One that was made while the answer came.
    Delivery.objects.filter(pk=second).update(state="waiting")
    send_all()
    assert set(Delivery.objects.filter(channel="email").values_list("state", flat=True)) == {"withdrawn"}
    assert mailbox.mails == []


@pytest.mark.django_db(transaction=True)
def test_eight_workers_send_one_message_once(make_user, mailbox):
    policy_of(make_user, rung("page", "email"))
    make_user("er_staff", department="ER", email="n@er.example")
    raised()
    (pk,) = delivering.waiting_to_be_woken()
    barrier = threading.Barrier(8)

    def work() -> None:
        barrier.wait()
        delivering.send(delivery_id=pk)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(mailbox.mails) == 1
    assert Delivery.objects.get(pk=pk).state == "sent"


def test_a_worker_that_died_leaves_its_message_to_the_next_under_the_same_link(make_user, mailbox):
    policy_of(make_user, rung("page", "email"))
    make_user("er_staff", department="ER", email="n@er.example")
    raised()
    (pk,) = delivering.waiting_to_be_woken()
    assert delivering._take(pk) is not None
    assert delivering.waiting_to_be_woken() == []
    Delivery.objects.filter(pk=pk).update(lease_until=timezone.now())
    send_all()
    assert len(mailbox.mails) == 1 and Delivery.objects.get(pk=pk).attempts == 2


def shift(user, position: int, start: float, end: float, **fields: Any) -> Shift:
    now = timezone.now()
    return Shift.objects.create(
        duty="on_call",
        user=user,
        position=position,
        starts_at=now + timedelta(minutes=start),
        ends_at=now + timedelta(minutes=end),
        **fields,
    )


def _overdue(alert: Alert) -> None:
    Alert.objects.filter(pk=alert.pk).update(deadline_at=timezone.now() - timedelta(seconds=1))
    assert services.escalate_due() == 1
    alert.refresh_from_db()


def test_the_next_on_call_is_whoever_has_the_shift_when_the_deadline_passes(make_user, mailbox):
    policy_of(make_user, rung("page"), rung("email", position=1), rung("email", position=2))
    people = {
        name: make_user("radiologist", username=name, email=f"{name}@x.example")
        for name in ("day", "night", "second")
    }
    leaving = shift(people["day"], 1, -60, 60)
    shift(people["second"], 3, -60, 60)
    alert = raised()
    # The shift changes between the first telling and its deadline.
    Shift.objects.filter(pk=leaving.pk).update(ends_at=timezone.now() - timedelta(seconds=1))
    shift(people["night"], 1, -0.02, 60)
    _overdue(alert)
    send_all()
    _overdue(alert)
    send_all()
    assert [to for (to,), _ in mailbox.mails] == ["night@x.example", "second@x.example"]


def test_an_empty_rung_is_said_and_passed_on_at_once(make_user):
    policy_of(make_user, rung("email", position=1), rung("page", "email", position=2), rung("page"))
    shift(make_user("qa_reviewer", email="q@x.example"), 1, -60, 60)  # could not answer
    alert = raised()
    assert (alert.state, alert.rung) == ("raised", 2)
    assert [s for s in alert.steps.order_by("pk").values_list("who", "outcome")] == [
        ("rung 1", "nobody is on call at position 1 now: passed on at once"),
        ("rung 2", "nobody is on call at position 2 now: passed on at once"),
        ("ER staff of ER", "nobody signed in"),
    ]


def test_of_two_departments_the_one_on_call_for_this_one_is_called(make_user, mailbox):
    policy_of(make_user, rung("email", position=1))
    shift(make_user("er_staff", username="a", email="a@x.example"), 1, -9, 9, department="ICU")
    shift(make_user("er_staff", username="b", email="b@x.example"), 2, -9, 9, department="ER")
    raised()
    send_all()
    assert [to for (to,), _ in mailbox.mails] == ["b@x.example"]


def test_not_my_patient_can_name_whose_it_is(make_user, mailbox):
    alert, nurse = raised(), make_user("er_staff", username="nurse", department="ER")
    doctor = make_user("er_staff", username="doc", department="ICU", email="doc@x.example")
    services.decline(alert_id=alert.pk, user=nurse, reason="moved to ICU", to=doctor)
    send_all()
    alert.refresh_from_db()
    assert [to for (to,), _ in mailbox.mails] == ["doc@x.example"]
    assert (alert.rung, alert.round) == (0, 1)
    assert alert in alerts_of(doctor), "who was named may look and answer"
    _overdue(alert)
    assert alert.rung == 1, "and the ladder goes on without an answer"


def test_naming_somebody_who_cannot_be_reached_tells_the_next_rung_too(make_user):
    alert, nurse = raised(), make_user("er_staff", username="nurse", department="ER")
    services.decline(alert_id=alert.pk, user=nurse, reason="no", to=make_user("er_staff", username="doc"))
    alert.refresh_from_db()
    assert alert.rung == 1
