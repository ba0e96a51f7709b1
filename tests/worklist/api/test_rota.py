"""`/api/groups/`, `/api/shifts/`, `/api/rota/`: staff read, administrators write."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.worklist.api.caller import Caller
from worklist.rota.models import Membership, ReadingGroup, Shift

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def admin(make_user):
    return Caller(make_user("pacs_administrator", username="admin"))


@pytest.fixture
def start():
    return timezone.now().replace(microsecond=0) - HOUR


def new_shift(start, **changed):
    return {
        "duty": "reading",
        "username": "anna",
        "starts_at": start.isoformat(),
        "ends_at": (start + 8 * HOUR).isoformat(),
    } | changed


def test_an_administrator_makes_a_group_its_readers_and_a_shift_and_everybody_sees_them(admin, reader, start):
    group = admin.post("/api/groups/", {"name": "Neuro", "modalities": ["ct"]}, status=201)
    group = admin.post(f"/api/groups/{group['id']}/members/", {"username": "anna"})
    assert (group["modalities"], group["members"]) == (
        ["CT"],
        [{"username": "anna", "display_name": "Dr. Anna"}],
    )
    shift = admin.post("/api/shifts/", new_shift(start, group=int(group["id"])), status=201)
    assert reader.get("/api/groups/")["results"][0]["mine"] is True
    now = reader.get("/api/rota/now/")
    assert [(one["id"], one["is_mine"]) for one in now["reading"]] == [(shift["id"], True)]
    assert now["uncovered"] == []
    [gap] = reader.get("/api/rota/gaps/")
    assert gap["text"].startswith("Neuro has nobody from ")
    assert gap["starts_at"] == shift["ends_at"]


def test_overlaps_and_unknown_people_are_refused_with_what_to_do(admin, reader, start):
    admin.post("/api/shifts/", new_shift(start), status=201)
    problem = admin.post("/api/shifts/", new_shift(start + HOUR), status=400)
    assert "Dr. Anna reads from" in problem["detail"]
    assert "Cancel that shift, or choose other times" in problem["detail"]
    problem = admin.post("/api/shifts/", new_shift(start, username="nobody"), status=400)
    assert problem["detail"] == "There is no open account nobody."


def test_a_shift_is_given_and_cancelled_with_a_reason(admin, reader, other, start):
    shift = admin.post("/api/shifts/", new_shift(start + 4 * HOUR), status=201)
    given = admin.post(f"/api/shifts/{shift['id']}/give/", {"username": "bert", "reason": "swap"})
    assert given["person"]["username"] == "bert"
    admin.post(f"/api/shifts/{given['id']}/cancel/", {}, status=400)
    assert admin.post(f"/api/shifts/{given['id']}/cancel/", {"reason": "ill"})["cancelled_at"]
    assert admin.get("/api/shifts/")["count"] == 0
    assert admin.get("/api/shifts/", cancelled="true")["count"] == 2


def test_shifts_are_listed_between_two_moments_and_for_the_caller(admin, reader, other, start):
    for hours, name in ((0, "anna"), (24, "bert"), (48, "anna")):
        admin.post("/api/shifts/", new_shift(start + hours * HOUR, username=name), status=201)
    found = reader.get(
        "/api/shifts/",
        **{"from": (start + 10 * HOUR).isoformat(), "to": (start + 48 * HOUR).isoformat()},
    )
    assert [one["person"]["username"] for one in found["results"]] == ["bert"]
    assert reader.get("/api/shifts/", mine="true")["count"] == 2


def test_closing_a_group_keeps_it_and_its_past(admin, reader):
    group = admin.post("/api/groups/", {"name": "Neuro"}, status=201)
    admin._send("delete", f"/api/groups/{group['id']}/members/anna/", None, 200)
    assert admin.client.delete(f"/api/groups/{group['id']}/", **admin.headers).status_code == 204
    assert reader.get(f"/api/groups/{group['id']}/")["active"] is False
    shift = new_shift(timezone.now(), group=int(group["id"]))
    assert "closed" in admin.post("/api/shifts/", shift, status=400)["detail"]


@pytest.mark.parametrize("role", ["radiologist", "er_staff", "qa_reviewer", "service", ""])
def test_only_administrators_write_and_only_staff_reads(make_user, role, start):
    caller = Caller(make_user(role) if role else make_user())
    group = ReadingGroup.objects.create(name="Neuro")
    shift = Shift.objects.create(duty="reading", user=caller.user, starts_at=start, ends_at=start + 8 * HOUR)
    for path in (
        *("/api/groups/", f"/api/groups/{group.pk}/members/", "/api/shifts/"),
        *(f"/api/shifts/{shift.pk}/cancel/", f"/api/shifts/{shift.pk}/give/"),
    ):
        caller.post(path, {}, status=403)
    caller.patch(f"/api/groups/{group.pk}/", {}, status=403)
    for path in ("/api/groups/", "/api/shifts/", "/api/rota/now/", "/api/rota/gaps/", "/api/rota/people/"):
        caller.get(path, status=403 if role in ("service", "") else 200)


def test_lists_take_as_many_queries_for_many_rows_as_for_one(reader, make_user, start):
    def queries(path):
        with CaptureQueriesContext(connection) as caught:
            reader.get(path)
        return len(caught)

    def fill(number):
        group = ReadingGroup.objects.create(name=f"Group {number}")
        user = make_user("radiologist")
        Membership.objects.create(group=group, user=user)
        Shift.objects.create(
            duty="reading", user=user, group=group, starts_at=start, ends_at=start + 8 * HOUR
        )

    fill(0)
    paths = ("/api/groups/", "/api/shifts/", "/api/rota/now/", "/api/rota/gaps/")
    reader.get("/api/me/")
    before = [queries(path) for path in paths]
    for number in range(1, 6):
        fill(number)
    assert [queries(path) for path in paths] == before


def test_a_calendar_file_is_tried_then_taken_by_administrators_and_goes_out_to_staff(admin, reader, start):
    begin = start + 24 * HOUR
    text = (
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:t\nBEGIN:VEVENT\nUID:n\nSUMMARY:Dr. Anna\n"
        f"DTSTART:{begin:%Y%m%dT%H%M%SZ}\nDURATION:PT8H\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    reader.post("/api/rota/import/", {"calendar": text}, status=403)
    tried = admin.post("/api/rota/import/", {"calendar": text})
    assert (tried["dry_run"], len(tried["added"]), Shift.objects.count()) == (True, 1, 0)
    admin.post("/api/rota/import/", {"calendar": text, "dry_run": False})
    assert Shift.objects.get().user.username == "anna"
    problem = admin.post("/api/rota/import/", {"calendar": "nothing"}, status=400)
    assert "no iCalendar file" in problem["detail"]
    answer = reader.client.get("/api/rota/export.ics?mine=true", **reader.headers)
    assert answer["Content-Type"].startswith("text/calendar")
    assert b"X-FIRSTREAD-USERNAME:anna" in answer.content
    assert b"BEGIN:VEVENT" not in admin.client.get("/api/rota/export.ics?mine=true", **admin.headers).content
