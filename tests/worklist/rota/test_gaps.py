"""Gaps of the calendar say of each moment what `covered` says of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundation.accounts.models import User
from worklist.rota.models import Membership, ReadingGroup, Shift
from worklist.rota.selectors import covered, gaps
from worklist.rota.wording import gap_in_words

pytestmark = pytest.mark.django_db
START = datetime(2026, 11, 27, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def neuro():
    group = ReadingGroup.objects.create(name="Neuro")
    Membership.objects.create(group=group, user=User.objects.create(username="reader"))
    return group


def read(group, start, hours, **changed):
    values = {"duty": "reading", "user": User.objects.get(username="reader"), "group": group} | changed
    return Shift.objects.create(starts_at=start, ends_at=start + hours * HOUR, **values)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    spans=st.lists(st.tuples(st.integers(-10 * 24, 16 * 24), st.integers(1, 60), st.booleans()), max_size=5),
    moment=st.integers(0, 7 * 24 - 1),
)
def test_a_moment_lies_in_a_gap_exactly_when_the_group_is_not_covered_then(neuro, spans, moment):
    Shift.objects.all().delete()
    for begin, hours, named in spans:
        read(neuro if named else None, START + begin * HOUR, hours)
    at = START + moment * HOUR
    in_gap = any(gap.starts_at <= at < gap.ends_at for gap in gaps(start=START))
    assert in_gap == (neuro.pk not in covered([neuro.pk], at))


def test_a_gap_is_told_in_words_of_the_readers_zone(neuro):
    read(neuro, START, 35)
    read(neuro, START + 49 * HOUR, 12 * 11)
    [gap] = gaps(start=START)
    words = gap_in_words(gap, ZoneInfo("Europe/Berlin"))
    assert words == "Neuro has nobody from Sat 28 Nov 18:00 to Sun 29 Nov 08:00"


def test_a_group_without_a_calendar_has_no_gap_and_one_without_members_is_told(neuro):
    assert gaps(start=START) == []
    ReadingGroup.objects.create(name="Chest")
    ReadingGroup.objects.create(name="Closed", active=False)
    [gap] = gaps(start=START)
    assert gap_in_words(gap, UTC).startswith("Chest has no members")


def test_a_shift_of_somebody_outside_the_group_fills_no_gap(neuro):
    stranger = User.objects.create(username="stranger")
    read(neuro, START, 1)
    read(neuro, START + HOUR, 100, user=stranger)
    assert gaps(start=START)[0].starts_at == START + HOUR


def test_on_call_for_the_whole_house_answers_for_each_department(neuro):
    read(None, START, 24, duty="on_call", department="ER")
    read(None, START + 30 * HOUR, 24 * 6, duty="on_call")
    assert [gap_in_words(gap, UTC) for gap in gaps(start=START)] == [
        "On call has nobody from Fri 27 Nov 06:00 to Sat 28 Nov 12:00",
        "On call for ER has nobody from Sat 28 Nov 06:00 to 12:00",
    ]


def test_gaps_take_as_many_queries_for_many_groups_as_for_one(neuro, django_assert_num_queries):
    for number in range(5):
        group = ReadingGroup.objects.create(name=f"Group {number}")
        Membership.objects.create(group=group, user=User.objects.get())
    with django_assert_num_queries(3):
        gaps(start=START)
