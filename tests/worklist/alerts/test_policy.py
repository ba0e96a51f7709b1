"""What rings, and when it goes on."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from worklist.alerts import policy


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
