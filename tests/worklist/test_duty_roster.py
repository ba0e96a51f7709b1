"""The demo's calendar: there at once, once, and never beside a real one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.utils import timezone

from worklist.operations import duty_roster
from worklist.rota.models import Duty, ReadingGroup, Shift
from worklist.rota.selectors import covered, gaps, on_duty

pytestmark = pytest.mark.django_db


@pytest.fixture
def people(make_user):
    return [
        make_user("radiologist", username="radiologist", display_name="Demo Radiologist One"),
        make_user("radiologist", username="radiologist2", display_name="Demo Radiologist Two"),
        make_user("er_staff", username="er", display_name="Demo ER Nurse"),
    ]


def test_somebody_reads_and_is_on_call_now_and_playing_it_again_adds_nothing(people):
    planned = duty_roster.plan()
    assert (planned.groups, ReadingGroup.objects.count()) == (2, 2)
    assert duty_roster.plan() == duty_roster.Planned(0, 0)
    now = timezone.now()
    called = [one.user.username for one in on_duty(at=now, duty=Duty.ON_CALL, department="ER")]
    assert (called[0], len(called)) == ("er", 2)
    for gap in gaps(start=now):
        assert (gap.duty, gap.starts_at.weekday() in (4, 5, 6)) == ("reading", True), gap


@pytest.mark.parametrize("hour", [0, 6, 7, 12, 19, 23])
def test_both_groups_are_covered_at_any_hour_of_a_weekday(people, monkeypatch, hour):
    moment = datetime(2026, 11, 24, hour, 30, tzinfo=UTC)
    monkeypatch.setattr(timezone, "now", lambda: moment)
    duty_roster.plan(now=moment)
    assert covered(ReadingGroup.objects.values_list("pk", flat=True), moment) == set(
        ReadingGroup.objects.values_list("pk", flat=True)
    )


def test_a_cancelled_shift_is_not_planned_again(people):
    duty_roster.plan()
    Shift.objects.update(cancelled_at=timezone.now())
    assert duty_roster.plan().shifts == 0


def test_a_real_calendar_and_a_house_without_the_demos_people_stay_as_they_are(make_user):
    assert duty_roster.plan() == duty_roster.Planned(0, 0)
    make_user("radiologist", username="radiologist", display_name="Dr. Real")
    make_user("radiologist", username="radiologist2", display_name="Dr. Other")
    assert duty_roster.plan() == duty_roster.Planned(0, 0)
    assert ReadingGroup.objects.count() == 0


def test_beside_a_shift_of_somebody_real_nothing_is_planned(people, make_user):
    now = timezone.now()
    real = make_user("radiologist", display_name="Dr. Real")
    Shift.objects.create(duty="reading", user=real, starts_at=now, ends_at=now.replace(year=now.year + 1))
    assert duty_roster.plan() == duty_roster.Planned(0, 0)
