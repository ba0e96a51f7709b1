"""Health is honest: every part that does not answer is named, and the whole is failing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from worklist.live.models import Heartbeat
from worklist.operations import health

pytestmark = pytest.mark.django_db(transaction=True)


def test_without_receiver_broker_and_clock_the_answer_is_503_and_names_them(
    client: Client, settings: object
) -> None:
    settings.DICOM_PORT = 1  # type: ignore[attr-defined]
    health._cached = None
    answer = client.get("/healthz")
    assert answer.status_code == 503
    parts = answer.json()["components"]
    assert set(parts) == {"database", "broker", "receiver", "workers", "isolation", "beat", "disk"} | {
        "alert_channels",
        "reports_out",
    }
    assert parts["database"]["ok"] and parts["disk"]["ok"]
    assert not parts["receiver"]["ok"] and not parts["beat"]["ok"]


@pytest.mark.parametrize(("age", "alive"), [(3, True), (300, False), (-3600, True)])
def test_a_clock_that_was_silent_too_long_fails_and_one_set_back_does_not(age: int, alive: bool) -> None:
    Heartbeat.objects.create(component="beat", at=timezone.now() - timedelta(seconds=age))
    assert health._beat()[0] is alive


def test_a_full_disk_fails(settings: object) -> None:
    settings.MINIMUM_FREE_DISK_MB = 10**9  # type: ignore[attr-defined]
    ok, detail = health._disk()
    assert not ok and "refused" in detail


WHOLE, PARTLY = (
    {"whole": True, "told": "all closed"},
    {"whole": False, "told": "models are NOT kept from: files"},
)


@pytest.mark.parametrize(
    ("told", "required", "expected"),
    [
        ([WHOLE], True, (True, "all closed")),
        ([WHOLE, PARTLY], False, (True, PARTLY["told"])),
        ([WHOLE, PARTLY], True, (False, PARTLY["told"])),
        ([], True, (True, "unknown while no inference worker answers")),
    ],
)
def test_the_weakest_worker_tells_how_models_are_isolated(
    told: list[dict[str, object]],
    required: bool,
    expected: tuple[bool, str],
    settings: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.TRIAGE_ISOLATION_REQUIRED = required  # type: ignore[attr-defined]
    monkeypatch.setattr(health, "workers_say", lambda command, expected: told)
    assert health._isolation() == expected


def test_a_house_without_gpu_workers_is_not_failing_for_want_of_them(settings: object) -> None:
    settings.TRIAGE_GPU_WORKERS = False  # type: ignore[attr-defined]
    assert health._wanted_queues() == {"default", "inference"}
    settings.TRIAGE_GPU_WORKERS = True  # type: ignore[attr-defined]
    assert health._wanted_queues() == {"default", "inference", "inference-gpu"}
