"""Is everything serving? One answer for people, load balancers and `manage.py up`."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone

from foundation.queueing import Queue, broker_answers, queues_served, workers_say
from pacs.dimse import scu
from worklist.alerts.channels import health as channels
from worklist.live.models import Heartbeat
from worklist.operations.addresses import reachable
from worklist.reports.outgoing import selectors as outgoing

BEAT_SILENCE = timedelta(seconds=30)
CACHE_SECONDS = 1.0


def check() -> dict[str, Any]:
    """Status and one entry per component; costs at most about a second.

    Returns:
        `{"status": "ok" | "failing", "components": {name: {"ok": bool, "detail": str}}}`
    """
    checks: dict[str, Callable[[], tuple[bool, str]]] = {
        "database": _database,
        "broker": _broker,
        "receiver": _receiver,
        "workers": _workers,
        "isolation": _isolation,
        "beat": _beat,
        "disk": _disk,
        "reports_out": _reports_out,
        "alert_channels": _alert_channels,
    }
    with ThreadPoolExecutor(len(checks)) as pool:
        results = dict(zip(checks, pool.map(_run, checks.values()), strict=True))
    components = {name: {"ok": ok, "detail": detail} for name, (ok, detail) in results.items()}
    return {
        "status": "ok" if all(ok for ok, _ in results.values()) else "failing",
        "version": settings.VERSION,
        "components": components,
    }


_cached: tuple[float, dict[str, Any]] | None = None


def check_cached() -> dict[str, Any]:
    """The last answer when it is younger than a second, so that probing cannot load the house."""
    global _cached
    now = time.monotonic()
    if _cached is None or now - _cached[0] > CACHE_SECONDS:
        _cached = (now, check())
    return _cached[1]


def _run(probe: Callable[[], tuple[bool, str]]) -> tuple[bool, str]:
    try:
        return probe()
    finally:
        connection.close()


def _database() -> tuple[bool, str]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except DatabaseError as error:
        return False, f"The database does not answer ({type(error).__name__})."
    return True, connection.vendor


def _broker() -> tuple[bool, str]:
    if broker_answers():
        return True, "answers"
    return False, "The broker does not answer. Work waits in the database and goes on when it is back."


def _receiver() -> tuple[bool, str]:
    host = reachable(settings.DICOM_HOST)
    try:
        scu.echo(
            host, settings.DICOM_PORT, called_aet=settings.AE_TITLE, calling_aet="HEALTHCHECK", timeout=1.0
        )
    except scu.PeerError as error:
        return False, str(error)
    return True, f"{settings.AE_TITLE} answers C-ECHO on port {settings.DICOM_PORT}"


def _workers() -> tuple[bool, str]:
    wanted = _wanted_queues()
    served = queues_served(expected=len(wanted))
    missing = sorted(wanted - served)
    if missing:
        return False, f"No worker serves: {', '.join(missing)}."
    return True, f"{', '.join(sorted(served))}"


def _wanted_queues() -> set[str]:
    """A queue of GPU workers only where the site says that it has them."""
    return {q.value for q in Queue if q is not Queue.INFERENCE_GPU or settings.TRIAGE_GPU_WORKERS}


def _isolation() -> tuple[bool, str]:
    """What stands around the models; weaker walls fail only a site that asks for all of them."""
    told = workers_say("isolation", expected=len(_wanted_queues()))
    if not told:
        return True, "unknown while no inference worker answers"
    weakest = next((answer for answer in told if not answer.get("whole")), told[0])
    return bool(weakest.get("whole")) or not settings.TRIAGE_ISOLATION_REQUIRED, str(weakest.get("told"))


def _beat() -> tuple[bool, str]:
    try:
        row = Heartbeat.objects.filter(component="beat").first()
    except DatabaseError:
        return False, "Unknown while the database does not answer."
    if row is None:
        return False, "The clock has not ticked yet."
    silence = timezone.now() - row.at
    if silence > BEAT_SILENCE:
        return False, f"The clock has been silent for {silence.total_seconds():.0f} s."
    return True, f"ticked {max(0.0, silence.total_seconds()):.0f} s ago"


def _reports_out() -> tuple[bool, str]:
    """Told, and no failure of this house: what is meant for a place that is away waits for it."""
    try:
        troubles = outgoing.troubles()
    except DatabaseError:
        return True, "unknown while the database does not answer"
    if not troubles:
        return True, "every destination takes reports"
    away = sum(one["failing_since"] is not None for one in troubles)
    dead = sum(one["dead"] > 0 for one in troubles)
    said = [f"{away} destinations do not answer"] if away else []
    said += [f"{dead} have reports that were given up"] if dead else []
    return True, f"{'; '.join(said)}: see the page Deliveries"


def _alert_channels() -> tuple[bool, str]:
    """Told, and no failure of this house: an alert that a channel did not carry has gone on."""
    try:
        failing = [one["channel"] for one in channels.states() if not one["ok"]]
    except DatabaseError:
        return True, "unknown while the database does not answer"
    if failing:
        return True, f"! {', '.join(failing)} do not work: see the ER page"
    return True, "every channel in use carried its last message"


def _disk() -> tuple[bool, str]:
    settings.ARCHIVE_DIR.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.ARCHIVE_DIR).free // (1024 * 1024)
    if free < settings.MINIMUM_FREE_DISK_MB:
        return False, f"Only {free} MB free; storing is refused below {settings.MINIMUM_FREE_DISK_MB} MB."
    return True, f"{free} MB free"
