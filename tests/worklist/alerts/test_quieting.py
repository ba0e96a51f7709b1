"""A quiet silences only what is known and has not grown; it ends, and counts as told to nobody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from tests.worklist.api.caller import Caller
from tests.worklist.api.schema import assert_matches
from tests.worklist.making import HEMORRHAGE, make_model, make_order, make_run, make_study
from worklist import flows
from worklist.alerts import fatigue, quieting, services
from worklist.alerts.models import Alert
from worklist.quality.models import Review

pytestmark = pytest.mark.django_db


def _run(comparison: str = "known", **study: object):
    made = make_study(**study)
    make_order(made)
    run = make_run(made, make_model(), probability=0.93)
    run.findings.update(comparison=comparison)
    return run


def _quiet(by, **fields: object):
    defaults = {
        "finding_code": HEMORRHAGE,
        "reason": "coils",
        "expires_at": timezone.now() + timedelta(hours=4),
    }
    return quieting.add(by=by, **(defaults | fields))


@pytest.mark.parametrize(
    ("comparison", "rings"),
    [("known", False), ("new", True), ("grown", True), ("not_compared", True), ("", True)],
)
def test_only_what_is_known_and_not_grown_can_be_quiet(make_user, comparison, rings):
    _quiet(make_user("pacs_administrator"))
    run = _run(comparison)
    assert bool(services.raise_for_run(run_id=run.pk)) is rings
    alert = Alert.objects.get()
    assert alert.state == ("raised" if rings else "not_rung")
    if not rings:
        assert "coils" in alert.steps.get().outcome
        assert services.raise_missing() == 0
        assert flows.signing_facts([run.study_id])[run.study_id].communicated == frozenset()


def test_it_ends_by_time_and_by_hand_and_only_where_it_was_asked_for(make_user):
    admin = make_user("pacs_administrator")
    quiet = _quiet(admin, department="ICU")
    assert services.raise_for_run(run_id=_run().pk), "another department"
    _quiet(admin, institution="Elsewhere")
    assert services.raise_for_run(run_id=_run().pk), "another site"
    here = _quiet(admin, reason="here")
    assert not services.raise_for_run(run_id=_run().pk)
    for _ in range(2):
        quieting.end(quiet_id=here.pk, by=admin)
    assert services.raise_for_run(run_id=_run().pk)
    type(quiet).objects.update(ended_at=None, expires_at=timezone.now(), department="", institution="")
    assert services.raise_for_run(run_id=_run().pk), "its time is over"


@pytest.mark.parametrize(
    "wrong",
    [
        {"reason": " "},
        {"finding_code": ""},
        {"expires_at": timezone.now() - timedelta(seconds=1)},
        {"expires_at": timezone.now() + timedelta(days=8)},
    ],
)
def test_a_quiet_has_a_reason_a_target_and_an_end_within_a_week(make_user, wrong):
    with pytest.raises(ValidationError):
        _quiet(make_user("pacs_administrator"), **wrong)


def test_the_api_quiets_lists_and_ends(make_user):
    admin = Caller(make_user("pacs_administrator"))
    body = {
        "finding_code": HEMORRHAGE,
        "reason": "coils",
        "expires_at": (timezone.now() + timedelta(hours=1)).isoformat(),
    }
    made = admin.post("/api/quiets/", body, status=201)
    assert_matches(made, "QuietDocument")
    assert admin.post(f"/api/quiets/{made['id']}/end/")["stands"] is False
    assert admin.get("/api/quiets/")["count"] == 1
    Caller(make_user("er_staff")).post("/api/quiets/", body, status=403)


def test_fatigue_counts_true_false_unanswered_and_the_median(make_user, django_assert_max_num_queries):
    runs = [_run("new") for _ in range(3)]
    for run, truth in zip(runs, ("positive", "negative", ""), strict=True):
        services.raise_for_run(run_id=run.pk)
        if truth:
            Review.objects.create(
                study=run.study,
                run=run,
                report_id=run.pk,
                report_version=1,
                ai_result="positive",
                reader_result=truth,
                concordance="concordant",
                sampled="",
                signed_at=timezone.now(),
            )
    alert = Alert.objects.order_by("pk")[0]
    services.acknowledge(alert_id=alert.pk, user=None, name="N", read_back="b")
    Alert.objects.filter(pk=alert.pk).update(acknowledged_at=alert.raised_at + timedelta(minutes=4))
    viewer = Caller(make_user("qa_reviewer"))
    with django_assert_max_num_queries(8):
        answer = viewer.get("/api/alert-fatigue/")
    assert_matches(answer, "Fatigue")
    assert sum(row["alerts"] for row in answer["rows"]) == sum(answer["by_hour"]) == 3
    assert [sum(row[k] for row in answer["rows"]) for k in ("true", "false", "undecided", "unanswered")] == [
        1,
        1,
        1,
        2,
    ]
    assert [row["median_minutes"] for row in answer["rows"] if row["answered"]] == [4.0]
    assert viewer.get("/api/alert-fatigue/", model="nobody's")["rows"] == []
    Caller(make_user("er_staff")).get("/api/alert-fatigue/", status=403)


moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))
facts = st.builds(
    fatigue.Fact,
    model=st.sampled_from("ab"),
    version=st.just("1"),
    site=st.sampled_from(["", "x"]),
    raised_at=moments,
    answered_at=st.none() | moments,
    rung=st.booleans(),
    truth=st.sampled_from(["", "positive", "negative", "uncertain"]),
)


@given(st.lists(facts, max_size=20))
def test_every_alert_counts_exactly_once(found):
    rows = fatigue.rows(found)
    assert sum(row.alerts + row.not_rung for row in rows) == len(found)
    for row in rows:
        assert row.answered + row.unanswered == row.true + row.false + row.undecided == row.alerts
    assert sum(fatigue.by_hour(found, "Europe/Berlin")) == sum(row.alerts for row in rows)
