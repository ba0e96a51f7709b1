"""Raise, escalate and answer alerts. Each move is guarded and written into the delivery log."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, Value
from django.db.models.functions import Coalesce, NullIf
from django.http import HttpRequest
from django.utils import timezone

from foundation.accounts.models import User
from foundation.audit import services as audit
from foundation.events import AlertAcknowledged, AlertEscalated, AlertRaised, publish
from foundation.transitions import IllegalTransition, LostRace
from pacs.models import Order
from triage.models import Finding, ModelState, Outcome, RunState, TriageRun
from worklist.alerts import policy
from worklist.alerts.known import answered_earlier, grown_since, in_words
from worklist.alerts.models import OPEN_ALERT_STATES, Alert, AlertState, AlertStep
from worklist.alerts.selectors import number_connected
from worklist.alerts.states import ALERT
from worklist.live.messages import Topic
from worklist.live.services import announce

log = structlog.get_logger(__name__)

PAGE = "page"
RULE = "rule"
NOT_MY_PATIENT = "not my patient"
OUTCOME_LENGTH = 200


def raise_for_run(*, run_id: int) -> list[Alert]:
    """Alert the ER of each critical finding of this run above its own alert threshold.

    One alert per study and finding code for ever: a second run, model or delivery of the same news
    changes nothing. What is known from a prior, was answered then and has not grown stands in the log as
    "not rung". Returns the alerts that ring now.
    """
    run = TriageRun.objects.select_related("model").defer("input_instance_uids").get(pk=run_id)
    if run.state != RunState.DONE or run.outcome != Outcome.POSITIVE:
        return []
    ringing, known = [], []
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
            rings = policy.rings(
                comparison=finding.comparison,
                answered_before=earlier is not None,
                grown_since=earlier is None or grown_since(earlier, finding),
                known_rings_again=settings.ALERT_KNOWN_FINDINGS_AGAIN,
            )
            if rings or earlier is None:
                ringing.append(finding)
            else:
                known.append((finding, earlier))
    raised = [alert for finding in ringing if (alert := _raise(run, finding)) is not None]
    for finding, earlier in known:
        _note_known(run, finding, earlier)
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


def escalate_due() -> int:
    """Send every unanswered alert whose deadline passed to its next rung; returns how many."""
    now = timezone.now()
    _mend_deadlines(now)
    due = Alert.objects.filter(state__in=OPEN_ALERT_STATES, deadline_at__lte=now)
    return sum(_escalate(alert) for alert in due.order_by("deadline_at"))


def acknowledge(
    *, alert_id: int, user: User, name: str, read_back: str, request: HttpRequest | None = None
) -> Alert:
    """A named person takes responsibility and repeats what they were told.

    Acknowledging twice is harmless: the first acknowledgement stands and is returned.

    Args:
        alert_id: the alert.
        user: who is signed in.
        name: the person who answers; a shared workstation may be signed in as somebody else.
        read_back: the result in their words.
        request: for the audit trail.

    Raises:
        ValidationError: no name or nothing read back.
    """
    name, read_back = name.strip(), read_back.strip()
    if not name or not read_back:
        raise ValidationError("Say who answers, and repeat the result in your own words.")
    while True:
        alert = Alert.objects.select_related("study__patient").get(pk=alert_id)
        if alert.state == AlertState.ACKNOWLEDGED:
            return alert
        try:
            with transaction.atomic():
                ALERT.apply(
                    alert,
                    "acknowledge",
                    acknowledged_by=user,
                    acknowledged_name=name,
                    acknowledged_at=policy.answered_at(alert.raised_at, timezone.now()),
                    read_back=read_back,
                )
                _log_step(alert, who=name, channel=PAGE, outcome="acknowledged, result read back")
                _audit(alert, user, request, "critical result acknowledged")
                announce(Topic.ALERTS, alert.pk, alert.version)
                publish(AlertAcknowledged(alert_id=alert.pk))
            return alert
        except LostRace:
            continue  # escalated or acknowledged meanwhile: look again


def decline(*, alert_id: int, user: User, reason: str, request: HttpRequest | None = None) -> Alert:
    """`user` says that this is not their patient: the next rung is told at once.

    Saying it twice is harmless: one person takes an alert one rung further.

    Raises:
        ValidationError: no reason.
        IllegalTransition: the alert is answered.
    """
    reason = reason.strip()
    if not reason:
        raise ValidationError("Say why this is not your patient, so that the next one knows.")
    while True:
        alert = Alert.objects.select_related("study__patient").get(pk=alert_id)
        if alert.state == AlertState.ACKNOWLEDGED:
            raise IllegalTransition(f"{alert.acknowledged_name} has answered this alert.")
        said = f"{NOT_MY_PATIENT}: {reason}"[:OUTCOME_LENGTH]
        if alert.steps.filter(user=user, outcome__startswith=NOT_MY_PATIENT).exists():
            return alert
        try:
            with transaction.atomic():
                _log_step(alert, who=str(user), channel=PAGE, outcome=said, user=user)
                _go_on(alert)
                _audit(alert, user, request, NOT_MY_PATIENT)
            return alert
        except LostRace:
            continue


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
    with transaction.atomic():
        alert, created = Alert.objects.get_or_create(
            study_id=run.study_id,
            finding_code=finding.code,
            defaults={
                "finding": finding,
                "department": order.department if order else "",
                "raised_at": now,
                "deadline_at": policy.deadline(now, settings.ALERT_RUNG_SECONDS),
            },
        )
        if not created and (alert.state != AlertState.NOT_RUNG or not _ring_after_all(alert, finding)):
            return None
        _tell_page(alert)
        announce(Topic.ALERTS, alert.pk, alert.version)
        publish(AlertRaised(alert_id=alert.pk))
    log.info("alert_raised", alert_id=alert.pk)
    return alert


def _ring_after_all(alert: Alert, finding: Finding) -> bool:
    """An alert that was not rung gets a finding that must; False when another process was faster."""
    now = timezone.now()
    try:
        ALERT.apply(
            alert,
            "ring",
            finding=finding,
            raised_at=now,
            deadline_at=policy.deadline(now, settings.ALERT_RUNG_SECONDS),
        )
    except LostRace:
        return False
    return True


def _note_known(run: TriageRun, finding: Finding, earlier: Alert) -> None:
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
                "raised_at": now,
                "deadline_at": now,
            },
        )
        if not created:
            again = Alert.objects.filter(pk=alert.pk, state=AlertState.NOT_RUNG, finding_id__lt=finding.pk)
            if not again.update(finding=finding, version=F("version") + 1):
                return
            alert.refresh_from_db()
        _log_step(alert, who="nobody", channel=RULE, outcome=in_words(finding, earlier)[:OUTCOME_LENGTH])
        announce(Topic.ALERTS, alert.pk, alert.version)
    log.info("alert_not_rung", alert_id=alert.pk, answered_alert_id=earlier.pk)


def _mend_deadlines(now: datetime) -> None:
    """A clock that was put back by an hour must not make anybody wait an hour longer."""
    seconds = settings.ALERT_RUNG_SECONDS
    for alert in Alert.objects.filter(
        state__in=OPEN_ALERT_STATES, deadline_at__gt=policy.deadline(now, seconds)
    ):
        if not policy.set_by_another_clock(alert.deadline_at, now, seconds):
            continue
        unchanged = Alert.objects.filter(pk=alert.pk, version=alert.version, state__in=OPEN_ALERT_STATES)
        with transaction.atomic():
            if not unchanged.update(deadline_at=policy.deadline(now, seconds), version=F("version") + 1):
                continue  # answered or escalated meanwhile
            _log_step(alert, who="nobody", channel=RULE, outcome="the clock was put back; deadline set anew")
            announce(Topic.ALERTS, alert.pk, alert.version + 1)
        log.warning("alert_deadline_mended", alert_id=alert.pk)


def _escalate(alert: Alert) -> bool:
    try:
        with transaction.atomic():
            _go_on(alert)
    except LostRace:
        return False  # answered, or escalated by another process
    log.warning("alert_escalated", alert_id=alert.pk, rung=alert.rung)
    return True


def _go_on(alert: Alert) -> None:
    """To the next rung, or the last one again; raises LostRace when somebody was faster."""
    now = timezone.now()
    repeated = alert.rung == policy.LAST_RUNG
    ALERT.apply(
        alert,
        "escalate",
        expected={"version": alert.version},
        rung=policy.next_rung(alert.rung, alert.department),
        deadline_at=policy.deadline(now, settings.ALERT_RUNG_SECONDS),
    )
    _tell_page(alert, prefix="nobody has answered; " if repeated else "")
    announce(Topic.ALERTS, alert.pk, alert.version)
    publish(AlertEscalated(alert_id=alert.pk))


def _tell_page(alert: Alert, prefix: str = "") -> None:
    """The page channel: open pages ring by the live message. The log says how many can hear it."""
    audience = policy.audience(alert.rung, alert.department)
    connected = number_connected(audience)
    heard = f"shown to {connected} connected" if connected else "nobody signed in"
    _log_step(alert, who=audience.in_words(), channel=PAGE, outcome=prefix + heard)


def _log_step(alert: Alert, *, who: str, channel: str, outcome: str, user: User | None = None) -> None:
    AlertStep.objects.create(
        alert=alert, rung=alert.rung, who=who[:200], channel=channel, outcome=outcome, user=user
    )


def _audit(alert: Alert, user: User, request: HttpRequest | None, what: str) -> None:
    audit.record(
        audit.Kind.PATIENT_RECORD,
        action="U",
        user=user,
        request=request,
        study_instance_uid=alert.study.study_instance_uid,
        patient_id=alert.study.patient.patient_id,
        detail={"what": what, "alert": alert.pk, "rung": alert.rung},
    )
