"""The ladder: who is told, and that it never ends in silence."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worklist.alerts import policy

roles = st.frozensets(st.sampled_from(["er_staff", "radiologist", "qa_reviewer"]))
departments = st.sampled_from(["", "ER", "Children's ER"])


@given(st.integers(0, 10), departments, roles, departments)
def test_each_rung_tells_everybody_whom_the_rung_before_told(rung, department, who, their_department):
    told = policy.audience(rung, department).includes(who, their_department)
    following = policy.next_rung(rung, department)
    assert not told or policy.audience(following, department).includes(who, their_department)


@given(departments)
def test_from_any_rung_the_ladder_reaches_the_last_and_stays_there(department):
    rungs = [0]
    for _ in range(5):
        rungs.append(policy.next_rung(rungs[-1], department))
    assert rungs[-1] == rungs[-2] == policy.LAST_RUNG
    assert rungs == sorted(rungs)


def test_a_rung_that_would_tell_the_same_people_again_is_skipped():
    assert policy.next_rung(0, "") == 2, "without a department the first rung is the whole ER"
    assert policy.next_rung(0, "ER") == 1


def test_an_unanswered_alert_goes_on_at_its_deadline():
    now = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
    assert policy.deadline(now, 300) == datetime(2026, 11, 24, 12, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("difference", "rings"),
    [
        ({}, True),
        ({"probability": 0.79}, False),
        ({"presence": "absent"}, False),
        ({"criticality": "urgent"}, False),
        ({"live": False}, False),
    ],
)
def test_only_a_critical_finding_of_a_live_model_at_its_threshold_rings(difference, rings):
    finding = {
        "presence": "present",
        "probability": 0.8,
        "alert_threshold": 0.8,
        "criticality": "critical",
        "live": True,
    }
    assert policy.alerts(**(finding | difference)) is rings
