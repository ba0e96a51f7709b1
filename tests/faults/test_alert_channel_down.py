"""Fault 17: an alert's channel is down. It is tried again, the alert goes on, and nothing is ever silent."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.utils import timezone

from foundation.accounts.models import User
from tests.house import free_port
from tests.worklist.alerts.making import raised
from worklist.alerts import delivering, policies, services
from worklist.alerts.channels import health
from worklist.alerts.models import Alert, Delivery
from worklist.operations import health as house_health

pytestmark = pytest.mark.django_db

RUNGS = (
    {"who": [{"group": "department"}], "channels": ["email"], "seconds": 120},
    {"who": [{"group": "er"}], "channels": ["page", "email"], "seconds": 120},
    {"who": [{"group": "er"}, {"group": "readers"}], "channels": ["page"], "seconds": 120},
)


class MailServer:
    """A real SMTP server on its port, which can be away and come back."""

    def __init__(self) -> None:
        self.port = free_port()
        self.mails: list[bytes] = []
        self._controller: Controller | None = None

    def start(self) -> None:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(envelope.content)
        return "250 OK"


class Clock:
    """The time of everybody in a test."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now: datetime = timezone.now()
        patch.setattr(timezone, "now", lambda: self.now)

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def mail(settings: Any) -> Any:
    server = MailServer()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", server.port, False
    yield server
    server.stop()


@pytest.fixture
def nurse(make_user: Any, monkeypatch: pytest.MonkeyPatch) -> User:
    """Of the department, with an address; a policy of three rungs holds that begins by mail alone."""
    monkeypatch.setattr(policies, "_parsed", {})
    by = make_user("pacs_administrator", username="admin")
    rule = {"name": "all", "finding_codes": [], "departments": [], "locations": [], "rungs": list(RUNGS)}
    made = policies.draft(version="mail first", document={"rules": [rule]}, by=by)
    policies.activate(policy_id=made.pk, reason="test", by=by)
    person = make_user("er_staff", username="nurse", department="ER")
    person.email = "nurse@er.example"
    person.save()
    return person


def sweep() -> None:
    """What beat and workers do in a moment."""
    for pk in delivering.waiting_to_be_woken():
        delivering.send(delivery_id=pk)
    services.pass_on_unreached()
    services.escalate_due()


def log_of(alert: Alert) -> list[str]:
    return [f"{step.who}, {step.channel}: {step.outcome}" for step in alert.steps.order_by("pk")]


def test_a_mail_server_that_comes_back_within_seconds_carries_the_alert_once(clock, mail, nurse):
    alert = raised()
    sweep()
    assert not health.states()[0]["ok"] and "not reached" in health.states()[0]["error"]
    healthy, said = house_health._alert_channels()
    assert healthy and "email" in said, "what is down is told, and the house serves"
    mail.start()
    clock.forward(seconds=4)
    sweep()
    clock.forward(seconds=4)
    sweep()
    assert len(mail.mails) == 1 and health.states()[0]["ok"]
    alert.refresh_from_db()
    assert (alert.state, alert.rung) == ("raised", 0), "it arrived: nobody else is troubled"
    assert any("sent: taken by the mail server" in line for line in log_of(alert))


def test_a_mail_server_that_stays_away_sends_the_alert_on_and_never_silences_it(clock, mail, nurse):
    alert = raised()
    for seconds in (0, 4, 10, 21):
        clock.forward(seconds=seconds)
        sweep()
    alert.refresh_from_db()
    assert (alert.state, alert.rung) == ("escalated", 1), "at once, long before its deadline"
    assert "nobody, rule: every channel failed: passed on at once" in log_of(alert)
    told = [alert.round]
    for _ in range(6):  # a quarter of an hour, in which nobody answers and no mail arrives
        clock.forward(seconds=150)
        sweep()
        alert.refresh_from_db()
        told.append(alert.round)
    assert told == sorted(set(told)), "told again at each deadline"
    assert (alert.state, alert.rung) == ("escalated", 2)
    assert not Delivery.objects.filter(channel="email", state="sent").exists()
    assert not health.states()[0]["ok"], "it shows until it carried a message again"


def test_whoever_acknowledges_twice_or_second_harms_nothing(clock, mail, nurse, make_user):
    alert = raised()
    sweep()
    for name in ("Nurse N", "Nurse N", "Somebody else"):
        answered = services.acknowledge(alert_id=alert.pk, user=nurse, name=name, read_back="bleed")
    assert (answered.acknowledged_name, answered.read_back) == ("Nurse N", "bleed")
    assert sum("acknowledged" in line for line in log_of(alert)) == 1
    mail.start()
    clock.forward(hours=1)
    sweep()
    assert mail.mails == [], "what waited for the mail server is needed by nobody any more"
    alert.refresh_from_db()
    assert (alert.state, alert.rung) == ("acknowledged", 0)


def test_a_message_says_nothing_of_the_patient_however_often_it_is_tried(clock, mail, nurse):
    alert = raised()
    sweep()
    mail.start()
    clock.forward(seconds=4)
    sweep()
    text = mail.mails[0].decode()
    study = alert.study
    for secret in (study.patient.patient_id, "SYNTHETIC", study.study_instance_uid, study.accession_number):
        assert secret not in text
    assert "/a/" in text.replace("=\r\n", "")
