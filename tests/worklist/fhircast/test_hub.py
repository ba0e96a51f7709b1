"""The hub as an application meets it: over HTTP and its socket, through the site's ASGI application."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from asgiref.sync import sync_to_async
from django.test import Client
from django.utils import timezone

from config import asgi
from foundation.accounts.models import Role, User
from foundation.accounts.services import issue_token, revoke_role
from foundation.audit.models import AuditEvent
from pacs.models import Study
from tests.worklist.api.caller import Caller
from tests.worklist.live.browser_socket import Socket
from tests.worklist.making import make_study
from worklist.fhircast import services
from worklist.fhircast.consumers import FhircastConsumer
from worklist.fhircast.models import Desk, Said, Subscription
from worklist.queue import ranking

pytestmark = pytest.mark.django_db(transaction=True)
ALL = (
    "ImagingStudy-open,ImagingStudy-close,SyncError,UserLogout,DiagnosticReport-open,DiagnosticReport-update"
)


class Application:
    """A program on a reader's desk, signed in by the reader's API token."""

    def __init__(self, user: User) -> None:
        self.bearer = f"Bearer {issue_token(user=user)}"
        self.topic = str(services.desk_of(user).topic)

    def subscribe(self, events: str = ALL, **more: str) -> Any:
        form = {"hub.channel.type": "websocket", "hub.mode": "subscribe", "hub.topic": self.topic}
        form |= {"hub.events": events} | more
        body = "&".join(f"{name}={value}" for name, value in form.items() if value)
        kind = "application/x-www-form-urlencoded"
        return Client().post("/fhircast/", body, content_type=kind, HTTP_AUTHORIZATION=self.bearer)

    def say(self, event: str, context: list[dict[str, Any]], **more: Any) -> Any:
        body = {
            "timestamp": timezone.now().isoformat(),
            "id": str(uuid.uuid4()),
            "event": {"hub.topic": self.topic, "hub.event": event, "context": context} | more,
        }
        return Client().post(
            "/fhircast/", body, content_type="application/json", HTTP_AUTHORIZATION=self.bearer
        )

    def context(self) -> Any:
        return Client().get(f"/fhircast/{self.topic}", HTTP_AUTHORIZATION=self.bearer)


def _study_context(uid: str) -> list[dict[str, Any]]:
    identifier = [{"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}]
    return [
        {"key": "study", "resource": {"resourceType": "ImagingStudy", "id": "1", "identifier": identifier}}
    ]


@asynccontextmanager
async def _connected(endpoint: str) -> AsyncIterator[Socket]:
    scope = {
        "type": "websocket",
        "path": urlsplit(endpoint).path,
        "headers": [],
        "query_string": b"",
        "subprotocols": [],
    }
    socket = Socket(asgi.application, scope)
    assert await socket.opened()
    try:
        yield socket
    finally:
        await socket.send_input({"type": "websocket.disconnect", "code": 1000})
        await socket.wait(timeout=3)


@pytest.fixture
def reader(make_user: Callable[..., User]) -> User:
    return make_user("radiologist", username="anna")


@pytest.fixture
def study(db: None) -> Study:
    made = make_study()
    ranking.place(study_id=made.pk, cause="test")
    return made


async def test_an_application_follows_what_its_reader_opens_and_leaves(reader, study):
    app = await sync_to_async(Application)(reader)
    answer = await sync_to_async(app.subscribe)(**{"subscriber.name": "Dictation"})
    assert answer.status_code == 202, answer.content
    page = await sync_to_async(Caller)(reader)
    async with _connected(answer.json()["hub.channel.endpoint"]) as socket:
        confirmed = await socket.hear()
        assert (confirmed["hub.mode"], confirmed["hub.topic"], confirmed["hub.events"]) == (
            "subscribe",
            app.topic,
            ALL,
        )
        await sync_to_async(page.post)(f"/api/worklist/{study.study_instance_uid}/opened/")
        told = await socket.hear()
        assert told["event"]["hub.event"] == "ImagingStudy-open"
        keys = {one["key"]: one["resource"] for one in told["event"]["context"]}
        assert keys["study"]["identifier"][0]["value"] == f"urn:oid:{study.study_instance_uid}"
        assert keys["patient"]["identifier"][0]["value"] == study.patient.patient_id
        await sync_to_async(page.post)("/api/reports/", {"study_instance_uid": study.study_instance_uid})
        assert (await socket.hear())["event"]["hub.event"] == "DiagnosticReport-open"
        await sync_to_async(page.post)(f"/api/worklist/{study.study_instance_uid}/closed/", status=204)
        assert (await sync_to_async(app.context)()).json()["context"] == []
    read = await sync_to_async(lambda: AuditEvent.objects.filter(detail__what="FHIRcast context").first())()
    assert (read.username, read.study_instance_uid) == ("anna", study.study_instance_uid)


async def test_an_application_leads_and_the_page_knows_which_study_it_means(reader, study):
    app = await sync_to_async(Application)(reader)
    endpoint = (await sync_to_async(app.subscribe)()).json()["hub.channel.endpoint"]
    async with _connected(endpoint) as socket:
        await socket.hear()
        said = await sync_to_async(app.say)("ImagingStudy-open", _study_context(study.study_instance_uid))
        assert said.status_code == 202
        assert (await socket.hear())["event"]["context.versionId"]
    page = await sync_to_async(Caller)(reader)
    desk = await sync_to_async(page.get)("/api/desk/")
    assert (desk["study_instance_uid"], desk["opened_by"]) == (
        study.study_instance_uid,
        "another application",
    )
    async with _connected(endpoint) as socket:
        await socket.hear()
        assert (await socket.hear())["event"]["hub.event"] == "ImagingStudy-open"


async def test_a_study_that_is_not_here_is_told_as_not_followed(reader):
    app = await sync_to_async(Application)(reader)
    endpoint = (await sync_to_async(app.subscribe)()).json()["hub.channel.endpoint"]
    async with _connected(endpoint) as socket:
        await socket.hear()
        await sync_to_async(app.say)("ImagingStudy-open", _study_context("1.2.3.4"))
        heard = [(await socket.hear())["event"]["hub.event"] for _ in range(2)]
        assert heard == ["ImagingStudy-open", "SyncError"]
    page = await sync_to_async(Caller)(reader)
    desk = await sync_to_async(page.get)("/api/desk/")
    assert (desk["study_instance_uid"], desk["something_open"]) == (None, True)


async def test_an_application_that_refuses_or_stays_silent_is_told_to_the_others(reader, study, monkeypatch):
    monkeypatch.setattr(FhircastConsumer, "answer_within_seconds", 0.3)
    app = await sync_to_async(Application)(reader)
    subscribe = sync_to_async(app.subscribe)
    one = (await subscribe()).json()["hub.channel.endpoint"]
    two = (await subscribe("ImagingStudy-open", **{"subscriber.name": "Other PACS"})).json()[
        "hub.channel.endpoint"
    ]
    async with _connected(one) as first, _connected(two) as second:
        await first.hear(), await second.hear()
        await sync_to_async(services.open_study)(user=reader, study=study)
        opened = await first.hear()
        await first.say(json.dumps({"id": opened["id"], "status": "200"}))
        await second.hear()
        await second.say(json.dumps({"id": opened["id"], "status": 409}))
        error = (await first.hear())["event"]
        coding = error["context"][0]["resource"]["issue"][0]["details"]["coding"]
        assert error["hub.event"] == "SyncError"
        assert [one["code"] for one in coding] == [opened["id"], "ImagingStudy-open", "Other PACS"]
        await sync_to_async(services.close_study)(user=reader, study=study)
        await sync_to_async(services.open_study)(user=reader, study=study)
        again = await second.hear()
        assert again["event"]["hub.event"] == "ImagingStudy-open"
        assert (await second.hear())["hub.mode"] == "denied"


async def test_signing_out_clears_the_desk(reader, study):
    app = await sync_to_async(Application)(reader)
    endpoint = (await sync_to_async(app.subscribe)()).json()["hub.channel.endpoint"]
    await sync_to_async(services.open_study)(user=reader, study=study)
    client = Client()
    await sync_to_async(client.force_login)(reader, backend="django.contrib.auth.backends.ModelBackend")
    async with _connected(endpoint) as socket:
        await socket.hear(), await socket.hear()
        await sync_to_async(client.logout)()
        assert (await socket.hear())["event"]["hub.event"] == "UserLogout"
        denied = await socket.hear()
        assert (denied["hub.mode"], denied["hub.reason"]) == ("denied", "the user signed out")
    desk = await sync_to_async(Desk.objects.get)(user=reader)
    assert (desk.opened, desk.study_id, str(desk.topic) == app.topic) == (None, None, False)
    assert (await sync_to_async(app.context)()).status_code == 404
    async with _connected(endpoint) as socket:
        assert await socket.close_code() == 4404


async def test_who_is_no_reader_any_more_hears_nothing(reader, study):
    app = await sync_to_async(Application)(reader)
    endpoint = (await sync_to_async(app.subscribe)()).json()["hub.channel.endpoint"]
    async with _connected(endpoint) as socket:
        await socket.hear()
        await sync_to_async(revoke_role)(user=reader, role=Role.RADIOLOGIST)
        await sync_to_async(services.open_study)(user=reader, study=study)
        assert (await socket.hear())["hub.reason"] == "the reader may no longer read"


def test_nobody_stands_on_anothers_desk(reader, make_user):
    app = Application(reader)
    token = app.subscribe().json()["hub.channel.endpoint"].rsplit("/", 1)[-1]
    stranger = Application(make_user("radiologist", username="bert"))
    stranger.topic = app.topic
    assert stranger.subscribe().status_code == 404
    assert stranger.context().status_code == 404
    assert stranger.say("ImagingStudy-open", _study_context("1.2")).status_code == 404
    nurse = Application(make_user("er_staff", username="cara"))
    assert nurse.subscribe().status_code == 403
    nobody = Application(reader)
    nobody.bearer = "Bearer wrong"
    assert nobody.subscribe().status_code == 401
    assert Subscription.objects.get().digest != token


def test_an_older_event_does_not_replace_what_is_open(reader, study):
    app = Application(reader)
    app.subscribe()
    services.open_study(user=reader, study=study)
    old = {
        "timestamp": (timezone.now() - timedelta(minutes=1)).isoformat(),
        "id": "old",
        "event": {
            "hub.topic": app.topic,
            "hub.event": "ImagingStudy-open",
            "context": _study_context("1.2.3"),
        },
    }
    answer = Client().post("/fhircast/", old, content_type="application/json", HTTP_AUTHORIZATION=app.bearer)
    assert answer.status_code == 409
    assert services.desk_of(reader).study_id == study.pk


def test_content_is_shared_about_the_open_report_at_its_own_version_only(reader, study):
    app = Application(reader)
    services.open_study(user=reader, study=study, report_id=5)
    before = app.context().json()
    mark = {"resourceType": "Observation", "id": "m1"}
    context = [
        {"key": "report", "resource": {"resourceType": "DiagnosticReport", "id": "5"}},
        {
            "key": "updates",
            "resource": {
                "resourceType": "Bundle",
                "entry": [{"request": {"method": "PUT"}, "resource": mark}],
            },
        },
    ]
    version = {"context.versionId": before["context.versionId"]}
    assert app.say("DiagnosticReport-update", context, **version).status_code == 202
    assert app.say("DiagnosticReport-update", context, **version).status_code == 409
    after = app.context().json()
    assert after["context"][-1]["resource"]["entry"] == [{"resource": mark}]
    assert after["context.versionId"] != before["context.versionId"]


def test_a_subscription_changes_ends_with_its_lease_and_can_be_given_back(reader, study):
    app = Application(reader)
    endpoint = app.subscribe().json()["hub.channel.endpoint"]
    changed = app.subscribe("Patient-open", **{"hub.channel.endpoint": endpoint, "hub.lease_seconds": "60"})
    assert changed.json()["hub.channel.endpoint"] == endpoint
    assert Subscription.objects.get().events == ["Patient-open"]
    assert app.subscribe("Coffee-open").status_code == 400
    gone = app.subscribe("", **{"hub.channel.endpoint": endpoint, "hub.mode": "unsubscribe"})
    assert gone.status_code == 202
    assert Subscription.objects.get().ended_at is not None
    app.subscribe()
    services.open_study(user=reader, study=study)
    Subscription.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    Said.objects.update(at=timezone.now() - timedelta(hours=1))
    assert services.prune() == 1
    assert not Subscription.objects.filter(ended_at__isnull=True).exists()


def test_the_hub_says_what_it_can():
    configuration = Client().get("/fhircast/.well-known/fhircast-configuration").json()
    assert configuration["fhircastVersion"] == "STU3"
    assert "ImagingStudy-open" in configuration["eventsSupported"]


async def test_two_applications_hear_one_order_of_events(reader, study):
    app = await sync_to_async(Application)(reader)
    endpoint = (await sync_to_async(app.subscribe)()).json()["hub.channel.endpoint"]
    async with _connected(endpoint) as socket:
        await socket.hear()
        await asyncio.gather(
            *(sync_to_async(app.say)("ImagingStudy-open", _study_context(f"1.2.{n}")) for n in range(4))
        )
        last = ""
        for _ in range(8):
            message = await socket.hear()
            if message["event"]["hub.event"] == "ImagingStudy-open":
                last = message["id"]
    assert (await sync_to_async(services.desk_of)(reader)).opened["id"] == last
