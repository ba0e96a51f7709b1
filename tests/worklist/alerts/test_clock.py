"""Alerts while the clock jumps: nobody waits longer, and no answer comes before the question."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from tests.worklist.making import make_model, make_order, make_run, make_study
from worklist.alerts import policy, services
from worklist.alerts.models import Alert

HOUR = timedelta(hours=1)
moments = st.datetimes(
    min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(ZoneInfo("UTC"))
)


def raised(monkeypatch: pytest.MonkeyPatch, at: datetime) -> Alert:
    study = make_study()
    make_order(study)
    run = make_run(study, make_model(), probability=0.93)
    put_clock(monkeypatch, at)
    (alert,) = services.raise_for_run(run_id=run.pk)
    return alert


def put_clock(monkeypatch: pytest.MonkeyPatch, to: datetime) -> None:
    monkeypatch.setattr(timezone, "now", lambda: to)


@pytest.mark.django_db
def test_a_clock_put_back_by_an_hour_makes_nobody_wait_an_hour_longer(monkeypatch, settings):
    start = timezone.now()
    alert = raised(monkeypatch, start)
    put_clock(monkeypatch, start - HOUR)
    assert services.escalate_due() == 0
    alert.refresh_from_db()
    assert alert.deadline_at == start - HOUR + timedelta(seconds=settings.ALERT_RUNG_SECONDS)
    assert alert.steps.filter(outcome__startswith="the clock was put back").count() == 1
    assert services.escalate_due() == 0
    assert alert.steps.filter(outcome__startswith="the clock was put back").count() == 1
    put_clock(monkeypatch, alert.deadline_at)
    assert services.escalate_due() == 1


@pytest.mark.django_db
def test_a_clock_put_forward_by_an_hour_escalates_once_and_gives_the_next_rung_its_time(
    monkeypatch, settings
):
    start = timezone.now()
    alert = raised(monkeypatch, start)
    put_clock(monkeypatch, start + HOUR)
    assert (services.escalate_due(), services.escalate_due()) == (1, 0)
    alert.refresh_from_db()
    assert alert.deadline_at == start + HOUR + timedelta(seconds=settings.ALERT_RUNG_SECONDS)


@pytest.mark.django_db
def test_an_answer_after_the_clock_was_put_back_is_not_before_the_alert(monkeypatch, make_user):
    start = timezone.now()
    alert = raised(monkeypatch, start)
    put_clock(monkeypatch, start - HOUR)
    nurse = make_user("er_staff", username="nurse")
    answered = services.acknowledge(alert_id=alert.pk, user=nurse, name="Nurse N", read_back="bleed")
    assert answered.acknowledged_at == answered.raised_at


@given(moments, st.integers(1, 7200), st.integers(-60, 60))
def test_a_deadline_of_a_clock_that_agrees_is_left_alone(now, seconds, apart):
    set_at = policy.deadline(now + timedelta(seconds=apart), seconds)
    assert not policy.set_by_another_clock(set_at, now, seconds)


@pytest.mark.parametrize("before_change", [datetime(2026, 3, 29, 0, 59), datetime(2026, 10, 25, 0, 59)])
def test_daylight_saving_changes_no_deadline(before_change):
    now = before_change.replace(tzinfo=ZoneInfo("UTC"))
    assert policy.deadline(now, 120) - now == timedelta(seconds=120)
