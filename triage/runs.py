"""The life of a run: taken under a lease, finished once, counted, given up in the end.

The row is the truth about the work. A worker holds a run by a lease token; every write of a result
names the token, so that what a lost worker says late changes nothing. A lease ends by time, or at once
when its holder was a process on this machine that does not live any more.
"""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from foundation.accounts.models import User
from foundation.audit import services as audit
from foundation.events import TriageRunFinished, TriageStarted, publish
from foundation.transitions import LostRace
from triage import withdrawal
from triage.models import ACTIVE_RUN_STATES, Finding, ModelState, Outcome, RunState, TriageRun
from triage.states import RUN

log = structlog.get_logger(__name__)

REASON_LENGTH = 500
REQUEUE_AFTER = timedelta(seconds=30)
RENEW_AFTER = timedelta(seconds=10)


class LeaseLost(Exception):
    """The run belongs to somebody else by now, or newer input replaced it: stop, write nothing."""


@dataclass(frozen=True)
class Lease:
    """A run held by this process; `run` is the row as taken."""

    run: TriageRun
    token: str


@dataclass(frozen=True)
class Result:
    """What a run says.

    Attributes:
        outcome: positive or negative.
        probability: of the finding, 0 to 1.
        weights_sha256: of the weights that were loaded.
        timings: seconds by step.
        runtime: what computed it: torch, openvino, onnxruntime, cuda.
        findings: unsaved rows, without their run.
        notes: what was left out of the input or is missing from it, in words.
    """

    outcome: Outcome
    probability: float
    weights_sha256: str
    timings: dict[str, float]
    findings: list[Finding]
    notes: str = ""
    runtime: str = ""


def take(*, run_id: int, holder: str | None = None, urgency: int = 0) -> Lease | None:
    """Hold a run, or None when it needs nobody: finished, stale, held by a living worker, or gone.

    Counts the attempt. A run whose attempts are used up becomes failed here. `urgency` is recorded: as what
    it was taken (triage/urgency.py).
    """
    run = TriageRun.objects.select_related("model", "series", "study__patient").filter(pk=run_id).first()
    if run is None or run.state not in ACTIVE_RUN_STATES or not _free(run):
        return None
    if run.attempts >= settings.TRIAGE_MAXIMUM_ATTEMPTS:
        _give_up(run)
        return None
    if run.state == RunState.WAITING and run.model.state == ModelState.RETIRED:
        # Planned while the model retired, or asked for again since.
        withdrawal.end_waiting_run(run)
        return None
    now, token = timezone.now(), str(uuid.uuid4())
    try:
        with transaction.atomic():
            RUN.apply(
                run,
                "take",
                expected={"lease_token": run.lease_token, "attempts": run.attempts},
                lease_token=token,
                lease_until=now + timedelta(seconds=settings.TRIAGE_LEASE_SECONDS),
                lease_holder=holder if holder is not None else this_process(),
                attempts=run.attempts + 1,
                urgency=urgency,
                started_at=now,
                reason="",
            )
            publish(TriageStarted(run_id=run.pk))
    except LostRace:
        return None
    return Lease(run, token)


def renew(lease: Lease) -> None:
    """Hold on for another lease time; raises LeaseLost when the run is no longer ours.

    Asked after every step: while most of the lease is left it only looks, because each write waits for the disk.
    """
    run, now = lease.run, timezone.now()
    until = now + timedelta(seconds=settings.TRIAGE_LEASE_SECONDS)
    held = TriageRun.objects.filter(pk=run.pk, state=RunState.RUNNING, lease_token=lease.token)
    fresh = run.lease_until is not None and until - run.lease_until < RENEW_AFTER
    if not (held.exists() if fresh else held.update(lease_until=until)):
        raise LeaseLost(f"Run {run.pk} is no longer held by this worker.")
    if not fresh:
        run.lease_until = until


def finish(lease: Lease, result: Result) -> bool:
    """Write the one result of a run and tell it; its documents follow (triage/filing.py).

    A model that retired meanwhile says nothing: the run ends as not analysed. Nothing is written under a
    hash that is not the registered one.

    Args:
        lease: must still hold.
        result: what the run says.

    Returns:
        Whether the run is done, and its worker may go on to the documents.

    Raises:
        LeaseLost: nothing was written.
    """
    with transaction.atomic():
        if changed := withdrawal.changed_since(lease.run, result.weights_sha256):
            _move(lease, "refuse" if changed == withdrawal.RETIRED else "fail", reason=changed)
            publish(TriageRunFinished(run_id=lease.run.pk))
            log.warning("triage_result_dropped", run_id=lease.run.pk, reason=changed)
            return False
        _move(
            lease,
            "finish",
            outcome=result.outcome,
            probability=result.probability,
            weights_sha256=result.weights_sha256,
            timings=result.timings,
            runtime=result.runtime,
            reason=result.notes[:REASON_LENGTH],
            # This worker makes the documents next. The sweep looks whether it lives.
            lease_holder=lease.run.lease_holder,
            documents_attempts=1,
            documents_attempted_at=timezone.now(),
        )
        for finding in result.findings:
            finding.run = lease.run
            finding.save(force_insert=True)
        publish(TriageRunFinished(run_id=lease.run.pk))
    log.info("triage_run_done", run_id=lease.run.pk, outcome=str(result.outcome), timings=result.timings)
    return True


def not_analysed(lease: Lease, reason: str) -> None:
    """The input lies outside what the model is made for. Raises LeaseLost."""
    with transaction.atomic():
        _move(lease, "refuse", reason=reason[:REASON_LENGTH])
        publish(TriageRunFinished(run_id=lease.run.pk))
    log.info("triage_run_not_analysed", run_id=lease.run.pk)


