"""`/api/alert-policies/`, channels, push and the further answers of an alert."""

from __future__ import annotations

import base64
import copy
import os

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from foundation.audit.models import AuditEvent
from tests.worklist.alerts.making import raised
from tests.worklist.api.caller import Caller
from tests.worklist.api.schema import assert_matches
from worklist.alerts import ladders, policies
from worklist.alerts.channels import health
from worklist.alerts.models import AlertPolicy, PushSubscription

pytestmark = pytest.mark.django_db
PATH = "/api/alert-policies/"


@pytest.fixture
def admin(make_user) -> Caller:
    return Caller(make_user("pacs_administrator", username="admin"))


@pytest.fixture
def nurse(make_user) -> Caller:
    return Caller(make_user("er_staff", username="nurse", display_name="Nurse N", department="ER"))


def _document(seconds: int = 60) -> dict:
    made = ladders.shipped(seconds)
    made["rules"][0]["rungs"].insert(
        0, {"who": [{"group": "on_call", "position": 1}], "channels": ["page", "sms"], "seconds": seconds}
    )
    return made


def test_a_site_without_a_policy_has_the_houses_own(nurse):
    found = nurse.get(f"{PATH}active/")
    assert_matches(found, "AlertPolicyDocument")
    assert (found["version"], found["id"]) == ("shipped", None)
    assert found["words"][0].startswith("every alert: ER staff of the department by page")


def test_a_draft_does_nothing_until_it_is_activated_and_open_alerts_keep_theirs(admin):
    before = raised()
    made = admin.post(PATH, {"version": "2026-11", "document": _document()}, status=201)
    assert_matches(made, "AlertPolicyDocument")
    assert raised().policy_version == "shipped"
    admin.post(f"{PATH}{made['id']}/activate/", {"reason": ""}, status=400)
    for _ in range(2):
        active = admin.post(f"{PATH}{made['id']}/activate/", {"reason": "on call first"})
    assert (active["state"], active["activated_by"]["username"]) == ("active", "admin")
    after = raised()
    assert (after.policy_version, after.rung) == ("2026-11", 1), "nobody is on call: passed on at once"
    assert len(policies.rule_of(before).rungs) == 3 and len(policies.rule_of(after).rungs) == 4
    assert AuditEvent.objects.filter(detail__what="alert policy activated").count() == 1
    admin.post(f"{PATH}back-to-shipped/", {"reason": "it was wrong"})
    assert raised().policy_version == "shipped"
    assert AlertPolicy.objects.get().state == "retired"


def test_a_policy_that_could_end_in_silence_is_refused_with_every_fault(admin):
    wrong = copy.deepcopy(_document())
    wrong["rules"][0]["departments"] = ["ER"]
    wrong["rules"][0]["rungs"][-1]["channels"] = ["email"]
    said = admin.post(PATH, {"version": "x", "document": wrong}, status=400)["detail"]
    assert "must take every alert" in said and "ends in silence" in said
    assert not AlertPolicy.objects.exists()


def test_a_preview_tells_what_the_last_week_would_have_been_and_changes_nothing(
    admin, django_assert_max_num_queries
):
    for _ in range(4):
        raised()
    with django_assert_max_num_queries(8):
        found = admin.post(f"{PATH}preview/", {"document": _document()})
    assert_matches(found, "PolicyPreview")
    assert (found["alerts"], found["changed"]) == (4, 4)
    (rule,) = found["rules"]
    assert rule["uncovered"] == [{"position": 1, "alerts": 4}], "nobody was on call"
    assert not AlertPolicy.objects.exists()


def test_only_administrators_write_policies(nurse, reader):
    for caller in (nurse, reader):
        caller.get(PATH)
        caller.post(PATH, {"version": "x", "document": _document()}, status=403)
        caller.post(f"{PATH}preview/", {"document": _document()}, status=403)


def test_channels_show_what_does_not_work(nurse):
    health.works("email")
    health.fails("sms", "SMS is not set up")
    email, sms = nurse.get("/api/channels/")
    assert_matches(sms, "ChannelState")
    assert (email["ok"], sms["ok"], sms["error"]) == (True, False, "SMS is not set up")


def _keys() -> dict[str, str]:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return {
        "p256dh": base64.urlsafe_b64encode(point).rstrip(b"=").decode(),
        "auth": base64.urlsafe_b64encode(os.urandom(16)).rstrip(b"=").decode(),
    }


def test_a_browser_subscribes_once_and_unsubscribes(nurse, settings, tmp_path):
    settings.ALERT_PUSH_KEY_FILE = tmp_path / "push.pem"
    assert nurse.get("/api/push-key/") == nurse.get("/api/push-key/")
    body = {"endpoint": "https://93.184.215.14/push/1", **_keys()}
    for _ in range(2):
        assert nurse.post("/api/push-subscriptions/", body)["subscribed"]
    assert PushSubscription.objects.get().user == nurse.user
    nurse._send("delete", "/api/push-subscriptions/", {"endpoint": body["endpoint"]}, 200)
    assert not PushSubscription.objects.exists()


@pytest.mark.parametrize(
    "wrong", [{"endpoint": "https://169.254.169.254/latest"}, {"p256dh": "AAAA"}, {"auth": "!"}]
)
def test_a_subscription_that_points_inside_or_has_no_keys_is_refused(nurse, wrong):
    body = {"endpoint": "https://93.184.215.14/push/1", **_keys()} | wrong
    nurse.post("/api/push-subscriptions/", body, status=400)
    assert not PushSubscription.objects.exists()


def test_an_answered_alert_can_say_that_the_patient_is_being_treated(nurse):
    path = f"/api/alerts/{raised().pk}/"
    nurse.post(f"{path}being-treated/", {"name": "Dr. T"}, status=409)
    nurse.post(f"{path}acknowledge/", {"name": "N", "read_back": "bleed"})
    for name in ("Dr. T", "Dr. U"):
        alert = nurse.post(f"{path}being-treated/", {"name": name})
    assert_matches(alert, "Alert")
    assert alert["being_treated_by"] == "Dr. T" and alert["being_treated_at"]


def test_an_alert_is_handed_to_somebody_by_name(nurse, make_user):
    alert = raised()
    doctor = Caller(make_user("er_staff", username="doc", department="ICU"))
    assert {"nurse", "doc"} <= {one["username"] for one in nurse.get("/api/alerts/people/")}
    doctor.get(f"/api/alerts/{alert.pk}/", status=404)
    path = f"/api/alerts/{alert.pk}/not-my-patient/"
    nurse.post(path, {"reason": "moved", "to": "nobody-here"}, status=400)
    nurse.post(path, {"reason": "moved", "to": "nurse"}, status=400)
    after = nurse.post(path, {"reason": "moved", "to": "doc"})
    assert after["rung"] == 1, "nobody reaches doc now: the next rung is told as well"
    doctor.get(f"/api/alerts/{alert.pk}/")
