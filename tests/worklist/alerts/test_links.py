"""A link answers one alert once, says nothing of the patient, and can be made by nobody without the key."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from tests.worklist.alerts.test_channels import assert_no_patient_in, raised
from worklist.alerts import services
from worklist.alerts.channels import links
from worklist.alerts.models import Alert, AnswerLink, Delivery

pytestmark = pytest.mark.django_db


def _link(alert: Alert, user=None) -> str:
    delivery = Delivery.objects.create(
        alert=alert,
        rung=0,
        round=0,
        channel="email",
        recipient="user:1",
        user=user,
        label="N",
        next_attempt_at=timezone.now(),
    )
    address = links.link_for(delivery)
    assert links.link_for(delivery) == address and AnswerLink.objects.count() == 1
    return "/a/" + address.rpartition("/")[2]


def test_looking_answers_nothing_and_shows_no_patient():
    alert = raised()
    path = _link(alert)
    for _ in range(2):
        page = Client().get(path)
        assert page.status_code == 200 and "Read back" in page.content.decode()
        assert_no_patient_in(page.content.decode(), alert)
    assert page["Referrer-Policy"] == "no-referrer" and "no-store" in page["Cache-Control"]
    alert.refresh_from_db()
    assert alert.state == "raised"
    assert path.rpartition("/")[2] not in str(AnswerLink.objects.values().get()), "only its digest is kept"


def test_it_answers_once_by_name_and_read_back(make_user):
    alert, doctor = raised(), make_user("er_staff", username="doc")
    path, client = _link(alert, doctor), Client()
    refused = client.post(path, {"answer": "have", "name": "Dr. D", "read_back": " "})
    assert refused.status_code == 400 and "repeat the result" in refused.content.decode()
    answered = client.post(path, {"answer": "have", "name": "Dr. D", "read_back": "bleed, bed 4"})
    assert answered.status_code == 200 and "Dr. D has it" in answered.content.decode()
    alert.refresh_from_db()
    assert (alert.state, alert.acknowledged_by, alert.acknowledged_name) == ("acknowledged", doctor, "Dr. D")
    assert alert.steps.filter(channel="link", who="Dr. D").count() == 1
    again = client.post(path, {"answer": "have", "name": "Other", "read_back": "x"})
    assert again.status_code == 409 and "Dr. D has answered" in again.content.decode()
    assert Alert.objects.get().acknowledged_name == "Dr. D"


def test_not_mine_tells_the_next_in_line_once(make_user):
    alert = raised()
    path, client = _link(alert, make_user("er_staff", username="doc")), Client()
    assert client.post(path, {"answer": "not-mine", "reason": ""}).status_code == 400
    for status in (200, 409):
        assert client.post(path, {"answer": "not-mine", "reason": "off duty"}).status_code == status
    alert.refresh_from_db()
    assert (alert.state, alert.rung) == ("escalated", 1)


@pytest.mark.parametrize("token", ["x", "0" * 43])
def test_a_made_up_link_is_none(token):
    raised()
    assert Client().get(f"/a/{token}").status_code == 404
    assert Client().post(f"/a/{token}", {"answer": "have"}).status_code == 404


def test_an_old_link_answers_nothing():
    alert = raised()
    path = _link(alert)
    AnswerLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert "too old" in Client().get(path).content.decode()
    assert Client().post(path, {"answer": "have", "name": "N", "read_back": "b"}).status_code == 409
    assert Alert.objects.get().state == "raised"


def test_a_form_of_another_site_is_refused():
    path = _link(raised())
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(path, {"answer": "have", "name": "N", "read_back": "b"}).status_code == 403


def test_a_link_of_an_answered_alert_says_who_has_it():
    alert = raised()
    path = _link(alert)
    services.acknowledge(alert_id=alert.pk, user=None, name="Nurse A", read_back="bleed")
    assert "Nurse A has answered" in Client().get(path).content.decode()
