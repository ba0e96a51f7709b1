"""Fault 20: the clock jumps by an hour, and daylight saving: no negative turnaround, audit in true order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.utils import timezone

from foundation.audit import services as audit
from foundation.audit.models import AuditEvent
from pacs.models import Instance
from tests.worklist.alerts.making import raised
from tests.worklist.making import make_model, make_run, make_study
from worklist.alerts import fatigue, services
from worklist.alerts.models import Alert
from worklist.operations import measures

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
# Clocks of Central Europe in 2026: at 01:00 UTC they skip an hour in March and repeat one in October.
SPRING, AUTUMN = datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)


@pytest.fixture
def put_clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda to: monkeypatch.setattr(timezone, "now", lambda: to)


def weighed() -> fatigue.Row:
    facts = [
        fatigue.Fact("m", "1", "", one.raised_at, one.acknowledged_at, rung=True, truth="")
        for one in Alert.objects.all()
    ]
    (row,) = fatigue.rows(facts)
    return row


@pytest.mark.parametrize("jump", [-HOUR, HOUR], ids=["back", "forward"])
def test_a_jump_of_an_hour_makes_no_turnaround_negative(put_clock, make_user, jump):
    start = timezone.now()
    put_clock(start)
    alert = raised()
    put_clock(start + jump)
    services.escalate_due()
    nurse = make_user("er_staff", username="nurse")
    services.acknowledge(alert_id=alert.pk, user=nurse, name="N", read_back="bleed")
    services.being_treated(alert_id=alert.pk, user=nurse, name="N")
    alert.refresh_from_db()
    assert alert.raised_at <= alert.acknowledged_at <= alert.being_treated_at
    assert (weighed().median_minutes or 0) >= 0


def test_a_result_that_a_clock_put_back_dates_before_its_images_took_no_negative_time(put_clock):
    start = timezone.now()
    study = make_study()
    series = study.series.create(series_instance_uid="2.25.1", modality="CT")
    Instance.objects.create(
        series=series,
        sop_instance_uid="2.25.2",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        sha256="0" * 64,
        size=1,
        stored_at=start,
    )
    make_run(study, make_model(), probability=0.93, series=series, finished_at=start - HOUR)
    assert measures.first_result_seconds() == 0


def test_the_audit_trail_keeps_the_order_of_what_happened_whatever_the_clock_said(put_clock):
    start = timezone.now()
    for number, moment in enumerate((start, start - HOUR, start + HOUR, start - HOUR)):
        put_clock(moment)
        audit.record(audit.Kind.APPLICATION_ACTIVITY, action="E", detail={"number": number})
    events = list(AuditEvent.objects.order_by("pk"))
    assert [event.detail["number"] for event in events] == [0, 1, 2, 3]
    assert [event.at for event in events] != sorted(event.at for event in events)
    assert audit.verify().intact, "sealed in the order of the sequence, not of the clock"


@pytest.mark.parametrize("change", [SPRING, AUTUMN], ids=["spring", "autumn"])
def test_daylight_saving_moves_no_deadline_and_loses_no_alert_of_the_day(put_clock, make_user, change):
    moments = [change + timedelta(minutes=minute) for minute in (-30, 30, 90)]
    nurse = make_user("er_staff", username="nurse")
    for moment in moments:
        put_clock(moment)
        alert = raised()
        put_clock(moment + timedelta(minutes=40))  # over the change, for the first of them
        services.acknowledge(alert_id=alert.pk, user=nurse, name="N", read_back="bleed")
        alert.refresh_from_db()
        assert alert.acknowledged_at - alert.raised_at == timedelta(minutes=40)
    assert weighed().median_minutes == 40
    facts = [
        fatigue.Fact("m", "1", "", one.raised_at, None, rung=True, truth="") for one in Alert.objects.all()
    ]
    hours = fatigue.by_hour(facts, "Europe/Berlin")
    assert sum(hours) == len(moments)
    spans = [later.raised_at - earlier.raised_at for earlier, later in pairwise(facts)]
    assert spans == [HOUR, HOUR]
    # In spring two o'clock does not come; in autumn it comes twice.
    assert (hours[1], hours[2], hours[3]) == ((1, 0, 1) if change == SPRING else (0, 2, 1))
