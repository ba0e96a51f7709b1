"""Who is on duty at a moment, and which groups are covered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundation.accounts.models import User
from worklist.rota.models import Duty, Membership, ReadingGroup, Shift
from worklist.rota.selectors import CALENDAR_KEPT_WITHIN, covered, groups_of, on_duty

pytestmark = pytest.mark.django_db
START = datetime(2026, 11, 25, 8, tzinfo=UTC)
END = START + timedelta(hours=8)
MOMENT = timedelta(microseconds=1)


@pytest.fixture
def reader():
    return User.objects.create(username="reader")


@pytest.fixture
def group(reader):
    group = ReadingGroup.objects.create(name="Neuro")
    Membership.objects.create(group=group, user=reader)
    return group


def shift(user, **changed):
    values = {"duty": Duty.READING, "starts_at": START, "ends_at": END} | changed
    return Shift.objects.create(user=user, **values)


def test_a_shift_counts_from_its_start_and_its_end_is_excluded(reader):
    one = shift(reader)
    assert on_duty(at=START - MOMENT, duty="reading") == []
    assert on_duty(at=START, duty="reading") == [one]
    assert on_duty(at=END - MOMENT, duty="reading") == [one]
    assert on_duty(at=END, duty="reading") == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    spans=st.lists(
        st.tuples(st.integers(0, 6), st.integers(1, 4), st.booleans(), st.integers(1, 3)), max_size=6
    ),
    hour=st.integers(0, 10),
)
def test_on_duty_is_who_stands_at_that_hour_and_is_not_cancelled_by_position(reader, spans, hour):
    Shift.objects.all().delete()
    expected = []
    for begins, length, cancelled, position in spans:
        made = shift(
            reader,
            starts_at=START + timedelta(hours=begins),
            ends_at=START + timedelta(hours=begins + length),
            position=position,
            cancelled_at=START if cancelled else None,
        )
        if begins <= hour < begins + length and not cancelled:
            expected.append((position, begins, made.pk))
    found = on_duty(at=START + timedelta(hours=hour), duty="reading")
    assert [one.pk for one in found] == [pk for *_, pk in sorted(expected)]


def test_a_shift_without_a_department_answers_for_every_department(reader):
    everywhere = shift(reader, duty=Duty.ON_CALL, position=2)
    er = shift(reader, duty=Duty.ON_CALL, department="ER")
    assert on_duty(at=START, duty="on_call", department="ER") == [er, everywhere]
    assert on_duty(at=START, duty="on_call", department="ICU") == [everywhere]
    assert on_duty(at=START, duty="on_call") == [er, everywhere]
    assert on_duty(at=START, duty="reading") == []


def test_a_group_is_asked_by_row_or_by_id(reader, group):
    of_group = shift(reader, group=group)
    shift(reader)
    assert on_duty(at=START, duty="reading", group=group) == [of_group]
    assert on_duty(at=START, duty="reading", group=group.pk) == [of_group]


def test_a_closed_account_is_never_on_duty(reader):
    shift(reader)
    User.objects.update(is_active=False)
    assert on_duty(at=START, duty="reading") == []


def test_a_group_is_covered_while_a_member_reads(reader, group):
    shift(reader, group=group)
    assert covered([group.pk], START - MOMENT) == set()
    assert covered([group.pk], START) == {group.pk}
    assert covered([group.pk], END) == set()
    assert covered([], START) == set()


def test_a_shift_that_names_no_group_covers_all_groups_of_its_reader(reader, group):
    other = ReadingGroup.objects.create(name="Chest")
    shift(reader)
    assert covered([group.pk, other.pk], START) == {group.pk}
    assert covered([group.pk], END) == set()


def test_a_shift_of_somebody_who_is_no_member_covers_nothing(reader, group):
    shift(reader, group=group)
    stranger = User.objects.create(username="stranger")
    shift(stranger, group=group, starts_at=END, ends_at=END + timedelta(hours=1))
    assert covered([group.pk], END) == set()


def test_being_on_call_is_not_reading(reader, group):
    shift(reader, group=group)
    shift(reader, group=group, duty=Duty.ON_CALL, starts_at=END, ends_at=END + timedelta(hours=1))
    assert covered([group.pk], END) == set()


def test_a_group_without_a_calendar_is_covered_by_its_members(reader, group):
    empty = ReadingGroup.objects.create(name="Nobody")
    assert covered([group.pk, empty.pk], START) == {group.pk}
    shift(reader, group=group, cancelled_at=START)
    assert covered([group.pk], END) == {group.pk}


def test_a_calendar_is_kept_when_a_shift_lies_within_a_week(reader, group):
    shift(reader, group=group)
    assert covered([group.pk], START - CALENDAR_KEPT_WITHIN) == set()
    assert covered([group.pk], START - CALENDAR_KEPT_WITHIN - MOMENT) == {group.pk}
    assert covered([group.pk], END + CALENDAR_KEPT_WITHIN - MOMENT) == set()
    assert covered([group.pk], END + CALENDAR_KEPT_WITHIN) == {group.pk}


def test_coverage_of_many_groups_takes_one_query(reader, django_assert_num_queries):
    groups = [ReadingGroup.objects.create(name=f"Group {number}") for number in range(5)]
    with django_assert_num_queries(1):
        covered([group.pk for group in groups], START)


def test_groups_of_a_reader_are_the_active_ones(reader, group):
    closed = ReadingGroup.objects.create(name="Closed", active=False)
    Membership.objects.create(group=closed, user=reader)
    assert groups_of(reader) == {group.pk}
    assert covered([closed.pk], START) == set()
