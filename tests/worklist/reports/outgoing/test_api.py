"""`/api/report-destinations/`, `/api/report-deliveries/`, the PDF, the command and health."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from foundation.accounts.models import User
from foundation.audit.models import AuditEvent
from pacs.models import RemoteNode
from tests.worklist.api.caller import Caller
from tests.worklist.api.schema import assert_matches
from tests.worklist.making import make_study
from tests.worklist.reports.outgoing import mllp_peer
from tests.worklist.reports.outgoing.conftest import Sign, add_hl7, plan
from tests.worklist.reports.outgoing.mllp_peer import MllpPeer
from worklist import flows
from worklist.operations import health
from worklist.reports import services
from worklist.reports.models import Destination, ReportDelivery
from worklist.reports.outgoing import sending

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "a secret of both sides"


@pytest.fixture
def admin(administrator: User) -> Caller:
    return Caller(administrator)


@pytest.fixture
def radiologist(reader: User) -> Caller:
    return Caller(reader)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("get", "/api/report-destinations/", {"pacs_administrator"}),
        ("post", "/api/report-destinations/", {"pacs_administrator"}),
        ("patch", "/api/report-destinations/1/", {"pacs_administrator"}),
        ("post", "/api/report-destinations/1/test/", {"pacs_administrator"}),
        ("get", "/api/report-destinations/troubles/", {"pacs_administrator"}),
        ("get", "/api/report-deliveries/", {"pacs_administrator", "radiologist", "qa_reviewer"}),
        ("get", "/api/report-deliveries/1/payload/", {"pacs_administrator", "radiologist", "qa_reviewer"}),
        ("post", "/api/report-deliveries/1/retry/", {"pacs_administrator", "radiologist"}),
        ("post", "/api/report-deliveries/1/discard/", {"pacs_administrator"}),
        ("post", "/api/report-deliveries/retry-all/", {"pacs_administrator"}),
        ("get", "/api/reports/1/pdf/", {"radiologist", "er_staff", "qa_reviewer", "service"}),
    ],
)
def test_each_address_is_open_to_its_roles_only(
    make_user: Callable[..., User], method: str, path: str, allowed: set[str]
) -> None:
    assert Client().get(path).status_code == 401
    for role in ("radiologist", "er_staff", "qa_reviewer", "pacs_administrator", "service"):
        caller = Caller(make_user(role))
        arguments: dict[str, Any] = {} if method == "get" else {"content_type": "application/json"}
        answer = getattr(caller.client, method)(path, **arguments, **caller.headers)
        assert (answer.status_code != 403) == (role in allowed), (role, answer.status_code)


def test_an_administrator_adds_tries_and_changes_a_destination_and_never_sees_its_secret(
    admin: Caller,
) -> None:
    with MllpPeer() as peer:
        body = {"name": "RIS", "kind": "hl7", "host": "127.0.0.1", "port": peer.port, "modalities": ["CT"]}
        made = admin.post("/api/report-destinations/", body, 201)
        assert_matches(made, "ReportDestination")
        assert admin.post(f"/api/report-destinations/{made['id']}/test/")["ok"] is True
    assert admin.post(f"/api/report-destinations/{made['id']}/test/")["ok"] is False
    hook = {"name": "EHR", "kind": "fhir-webhook", "url": "http://127.0.0.1:9/", "secret": SECRET}
    added = admin.post("/api/report-destinations/", hook, 201)
    assert added["has_secret"] and SECRET not in json.dumps(added)
    node = RemoteNode.objects.create(name="PACS 2", ae_title="OTHER", host="127.0.0.1", port=104)
    admin.post("/api/report-destinations/", {"name": "PACS 2", "kind": "dicom", "node": node.pk}, 201)
    changed = admin.patch(
        f"/api/report-destinations/{made['id']}/", {"active": False, "location_classes": ["er"]}
    )
    assert (changed["active"], changed["location_classes"], changed["modalities"]) == (False, ["er"], ["CT"])
    listed = admin.get("/api/report-destinations/")["results"]
    assert [one["name"] for one in listed] == ["EHR", "PACS 2", "RIS"]
    assert SECRET not in json.dumps(listed)
    told = AuditEvent.objects.filter(username="admin").values_list("detail__what", flat=True)
    assert "report destination added" in told and "report destination changed" in told
    assert not any(SECRET in json.dumps(event.detail) for event in AuditEvent.objects.all())


@pytest.mark.parametrize(
    "body",
    [
        {"name": "X", "kind": "hl7"},
        {"name": "X", "kind": "hl7", "host": "h", "port": 70000},
        {"name": "X", "kind": "fhir-webhook", "url": "https://10.0.0.1/", "secret": SECRET},
        {"name": "X", "kind": "fhir-webhook", "url": "javascript:alert(1)", "secret": SECRET},
        {"name": "X", "kind": "pigeon"},
        {"name": "", "kind": "hl7", "host": "h", "port": 1},
    ],
)
def test_what_cannot_work_is_refused_with_words(admin: Caller, body: dict[str, Any]) -> None:
    problem = admin.post("/api/report-destinations/", body, 400)
    assert problem["detail"]


def test_the_delivery_table_of_a_report_tells_where_when_and_what_came_back(
    sign: Sign, reader: User, radiologist: Caller, ris: MllpPeer
) -> None:
    add_hl7(ris.port)
    report = sign()
    services.add_addendum(report_id=report.pk, text="Fracture.", by=reader)
    first, second = plan(report)
    (later, earlier) = radiologist.get("/api/report-deliveries/", report=report.pk)["results"]
    assert_matches(later, "ReportDelivery")
    assert (later["blocked"], earlier["blocked"]) == (True, False)
    sending.send(delivery_id=first.pk)
    (later, earlier) = radiologist.get("/api/report-deliveries/", report=report.pk)["results"]
    assert (earlier["state"], earlier["destination"]) == ("sent", "RIS")
    assert earlier["acknowledgement"] == f"AA {first.control_id}" and earlier["sent_at"]
    assert later["blocked"] is False and later["version"] == second.version.version


def test_a_dead_letter_is_looked_at_by_readers_tried_again_or_discarded(
    sign: Sign, admin: Caller, radiologist: Caller
) -> None:
    with MllpPeer(mllp_peer.answers("AR", "Unknown order")) as peer:
        add_hl7(peer.port)
        deliveries = [plan(sign())[0] for _ in range(2)]
        for one in deliveries:
            sending.send(delivery_id=one.pk)
    dead = admin.get("/api/report-deliveries/", state="dead")["results"]
    assert len(dead) == 2 and dead[0]["error"] == "Answered AR: Unknown order"
    assert "Bleed" not in json.dumps(dead)
    path = f"/api/report-deliveries/{deliveries[0].pk}"
    assert "role" in admin.get(f"{path}/payload/", 403)["detail"]
    assert "Bleed, left." in radiologist.get(f"{path}/payload/")["text"]
    read = AuditEvent.objects.get(detail__what="report delivery's message")
    assert (read.username, read.patient_id) == ("reader", "P1")
    assert admin.post(f"{path}/discard/", {"reason": ""}, 400)["errors"]
    discarded = admin.post(f"{path}/discard/", {"reason": "Phoned through"})
    assert (discarded["state"], discarded["decided_by"]["username"]) == ("discarded", "admin")
    admin.post(f"{path}/retry/", {}, 409)
    assert admin.post("/api/report-deliveries/retry-all/") == {"retried": 1}
    assert admin.get("/api/report-deliveries/", state="waiting")["count"] == 1
    radiologist.post(f"/api/report-deliveries/{deliveries[1].pk}/retry/", {}, 409)


def test_a_list_of_many_deliveries_costs_as_many_queries_as_one(sign: Sign, admin: Caller) -> None:
    add_hl7(1)

    def cost() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            admin.get("/api/report-deliveries/")
        return len(queries)

    plan(sign())
    cost()
    few = cost()
    for _ in range(3):
        plan(sign())
    assert cost() == few


def test_the_pdf_opens_for_those_who_may_and_only_once_signed(
    sign: Sign, radiologist: Caller, make_user: Callable[..., User]
) -> None:
    report = sign()
    answer = radiologist.client.get(f"/api/reports/{report.pk}/pdf/", **radiologist.headers)
    assert answer["Content-Type"] == "application/pdf" and answer.content.startswith(b"%PDF")
    assert "P1" not in answer["Content-Disposition"]
    asked = {**radiologist.headers, "HTTP_ACCEPT": "application/pdf"}
    assert radiologist.client.get(f"/api/reports/{report.pk}/pdf/", **asked).status_code == 200
    assert AuditEvent.objects.filter(username="reader", detail__what="report PDF").exists()
    other = Caller(make_user("er_staff", username="surgery", department="Surgery"))
    other.get(f"/api/reports/{report.pk}/pdf/", 404)
    unsigned = services.open_draft(study=make_study(), by=radiologist.user)
    radiologist.get(f"/api/reports/{unsigned.pk}/pdf/", 404)


def test_a_signature_alone_plans_and_wakes(sign: Sign, monkeypatch: pytest.MonkeyPatch) -> None:
    add_hl7(1)
    woken: list[tuple[Any, ...]] = []
    monkeypatch.setattr(flows, "enqueue", lambda task, *ids: woken.append((task.name, *ids)))
    sign()
    delivery = ReportDelivery.objects.get()
    assert ("reports.send", delivery.pk) in woken
    woken.clear()
    flows.wake_deliveries()
    assert woken == [("reports.send", delivery.pk)], "the sweep wakes what nobody took"


def test_trouble_shows_to_administrators_and_in_health_without_names(sign: Sign, admin: Caller) -> None:
    assert admin.get("/api/report-destinations/troubles/") == []
    assert health._reports_out() == (True, "every destination takes reports")
    with MllpPeer(mllp_peer.hangs_up) as peer:
        add_hl7(peer.port)
        (delivery,) = plan(sign())
        sending.send(delivery_id=delivery.pk)
    (trouble,) = admin.get("/api/report-destinations/troubles/")
    assert_matches(trouble, "DestinationTrouble")
    assert trouble["name"] == "RIS" and "hung up" in trouble["error"] and trouble["waiting"] == 1
    ok, told = health._reports_out()
    assert ok and "1 destinations do not answer" in told and "RIS" not in told


def command(*arguments: str) -> str:
    out = io.StringIO()
    call_command("destinations", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_adds_lists_and_tests(ris: MllpPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "No destination yet" in command("list")
    where = ["--host", "127.0.0.1", "--port", str(ris.port)]
    assert "gets what is signed from now on" in command("add", "RIS", "--kind", "hl7", *where)
    assert f"127.0.0.1:{ris.port}" in command("list")
    assert "takes connections" in command("test", "RIS")
    monkeypatch.setenv("FIRSTREAD_DESTINATION_SECRET", SECRET)
    command("add", "EHR", "--kind", "fhir-webhook", "--url", "http://127.0.0.1:9/")
    assert Destination.objects.get(name="EHR").sealed_secret
    with pytest.raises(CommandError, match="not reached"):
        command("test", "EHR")
    with pytest.raises(CommandError, match="no destination"):
        command("test", "nobody")
    with pytest.raises(CommandError, match="private network"):
        command("add", "X", "--kind", "fhir-webhook", "--url", "https://10.0.0.1/")
