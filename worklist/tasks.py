"""What beat wakes in the worklist: sweeps over the database, safe to run twice."""

from __future__ import annotations

from foundation.audit import services as audit
from foundation.queueing import task
from worklist import flows
from worklist.alerts import services as alerts
from worklist.fhircast import services as fhircast
from worklist.live import services as live
from worklist.queue import claims, holding, sharing
from worklist.simulation import services as simulations


@task(name="worklist.sweep", time_limit=120)
def sweep() -> None:
    """Free expired claims, end holds that are over, share what groups leave alone, repair, wake, forget."""
    claims.release_expired()
    holding.end_over()
    sharing.share_uncovered()
    flows.repair()
    simulations.wake_waiting()
    live.prune()
    fhircast.prune()


@task(name="worklist.escalate_due_alerts", time_limit=60)
def escalate_due_alerts() -> None:
    """Send unanswered alerts to their next rung, and messages that nobody sends."""
    alerts.escalate_due()
    alerts.pass_on_unreached()
    flows.wake_alert_messages()


@task(name="worklist.seal_audit", time_limit=300)
def seal_audit() -> None:
    """Chain new audit events."""
    audit.seal()


@task(name="worklist.beat_heartbeat", time_limit=30)
def beat_heartbeat() -> None:
    """Show that beat sends and a worker takes: this runs in a worker because beat asked for it."""
    live.beat("beat")
    live.beat("workers")
