"""`/api/worklist/…`: what readers do with a row, over HTTP."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from foundation.audit.models import AuditEvent
from tests.worklist.api.caller import Caller
from tests.worklist.api.schema import assert_matches
from tests.worklist.making import make_order, make_study
from worklist.queue import ranking
from worklist.queue.models import WorklistItem

pytestmark = pytest.mark.django_db

ACTIONS = [
    ("assign/", {"username": "bert"}),
    ("hold/", {"reason": "priors", "note": "from St. Mary"}),
    ("raise/", {"to": "stat", "reason": "seizure"}),
    ("decline/", {"reason": "I know the patient"}),
    ("flags/", {"kind": "teaching", "note": "rare"}),
]


@pytest.fixture
def path() -> str:
    study = make_study()
    make_order(study, priority="routine")
    ranking.place(study_id=study.pk, cause="test")
    return f"/api/worklist/{study.study_instance_uid}/"


def test_each_action_answers_row_and_event_is_audited_and_undone(reader, other, path):
    for name, body in ACTIONS:
        before = reader.get(path)
        answer = reader.post(f"{path}{name}", body)
        assert_matches(answer, "ActionAnswer")
        assert answer["item"]["version"] == before["version"] + 1, name
        back = reader.post(f"{path}undo/", {"event": answer["event"]})["item"]
        changed = {k for k in back if back[k] != before[k]} - {"version"}
        assert changed == set(), name
    audited = AuditEvent.objects.filter(action="U", detail__event__isnull=False).order_by("pk")
    whats = list(audited.values_list("detail__what", flat=True))
    assert whats[0::2] == ["assigned", "held", "priority raised", "declined", "flagged"]
    assert set(whats[1::2]) == {"undone"}


def test_the_row_shows_who_why_and_until_when(reader, other, path):
    reader.post(f"{path}assign/", {"username": "bert"})
    reader.post(f"{path}hold/", {"reason": "contrast"})
    reader.post(f"{path}flags/", {"kind": "peer_review"})
    item = other.post(f"{path}raise/", {"to": "asap", "reason": "worse"})["item"]
    assert_matches(item, "WorklistItem")
    assert item["assigned_to"]["display_name"] == "Dr. Bert"
    assert (item["held"]["reason"], item["held"]["until"]) == ("contrast", item["due_at"])
    assert (item["raised"]["to"], item["raised"]["by"]["username"]) == ("asap", "bert")
    assert item["priority_class"] == "asap"
    assert [flag["kind"] for flag in item["flags"]] == ["peer_review"]
    summary = other.get("/api/worklist/summary/")
    assert (summary["held"], summary["assigned_to_me"]) == (1, 1)


def test_filters_find_what_was_done(reader, other, path):
    plain = make_study()
    ranking.place(study_id=plain.pk, cause="test")
    for name, body in (ACTIONS[0], ACTIONS[1], ACTIONS[2], ACTIONS[4]):
        reader.post(f"{path}{name}", body)
    wanted = {"assigned": ("me", "nobody"), "held": ("true", "false"), "raised": ("true", "false")}
    for name, (yes, no) in wanted.items():
        (done,) = other.get("/api/worklist/", **{name: yes})["results"]
        (rest,) = other.get("/api/worklist/", **{name: no})["results"]
        assert done["study_instance_uid"] in path, name
        assert rest["study_instance_uid"] == plain.study_instance_uid, name
    assert other.get("/api/worklist/", flag="teaching")["count"] == 1
    assert other.get("/api/worklist/", flag="peer_review")["count"] == 0


def test_a_refusal_names_who_was_faster_and_brings_the_row_as_it_is(reader, other, path):
    reader.post(f"{path}assign/", {"username": "anna"})
    problem = other.post(f"{path}assign/", {"username": "bert"}, status=409)
    assert_matches(problem, "ActionRefused")
    assert problem["detail"] == "Dr. Anna assigned this study to Dr. Anna meanwhile."
    assert problem["by"]["username"] == "anna"
    assert problem["row"]["assigned_to"]["username"] == "anna"
    given_on = other.post(f"{path}assign/", {"username": "bert", "instead_of": "anna"})["item"]
    assert given_on["assigned_to"]["username"] == "bert"
    assert other.post(f"{path}unassign/", {})["item"]["assigned_to"] is None
    assert AuditEvent.objects.filter(action="U", username="bert").count() == 2


def test_a_take_over_is_told_to_the_holder_and_stands_in_the_events(reader, other, path):
    reader.post(f"{path}claim/")
    body = {"reason": "cannot wait", "holder": "anna"}
    item = other.post(f"{path}take-over/", body)["item"]
    assert (item["is_mine"], item["claimed_by"]["username"]) == (True, "bert")
    assert reader.post(f"{path}heartbeat/", status=409)["detail"] == "Dr. Bert is reading this study."
    events = reader.get(f"{path}events/")
    assert_matches(events[0], "WorklistEvent")
    assert [(e["kind"], e["text"], e["reason"]) for e in events] == [
        ("taken_over", "took it over from Dr. Anna", "cannot wait"),
        ("claimed", "claimed it", ""),
    ]
    assert not any(e["can_undo"] for e in events)


def test_events_say_what_the_caller_can_undo(reader, other, path):
    event = reader.post(f"{path}hold/", {"reason": "images"})["event"]
    assert [e["can_undo"] for e in reader.get(f"{path}events/")] == [True]
    assert [e["can_undo"] for e in other.get(f"{path}events/")] == [False]
    assert other.post(f"{path}undo/", {"event": event}, status=409)["title"] == "Not done"
    other.post(f"{path}unhold/")
    assert [e["can_undo"] for e in reader.get(f"{path}events/")] == [False, False]
    text = reader.post(f"{path}undo/", {"event": event}, status=409)["detail"]
    assert text == "Dr. Bert changed this since: ended the hold. That stays."


def test_next_says_why_this_one(reader, path):
    answer = reader.post("/api/worklist/next/")
    assert_matches(answer, "NextItem")
    assert answer["why"].startswith("Routine, due in 2 h")
    assert reader.post("/api/worklist/next/", status=404)["detail"].startswith("No study is free")


def test_marks_are_taken_away_by_kind(reader, path):
    reader.post(f"{path}flags/", {"kind": "teaching"})
    response = reader.client.delete(f"{path}flags/?kind=teaching", **reader.headers)
    assert response.json()["item"]["flags"] == []
    assert reader.client.delete(f"{path}flags/?kind=lost", **reader.headers).status_code == 400


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("assign/", {"username": "nobody-of-this-name"}),
        ("assign/", {"username": "quinn"}),
        ("hold/", {"reason": "lunch"}),
        ("raise/", {"to": "routine", "reason": "x"}),
        ("raise/", {"to": "stat", "reason": ""}),
        ("decline/", {}),
        ("take-over/", {"reason": "x", "holder": "nobody-of-this-name"}),
        ("flags/", {"kind": "funny"}),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(reader, make_user, path, name, body):
    make_user("qa_reviewer", username="quinn")
    assert reader.post(f"{path}{name}", body, status=400)["detail"]


def test_an_event_that_is_not_there_is_not_found(reader, path):
    assert reader.post(f"{path}undo/", {"event": 10**9}, status=404)["title"] == "Not found"


def test_readers_are_found_by_name_with_what_they_have(reader, other, make_user, path):
    make_user("qa_reviewer", username="annabel")
    reader.post(f"{path}assign/", {"username": "bert"})
    reader.post(f"{path}claim/")
    page = reader.get("/api/readers/")
    assert_matches(page, "PaginatedReaderList")
    assert [(r["username"], r["reading"], r["assigned"]) for r in page["results"]] == [
        ("anna", 1, 0),
        ("bert", 0, 1),
    ]
    assert [r["username"] for r in reader.get("/api/readers/", search="dr ann")["results"]] == ["anna"]


def test_others_may_look_at_events_and_act_on_nothing(make_user, path):
    for role, may in [("qa_reviewer", 200), ("service", 200), ("er_staff", 403), ("pacs_administrator", 403)]:
        caller = Caller(make_user(role))
        caller.get(f"{path}events/", status=may)
        for name, body in ACTIONS:
            caller.post(f"{path}{name}", body, status=403)
        caller.get("/api/readers/", status=403)


def test_a_hold_that_is_over_shows_no_more_even_before_the_sweep(reader, path):
    reader.post(f"{path}hold/", {"reason": "priors"})
    WorklistItem.objects.update(held_until=timezone.now() - timedelta(seconds=1))
    assert reader.get(path)["held"] is None
    assert reader.get("/api/worklist/", held="true")["count"] == 0
