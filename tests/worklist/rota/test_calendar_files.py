"""Calendar files come in once, whatever they hold, and go out so that they come in again."""

from __future__ import annotations

import contextlib
import time as clock
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundation.audit.models import AuditEvent
from worklist.live.models import Change
from worklist.rota import services
from worklist.rota.calendar_export import calendar_of
from worklist.rota.calendar_file import FileRefused, read
from worklist.rota.importing import Defaults, import_calendar
from worklist.rota.models import ReadingGroup, Shift

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CUSTOM = """BEGIN:VTIMEZONE
TZID:House time
BEGIN:STANDARD
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
END:VTIMEZONE
"""


def ics(*events, head=""):
    body = "".join(f"BEGIN:VEVENT\n{event.strip()}\nEND:VEVENT\n" for event in events)
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\n{head}{body}END:VCALENDAR\n"
    return text.replace("\n", "\r\n").encode()


def spans(content, zone=BERLIN):
    found = read(content, zone=zone, now=NOW)
    assert found.unread == []
    return [(f"{one.starts_at:%m-%dT%H:%M}", f"{one.ends_at:%m-%dT%H:%M}") for one in found.occurrences]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "House time"])
def test_a_night_of_a_clock_change_ends_by_the_clock_on_the_wall(zone):
    nights = (
        f"UID:a\nDTSTART;TZID={zone}:20260327T180000\nDTEND;TZID={zone}:20260328T080000\n"
        f"RRULE:FREQ=DAILY;COUNT=3\nEXDATE;TZID={zone}:20260327T180000"
    )
    assert spans(ics(nights, head=CUSTOM)) == [
        ("03-28T17:00", "03-29T06:00"),
        ("03-29T16:00", "03-30T06:00"),
    ]


def test_days_and_times_without_a_zone_are_the_readers_or_the_files():
    day = "UID:a\nDTSTART;VALUE=DATE:20260328\nDTEND;VALUE=DATE:20260330"
    floating = "UID:b\nDTSTART:20260302T080000\nDURATION:PT8H"
    assert spans(ics(day)) == [("03-27T23:00", "03-29T22:00")]
    assert spans(ics(floating)) == [("03-02T07:00", "03-02T15:00")]
    head = "X-WR-TIMEZONE:America/New_York\n"
    assert spans(ics(floating, head=head)) == [("03-02T13:00", "03-02T21:00")]


def test_a_moved_repetition_keeps_its_key_and_rules_end_a_year_from_now():
    weekly = "UID:a\nDTSTART:20200106T180000Z\nDTEND:20200107T080000Z\nRRULE:FREQ=WEEKLY"
    moved = "UID:a\nRECURRENCE-ID:20260309T180000Z\nDTSTART:20260309T200000Z\nDTEND:20260310T080000Z"
    found = read(ics(weekly, moved), zone=UTC, now=NOW).occurrences
    assert 104 <= len(found) <= 106
    assert max(one.starts_at for one in found) <= NOW + timedelta(days=366)
    assert {one.key: f"{one.starts_at:%H}" for one in found}["a#20260309T180000Z"] == "20"


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ("DTSTART:20260302T080000Z", "no UID"),
        ("UID:a\nSUMMARY:x", "no start"),
        ("UID:a\nDTSTART:soon", "DTSTART cannot be read"),
        ("UID:a\nDTSTART;TZID=Nowhere/Town:20260302T080000", "Nowhere/Town is not known"),
        ("UID:a\nDTSTART:20260302T080000Z\nRRULE:FREQ=MINUTELY", "more often than daily"),
        ("UID:a\nDTSTART:20260302T080000Z\nRRULE:FREQ=DAILY;BYHOUR=1,2,3;BYSECOND=1", "BYHOUR"),
        ("UID:a\nDTSTART:20260302T080000Z\nRRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "does not exist"),
        ("UID:a\nDTSTART:00010101T080000Z\nRRULE:FREQ=DAILY", "20 years"),
        ("UID:a\nDTSTART:20260302T080000Z\nEXRULE:FREQ=DAILY", "EXRULE"),
    ],
)
def test_an_event_that_cannot_be_taken_is_told_at_once_and_does_not_stop_the_others(event, why):
    began = clock.process_time()
    good = "UID:good\nDTSTART:20260302T080000Z\nDTEND:20260302T160000Z"
    found = read(ics(event, good), zone=UTC, now=NOW)
    assert [one.uid for one in found.occurrences] == ["good"]
    assert why in found.unread[0][1]
    assert clock.process_time() - began < 1


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no calendar"),
        (b"%PDF-1.7 not a calendar", "no iCalendar file"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"X" * 1_000_001, "larger than 1 MB"),
        (b"BEGIN:VEVENT\n" * 7000, "more than 2000 events"),
        (
            ics(*(f"UID:{n}\nDTSTART:20260302T080000Z\nRRULE:FREQ=DAILY" for n in range(9))),
            "more than 2000 shifts",
        ),
    ],
)
def test_a_file_that_is_none_or_too_large_is_refused_in_words(content, why):
    with pytest.raises(FileRefused, match=why):
        read(content, zone=UTC, now=NOW)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.text(max_size=120))
