"""Raise an alert for what a run found, or write down why nobody is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, Value
from django.db.models.functions import Coalesce, NullIf
from django.utils import timezone

from foundation.events import AlertRaised, publish
from foundation.transitions import LostRace
from pacs.models import Order
from triage.models import Finding, ModelState, Outcome, RunState, TriageRun
from worklist.alerts import policies, policy, quieting
from worklist.alerts.known import answered_earlier, grown_since, in_words
from worklist.alerts.models import OPEN_ALERT_STATES, Alert, AlertState
from worklist.alerts.services.escalating import first_that_reaches, tell
from worklist.alerts.states import ALERT
from worklist.alerts.telling import RULE, log_step
from worklist.live.messages import Topic
from worklist.live.services import announce

log = structlog.get_logger(__name__)


def raise_for_run(*, run_id: int) -> list[Alert]:
    """Alert the ER of each critical finding of this run above its own alert threshold.

    One alert per study and finding code for ever: a second run, model or delivery of the same news
    changes nothing. What is known from a prior, was answered then and has not grown stands in the log as
    "not rung", and so does what is known and quieted for a while (quieting.py). Returns the alerts that ring now.
    """
    run = TriageRun.objects.select_related("model", "study").defer("input_instance_uids").get(pk=run_id)
    if run.state != RunState.DONE or run.outcome != Outcome.POSITIVE:
        return []
    ringing: list[Finding] = []
    silent: list[tuple[Finding, str, str]] = []
    department = _department_of(run.study_id)
    for finding in run.findings.select_related("prior_finding__run"):
        alerts = policy.alerts(
            presence=finding.presence,
            probability=finding.probability,
            alert_threshold=finding.alerts_from,
            criticality=finding.matters,
            # Planned live, and not retired since.
            live=run.model_state == run.model.state == ModelState.LIVE,
        )
        if alerts:
            earlier = answered_earlier(finding)
            grown = earlier is not None and grown_since(earlier, finding)
            rings = policy.rings(
                comparison=finding.comparison,
                answered_before=earlier is not None,
                grown_since=earlier is None or grown,
                known_rings_again=settings.ALERT_KNOWN_FINDINGS_AGAIN,
            )
            if not rings and earlier is not None:
                silent.append((finding, in_words(finding, earlier), ""))
            elif not grown and (quiet := quieting.quiet_for(run, finding, department)):
                until = f"{quiet.expires_at:%d %b %H:%M} UTC"
                words = f"not rung: known, quiet until {until} by {quiet.by}: {quiet.reason}"
                silent.append((finding, words, f"{quieting.MARK}{quiet.pk}"))
            else:
                ringing.append(finding)
    raised = [alert for finding in ringing if (alert := _raise(run, finding)) is not None]
    for finding, words, rule in silent:
        _note_not_rung(run, finding, words, rule)
    return raised


def raise_missing() -> int:
    """Raise what no event raised, for the runs of the last two days; returns how many."""
    since = timezone.now() - timedelta(days=2)
    raised = Alert.objects.filter(study_id=OuterRef("run__study_id"), finding_code=OuterRef("code")).filter(
        ~Q(state=AlertState.NOT_RUNG) | Q(finding_id__gte=OuterRef("pk"))
    )
    own = Coalesce(NullIf("criticality", Value("")), "run__model__criticality")
    silent = Finding.objects.annotate(criticality_then=own).filter(
        ~Exists(raised),
        presence=Finding.Presence.PRESENT,
        probability__gte=Coalesce("alert_threshold", "run__model__alert_threshold"),
        run__state=RunState.DONE,
        run__outcome=Outcome.POSITIVE,
        run__finished_at__gte=since,
        run__model_state=ModelState.LIVE,
        run__model__state=ModelState.LIVE,
        criticality_then="critical",
    )
    run_ids = silent.order_by("run_id").values_list("run_id", flat=True).distinct()
    return sum(len(raise_for_run(run_id=run_id)) for run_id in run_ids)


def name_department(*, order_id: int) -> None:
    """An order that comes after the alert names the department for the page and the delivery log."""
    order = Order.objects.filter(pk=order_id).exclude(department="").first()
    if order is None or order.study_id is None:
        return
    for alert in Alert.objects.filter(study_id=order.study_id, state__in=OPEN_ALERT_STATES, department=""):
        with transaction.atomic():
            Alert.objects.filter(pk=alert.pk, department="").update(
                department=order.department, version=F("version") + 1
            )
            alert.refresh_from_db()
            announce(Topic.ALERTS, alert.pk, alert.version)


def _raise(run: TriageRun, finding: Finding) -> Alert | None:
    now = timezone.now()
    order = Order.objects.filter(study_id=run.study_id).first()
    department = order.department if order else ""
    version, rules = policies.active()
    rule = rules.rule_for(
        finding_code=finding.code,
        department=department,
        location=order.location_class if order else "",
    )
    skipped, first = first_that_reaches(rule, 0, department, now)
    with transaction.atomic():
        fields = {
            "finding": finding,
            "raised_at": now,
            "deadline_at": policy.deadline(now, rule.rung(first.number).seconds),
            "rung": first.number,
            "policy_version": version,
            "rule": rule.name,
        }
        alert, created = Alert.objects.get_or_create(
            study_id=run.study_id,
            finding_code=finding.code,
            defaults=fields | {"department": department},
        )
        if not created and (alert.state != AlertState.NOT_RUNG or not _ring_after_all(alert, fields)):
            return None
        tell(alert, skipped, first, now)
        announce(Topic.ALERTS, alert.pk, alert.version)
        publish(AlertRaised(alert_id=alert.pk))
    log.info("alert_raised", alert_id=alert.pk)
    return alert


def _department_of(study_id: int) -> str:
    return Order.objects.filter(study_id=study_id).values_list("department", flat=True).first() or ""


def _ring_after_all(alert: Alert, fields: dict[str, Any]) -> bool:
    """An alert that was not rung gets a finding that must; False when another process was faster."""
    try:
        ALERT.apply(alert, "ring", **fields)
    except LostRace:
        return False
    return True


def _note_not_rung(run: TriageRun, finding: Finding, words: str, rule: str) -> None:
    """Into the log that nobody was told, and why; nothing changes where an alert rang or was answered."""
    now = timezone.now()
    order = Order.objects.filter(study_id=run.study_id).first()
    with transaction.atomic():
        alert, created = Alert.objects.get_or_create(
            study_id=run.study_id,
            finding_code=finding.code,
            defaults={
                "finding": finding,
                "department": order.department if order else "",
                "state": AlertState.NOT_RUNG,
                "rule": rule,
                "raised_at": now,
                "deadline_at": now,
            },
        )
        if not created:
            again = Alert.objects.filter(pk=alert.pk, state=AlertState.NOT_RUNG, finding_id__lt=finding.pk)
            if not again.update(finding=finding, rule=rule, version=F("version") + 1):
                return
            alert.refresh_from_db()
        log_step(alert, who="nobody", channel=RULE, outcome=words)
        announce(Topic.ALERTS, alert.pk, alert.version)
    log.info("alert_not_rung", alert_id=alert.pk)