def fail(lease: Lease, reason: str) -> None:
    """The run failed for good. Raises LeaseLost."""
    with transaction.atomic():
        _move(lease, "fail", reason=reason[:REASON_LENGTH])
        publish(TriageRunFinished(run_id=lease.run.pk))
    log.error("triage_run_failed", run_id=lease.run.pk, attempts=lease.run.attempts)


def put_back(lease: Lease, reason: str) -> None:
    """Something passing went wrong: try again, or fail when the attempts are used up. Raises LeaseLost."""
    if lease.run.attempts >= settings.TRIAGE_MAXIMUM_ATTEMPTS:
        fail(lease, f"{reason} ({lease.run.attempts} attempts)")
        return
    _move(lease, "put_back", reason=reason[:REASON_LENGTH], queued_at=None, finished=False)
    log.warning("triage_run_put_back", run_id=lease.run.pk, attempts=lease.run.attempts)


def retry(*, run: TriageRun, by: User | None = None) -> None:
    """An administrator asks again for a run that failed or was not analysed.

    Raises:
        IllegalTransition: it is neither.
        LostRace: it changed meanwhile.
    """
    with transaction.atomic():
        RUN.apply(run, "retry", attempts=0, reason="", queued_at=None, finished_at=None, lease_token="")
        audit.record(
            audit.Kind.APPLICATION_ACTIVITY,
            action="E",
            user=by,
            study_instance_uid=run.study.study_instance_uid,
            detail={"what": "triage run retried", "run": run.pk},
        )


def due_runs(limit: int = 200) -> list[int]:
    """Runs that want a worker and were not queued lately; marks them queued. Gives up hopeless ones."""
    now = timezone.now()
    for run in TriageRun.objects.filter(state=RunState.RUNNING).only(*_LEASE_FIELDS):
        if _free(run) and run.attempts >= settings.TRIAGE_MAXIMUM_ATTEMPTS:
            _give_up(run)
    due = TriageRun.objects.filter(Q(queued_at__isnull=True) | Q(queued_at__lte=now - REQUEUE_AFTER))
    candidates = (
        due.filter(state__in=ACTIVE_RUN_STATES)
        .only(*_LEASE_FIELDS)
        .order_by(F("queued_at").asc(nulls_first=True), "pk")
    )
    wanted = [run.pk for run in candidates[: 2 * limit] if _free(run)][:limit]
    TriageRun.objects.filter(pk__in=wanted).update(queued_at=now)
    return wanted


def queued_before(run_ids: Iterable[int]) -> list[int]:
    """Those of these runs that are older than one round of queueing: somebody was asked for them before."""
    long_ago = timezone.now() - REQUEUE_AFTER
    return list(
        TriageRun.objects.filter(pk__in=run_ids, created_at__lte=long_ago).values_list("pk", flat=True)
    )


def release_abandoned() -> None:
    """End the leases of processes on this machine that do not live any more; the sweep queues their runs."""
    for run in TriageRun.objects.filter(state=RunState.RUNNING).only(*_LEASE_FIELDS):
        if not holder_lives(run.lease_holder):
            held = TriageRun.objects.filter(pk=run.pk, state=RunState.RUNNING, lease_token=run.lease_token)
            if held.update(lease_until=timezone.now(), queued_at=None):
                log.warning("triage_lease_released", run_id=run.pk, attempts=run.attempts)


def this_process() -> str:
    """Who holds a lease: host, process id, and when the process started (ids are used again)."""
    return f"{socket.gethostname()[:80]} {os.getpid()} {_started(os.getpid())}"


def holder_lives(holder: str) -> bool:
    """False when the holder was a process on this machine and is gone; True when nobody can tell."""
    parts = holder.rsplit(" ", 2)
    if len(parts) != 3 or parts[0] != socket.gethostname()[:80] or not parts[1].isdigit():
        return True
    try:
        os.kill(int(parts[1]), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return parts[2] == _started(int(parts[1]))


_LEASE_FIELDS = (
    "pk",
    "state",
    "attempts",
    "lease_token",
    "lease_until",
    "lease_holder",
    "queued_at",
    "study",
)


def _free(run: TriageRun) -> bool:
    if run.state == RunState.WAITING:
        return True
    over = run.lease_until is None or run.lease_until <= timezone.now()
    return over or not holder_lives(run.lease_holder)


def _give_up(run: TriageRun) -> None:
    died = run.state == RunState.RUNNING
    reason = (
        f"worker died {run.attempts} times" if died else (run.reason or f"{run.attempts} attempts failed")
    )
    try:
        with transaction.atomic():
            RUN.apply(
                run,
                "fail",
                expected={"lease_token": run.lease_token, "attempts": run.attempts},
                reason=reason,
                lease_token="",
                lease_until=None,
                finished_at=timezone.now(),
            )
            publish(TriageRunFinished(run_id=run.pk))
    except LostRace:
        return
    log.error("triage_run_given_up", run_id=run.pk, attempts=run.attempts)


def _move(lease: Lease, event: str, *, finished: bool = True, **updates: Any) -> None:
    if finished:
        updates["finished_at"] = timezone.now()
    try:
        RUN.apply(
            lease.run,
            event,
            expected={"lease_token": lease.token},
            **{"lease_token": "", "lease_until": None, "lease_holder": ""} | updates,
        )
    except LostRace as error:
        raise LeaseLost(f"Run {lease.run.pk} is no longer held by this worker.") from error


def _started(pid: int) -> str:
    """Start time of a process in clock ticks since boot (Linux), "" of a dead one, "0" where not told."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "0"
    return "" if state in {"Z", "X"} else fields[18]