def test_whatever_a_file_holds_it_is_read_or_refused(noise, text):
    event = f"UID:a\nDTSTART:20260302T080000Z\nSUMMARY:{text}"
    for content in (noise, ics(event), ics("UID:a") + noise):
        with contextlib.suppress(FileRefused):
            read(content, zone=UTC, now=NOW)


# What the house does with it


@pytest.fixture
def anna(make_user):
    user = make_user("radiologist", username="anna", display_name="Dr. Anna")
    user.email = "Anna@example.org"
    user.save()
    return user


@pytest.fixture
def bert(make_user):
    return make_user("radiologist", username="bert", display_name="Dr. Bert")


@pytest.fixture
def neuro(db):
    return ReadingGroup.objects.create(name="Neuro")


@pytest.fixture
def start():
    return timezone.now().replace(minute=0, second=0, microsecond=0) + timedelta(days=2)


def event(start, *, uid="night", hours=8, who="SUMMARY:Night: Dr. Anna", more=""):
    end = start + timedelta(hours=hours)
    return f"UID:{uid}\nDTSTART:{start:%Y%m%dT%H%M%SZ}\nDTEND:{end:%Y%m%dT%H%M%SZ}\n{who}\n{more}"


def take(*events, dry_run=False, **defaults):
    return import_calendar(
        content=ics(*events), defaults=Defaults(**defaults), zone=UTC, dry_run=dry_run, by=None
    )


def standing():
    rows = Shift.objects.filter(cancelled_at__isnull=True).order_by("starts_at", "user__username")
    return [(one.user.username, one.starts_at, one.ends_at) for one in rows]


def counts(done):
    return len(done.added), len(done.changed), len(done.cancelled), len(done.unmatched), done.unchanged


def test_a_dry_run_says_what_would_happen_and_does_nothing(anna, start, neuro):
    done = take(event(start), event(start, uid="x", who="SUMMARY:Dr. Who"), dry_run=True, group=neuro)
    assert counts(done) == (1, 0, 0, 1, 0)
    assert "Dr. Anna reads for Neuro from" in done.added[0]
    assert "nobody here" in done.unmatched[0][1]
    assert (
        Shift.objects.count(),
        Change.objects.count(),
        AuditEvent.objects.filter(detail__what="shift planned").count(),
    ) == (0, 0, 0)


def test_the_same_file_again_changes_nothing_and_a_changed_one_moves_the_shift(anna, bert, start):
    assert counts(take(event(start))) == (1, 0, 0, 0, 0)
    assert counts(take(event(start))) == (0, 0, 0, 0, 1)
    later = start + timedelta(hours=1)
    assert counts(take(event(later))) == (0, 1, 0, 0, 0)
    assert standing() == [("anna", later, later + timedelta(hours=8))]
    assert counts(take(event(later, who="SUMMARY:dr. bert"))) == (0, 1, 0, 0, 0)
    assert counts(take(event(later, who="SUMMARY:x", more="STATUS:CANCELLED"))) == (0, 0, 1, 0, 0)
    assert standing() == []
    assert counts(take(event(later))) == (1, 0, 0, 0, 0)


def test_two_people_who_swap_in_the_file_do_not_stand_in_each_others_way(anna, bert, start):
    def night(uid, who):
        return event(start, uid=uid, who=f"SUMMARY:{who}")

    take(night("a", "anna"), night("b", "bert"))
    assert counts(take(night("a", "bert"), night("b", "anna"))) == (0, 2, 0, 0, 0)
    assert len(standing()) == 2


