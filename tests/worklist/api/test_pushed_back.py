"""`/api/pushed-back/`: sums that fit their rows, only for those who may see them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from foundation.audit.models import AuditEvent
from tests.worklist.api.caller import Caller
from tests.worklist.api.schema import assert_matches
from tests.worklist.making import make_study
from worklist.queue import ranking
from worklist.queue.models import Overtaking, WorklistItem
from worklist.reading import services as reading
from worklist.reading.models import Mode

pytestmark = pytest.mark.django_db

EVENING = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
RANGE = {"from": "2026-11-24", "to": "2026-11-25"}


def _item() -> WorklistItem:
    return ranking.place(study_id=make_study().pk, cause="test")


def _passed(passed: WorklistItem, promoted: WorklistItem, minutes: float | None, **fields) -> None:
    values = {"at": EVENING, "cause": "AI result", "passed_class": "routine"} | fields
    Overtaking.objects.create(passed=passed, promoted=promoted, minutes=minutes, **values)


@pytest.fixture
def ledger() -> dict[str, WorklistItem]:
    a, b, first, second = (_item() for _ in range(4))
    _passed(a, first, 10.0)
    _passed(a, second, 5.0)
    _passed(b, first, 0.0)
    _passed(b, second, None, at=EVENING + timedelta(hours=2), passed_class="stat")
    return {"a": a, "b": b, "first": first, "second": second}


def test_minutes_are_summed_by_study_then_by_class_and_day_of_the_reader(reader, ledger):
    answer = reader.get("/api/pushed-back/", **RANGE)
    assert_matches(answer, "PushedBack")
    stat, routine = answer["by_class_and_day"]
    assert (routine["day"], routine["priority_class"]) == ("2026-11-24", "routine")
    assert (routine["studies_passed"], routine["promotions"], routine["not_settled"]) == (2, 2, 0)
    assert (routine["minutes_total"], routine["minutes_median"], routine["minutes_longest"]) == (15, 7.5, 15)
    assert (stat["day"], stat["minutes_median"], stat["not_settled"]) == ("2026-11-25", None, 1)
    assert (answer["totals"]["studies_passed"], answer["totals"]["promotions"]) == (2, 2)
    reader.user.time_zone = "Asia/Tokyo"
    reader.user.save()
    days = {row["day"] for row in reader.get("/api/pushed-back/", **RANGE)["by_class_and_day"]}
    assert days == {"2026-11-25"}


def test_the_rows_behind_a_sum_name_both_studies_and_are_audited(
    reader, ledger, django_assert_max_num_queries
):
    with django_assert_max_num_queries(8):
        page = reader.get("/api/pushed-back/studies/", priority_class="routine", **RANGE)
    assert page["count"] == 3
    for row in page["results"]:
        assert_matches(row, "Overtaken")
    told = [str(event.detail.get("what", "")) for event in AuditEvent.objects.all()]
    assert any(what.startswith("pushed-back ledger") for what in told), told


def test_a_reader_from_whom_ai_is_hidden_is_not_told_which_study_it_raised(reader, ledger):
    reading.set_mode(user=None, mode=Mode.HIDDEN, reason="a trial", by=reader.user)
    uid = ledger["a"].study.study_instance_uid
    assert reader.get(f"/api/worklist/{uid}/passed-by/") == []
    assert reader.get("/api/pushed-back/studies/", **RANGE)["results"] == []
    assert reader.get("/api/pushed-back/", **RANGE)["totals"]["studies_passed"] == 2


def test_a_study_tells_who_passed_it_in_order(reader, ledger):
    uid = ledger["a"].study.study_instance_uid
    rows = reader.get(f"/api/worklist/{uid}/passed-by/")
    assert [(row["minutes"], row["cause"]) for row in rows] == [(10.0, "AI result"), (5.0, "AI result")]
    assert reader.get(f"/api/worklist/{ledger['first'].study.study_instance_uid}/passed-by/") == []
    reader.get("/api/worklist/1.2.3/passed-by/", status=404)


@pytest.mark.parametrize(
    "wrong", [{"from": "yesterday"}, {"from": "2026-11-25", "to": "2026-11-24"}, {"from": "2026-01-01"}]
)
def test_days_that_make_no_sense_are_refused_in_words(reader, wrong):
    problem = reader.get("/api/pushed-back/", status=400, **({"to": "2026-11-25"} | wrong))
    assert "from" in problem["errors"]


@pytest.mark.parametrize("role", ["er_staff", "service"])
def test_the_ledger_is_not_for_everybody(make_user, role):
    for path in ("/api/pushed-back/", "/api/pushed-back/studies/"):
        Caller(make_user(role)).get(path, status=403)


def test_an_administrator_sees_the_sums(make_user, ledger):
    assert Caller(make_user("pacs_administrator")).get("/api/pushed-back/", **RANGE)["totals"]