def test_people_are_known_by_address_then_name_and_two_names_are_no_answer(anna, bert, start, neuro):
    attendee = "SUMMARY:Night\nATTENDEE;CN=Somebody:mailto:anna@EXAMPLE.org"
    declined = f"{attendee}\nATTENDEE;PARTSTAT=DECLINED;CN=Dr. Bert:mailto:x@example.org"
    take(event(start, who=declined, more="CATEGORIES:On call,Neuro"))
    shift = Shift.objects.get()
    assert (shift.user, shift.duty, shift.group) == (anna, "on_call", neuro)
    done = take(event(start, uid="two", who="SUMMARY:Dr. Anna and Dr. Bert"))
    assert "several people: Dr. Anna, Dr. Bert" in done.unmatched[0][1]


def test_a_repetition_taken_out_of_its_series_is_cancelled_and_other_files_are_left_alone(anna, bert, start):
    nightly = event(start, more="RRULE:FREQ=DAILY;COUNT=3")
    take(nightly)
    take(event(start, uid="other", who="SUMMARY:bert"))
    assert len(standing()) == 4
    second = start + timedelta(days=1)
    done = take(nightly + f"\nEXDATE:{second:%Y%m%dT%H%M%SZ}")
    assert counts(done) == (0, 0, 1, 0, 2)
    assert len(take(event(start, uid="new", who="SUMMARY:nobody"), complete=True).cancelled) == 3
    assert standing() == []


def test_what_was_cancelled_or_given_away_here_stays_so_and_is_told(anna, bert, start):
    take(event(start))
    services.give_shift(shift_id=Shift.objects.get().pk, to=bert, reason="swap", by=None)
    done = take(event(start))
    assert counts(done) == (0, 0, 0, 0, 0)
    assert "given away here" in done.kept[0]
    assert [one[0] for one in standing()] == ["bert"]


def test_an_overlap_with_a_shift_planned_here_is_told_with_that_shift(anna, start):
    services.plan_shift(
        duty="reading", user=anna, starts_at=start, ends_at=start + timedelta(hours=2), by=None
    )
    done = take(event(start))
    assert "Dr. Anna reads from" in done.unmatched[0][1]
    assert len(standing()) == 1


def test_what_is_over_is_not_planned(anna):
    past = datetime.combine(date.today(), datetime.min.time(), UTC) - timedelta(days=3)
    done = take(event(past))
    assert (counts(done), done.over) == ((0, 0, 0, 0, 0), 1)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    plans=st.lists(
        st.tuples(
            st.integers(0, 40),
            st.integers(1, 24),
            st.sampled_from(["anna", "bert"]),
            st.sampled_from(["reading", "on_call"]),
            st.sampled_from(["", "ER", "Stroke; unit, 2"]),
            st.integers(1, 3),
        ),
        max_size=6,
    )
)
def test_an_exported_calendar_comes_in_again_as_it_was(anna, bert, start, neuro, plans):
    Shift.objects.all().delete()
    for day, hours, name, duty, department, position in plans:
        begin = start + timedelta(days=day, minutes=17)
        try:
            services.plan_shift(
                duty=duty,
                user={"anna": anna, "bert": bert}[name],
                group=neuro if duty == "reading" else None,
                department=department if duty == "on_call" else "",
                position=position if duty == "on_call" else 1,
                starts_at=begin,
                ends_at=begin + timedelta(hours=hours),
                by=None,
            )
        except ValidationError:
            continue
    content = calendar_of(Shift.objects.select_related("user", "group"))
    fields = ("duty", "user__username", "group__name", "department", "position", "starts_at", "ends_at")
    before = sorted(map(str, Shift.objects.values_list(*fields)))
    arguments = {"content": content, "defaults": Defaults(), "zone": UTC, "dry_run": False, "by": None}
    here = import_calendar(**arguments)
    assert counts(here) == (0, 0, 0, 0, len(before))
    Shift.objects.all().delete()
    elsewhere = import_calendar(**arguments)
    assert counts(elsewhere) == (len(before), 0, 0, 0, 0)
    assert sorted(map(str, Shift.objects.values_list(*fields))) == before


def test_the_command_imports_and_says_who_is_on_duty(anna, neuro, start, tmp_path, capsys):
    file = tmp_path / "rota.ics"
    file.write_bytes(ics(event(start)))
    call_command("rota", "import", str(file), "--group", "neuro", "--dry-run")
    assert "1 would be added\n  Dr. Anna reads for Neuro from" in capsys.readouterr().out
    call_command("rota", "import", str(file), "--group", "neuro")
    call_command("rota", "now")
    out = capsys.readouterr().out
    assert "1 added" in out
    assert "No shift stands now.\n! Neuro has no members" in out
