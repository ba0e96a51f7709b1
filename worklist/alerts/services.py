"""Raise, escalate and answer alerts. Each move is guarded and written into the delivery log."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, Value
from django.db.models.functions import Coalesce, NullIf
from django.http import HttpRequest
from django.utils import timezone

from foundation.accounts.models import Role, User
from foundation.audit import services as audit
from foundation.events import AlertAcknowledged, AlertEscalated, AlertRaised, publish
from foundation.transitions import IllegalTransition, LostRace
from pacs.models import Order
from triage.models import Finding, ModelState, Outcome, RunState, TriageRun
from worklist.alerts import policies, policy, quieting, telling
from worklist.alerts.known import answered_earlier, grown_since, in_words
from worklist.alerts.ladders import SHORTEST_SECONDS, Channel, Rule
from worklist.alerts.models import OPEN_ALERT_STATES, Alert, AlertState, Delivery, DeliveryState
from worklist.alerts.states import ALERT, DELIVERY
from worklist.alerts.telling import PAGE, RULE, Telling, log_step
from worklist.live.messages import Topic
from worklist.live.services import announce

log = structlog.get_logger(__name__)

NOT_MY_PATIENT = "not my patient"
OUTCOME_LENGTH = 200


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
            rings = policy.rings(
                comparison=finding.comparison,
                answered_before=earlier is not None,
                grown_since=earlier is None or grown_since(earlier, finding),
                known_rings_again=settings.ALERT_KNOWN_FINDINGS_AGAIN,
            )
            grown = earlier is not None and grown_since(earlier, finding)
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


def escalate_due() -> int:
    """Send every unanswered alert whose deadline passed to its next rung; returns how many."""
    now = timezone.now()
    _mend_deadlines(now)
    due = Alert.objects.filter(state__in=OPEN_ALERT_STATES, deadline_at__lte=now)
    return sum(_escalate(alert) for alert in due.order_by("deadline_at"))


def acknowledge(
    *,
    alert_id: int,
    user: User | None,
    name: str,
    read_back: str,
    request: HttpRequest | None = None,
    channel: str = PAGE,
) -> Alert:
    """A named person takes responsibility and repeats what they were told.

    Acknowledging twice is harmless: the first acknowledgement stands and is returned.

    Args:
        alert_id: the alert.
        user: who is signed in, or whom the answer link was sent to.
        name: the person who answers; a shared workstation may be signed in as somebody else.
        read_back: the result in their words.
        request: for the audit trail.
        channel: page or link.

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
                log_step(alert, who=name, channel=channel, outcome="acknowledged, result read back")
                _withdraw(alert)
                _audit(alert, user, request, "critical result acknowledged")
                announce(Topic.ALERTS, alert.pk, alert.version)
                publish(AlertAcknowledged(alert_id=alert.pk))
            return alert
        except LostRace:
            continue  # escalated or acknowledged meanwhile: look again


def decline(
    *,
    alert_id: int,
    user: User | None,
    reason: str,
    to: User | None = None,
    request: HttpRequest | None = None,
    channel: str = PAGE,
) -> Alert:
    """`user` says that this is not their patient: the next rung is told at once, or whom they name.

    A named person is told by every channel, and the next rung at its deadline as always; somebody who
    cannot be reached now is no answer, then the next rung is told at once too. Saying it twice is
    harmless: one person takes an alert one rung further.

    Args:
        to: whose patient it is.

    Raises:
        ValidationError: no reason, or `to` may not answer alerts.
        IllegalTransition: the alert is answered.
    """
    reason = reason.strip()
    if not reason:
        raise ValidationError("Say why this is not your patient, so that the next one knows.")
    if to is not None and ((user and to.pk == user.pk) or not to.has_role(Role.ER_STAFF, Role.RADIOLOGIST)):
        raise ValidationError("Name somebody else of the ER or a radiologist; others cannot answer alerts.")
    while True:
        alert = Alert.objects.select_related("study__patient").get(pk=alert_id)
        if alert.state == AlertState.ACKNOWLEDGED:
            raise IllegalTransition(f"{alert.acknowledged_name} has answered this alert.")
        said = f"{NOT_MY_PATIENT}: {reason}"[:OUTCOME_LENGTH]
        if user and alert.steps.filter(user=user, outcome__startswith=NOT_MY_PATIENT).exists():
            return alert
        try:
            with transaction.atomic():
                log_step(alert, who=str(user or "by link"), channel=channel, outcome=said, user=user)
                if to is None or not _hand_to(alert, to, by=str(user or "a link")):
                    _go_on(alert)
                _audit(alert, user, request, NOT_MY_PATIENT)
            return alert
        except LostRace:
            continue


def pass_on_unreached() -> int:
    """Send alerts on at once whose round failed by every channel; returns how many.

    Only while nobody can see it on a page either, and only up to the last rung, which waits for its
    deadline: going on faster would reach nobody more.
    """
    given_up = Delivery.objects.filter(
        alert=OuterRef("pk"), round=OuterRef("round"), state=DeliveryState.FAILED
    )
    passed = 0
    for alert in Alert.objects.filter(Exists(given_up), state__in=OPEN_ALERT_STATES).order_by("pk"):
        rule = policies.rule_of(alert)
        messages = alert.deliveries.filter(round=alert.round).exclude(channel=PAGE)
        if alert.rung >= rule.last or messages.exclude(state=DeliveryState.FAILED).exists():
            continue
        if telling.page_is_seen(alert, rule):
            continue
        try:
            with transaction.atomic():
                log_step(alert, who="nobody", channel=RULE, outcome="every channel failed: passed on at once")
                _go_on(alert)
        except LostRace:
            continue  # answered or escalated meanwhile
        log.warning("alert_passed_on", alert_id=alert.pk, rung=alert.rung)
        passed += 1
    return passed


def being_treated(*, alert_id: int, user: User, name: str, request: HttpRequest | None = None) -> Alert:
    """Somebody says that the patient of an answered alert is being treated; the first word stands.

    Raises:
        ValidationError: no name.
        IllegalTransition: nobody has answered yet. Treating is no answer: it names no result.
    """
    name = name.strip()
    if not name:
        raise ValidationError("Say who treats the patient.")
    with transaction.atomic():
        alert = (
            Alert.objects.select_for_update(of=("self",)).select_related("study__patient").get(pk=alert_id)
        )
        if alert.state != AlertState.ACKNOWLEDGED:
            raise IllegalTransition("Answer the alert first: say who you are and repeat the result.")
        if alert.being_treated_at is None:
            Alert.objects.filter(pk=alert.pk).update(
                being_treated_at=policy.answered_at(alert.raised_at, timezone.now()),
                being_treated_by=name,
                version=F("version") + 1,
            )
            alert.refresh_from_db()
            log_step(alert, who=name, channel=PAGE, outcome="says that the patient is being treated")
            _audit(alert, user, request, "patient is being treated")
            announce(Topic.ALERTS, alert.pk, alert.version)
    return alert


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
    skipped, first = _first_that_reaches(rule, 0, department, now)
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
        _tell(alert, skipped, first, now)
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


def _mend_deadlines(now: datetime) -> None:
    """A clock that was put back by an hour must not make anybody wait an hour longer."""
    for alert in Alert.objects.filter(
        state__in=OPEN_ALERT_STATES, deadline_at__gt=policy.deadline(now, SHORTEST_SECONDS)
    ):
        seconds = policies.rule_of(alert).rung(alert.rung).seconds
        if not policy.set_by_another_clock(alert.deadline_at, now, seconds):
            continue
        unchanged = Alert.objects.filter(pk=alert.pk, version=alert.version, state__in=OPEN_ALERT_STATES)
        with transaction.atomic():
            if not unchanged.update(deadline_at=policy.deadline(now, seconds), version=F("version") + 1):
                continue  # answered or escalated meanwhile
            log_step(alert, who="nobody", channel=RULE, outcome="the clock was put back; deadline set anew")
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
    rule = policies.rule_of(alert)
    repeated = alert.rung >= rule.last
    following = rule.after(alert.rung, alert.department)
    skipped, telling_now = _first_that_reaches(rule, following, alert.department, now)
    ALERT.apply(
        alert,
        "escalate",
        expected={"version": alert.version},
        rung=telling_now.number,
        round=F("round") + 1,
        deadline_at=policy.deadline(now, rule.rung(telling_now.number).seconds),
    )
    _tell(alert, skipped, telling_now, now, prefix="nobody has answered; " if repeated else "")
    announce(Topic.ALERTS, alert.pk, alert.version)
    publish(AlertEscalated(alert_id=alert.pk))


def _first_that_reaches(
    rule: Rule, number: int, department: str, now: datetime
) -> tuple[list[Telling], Telling]:
    """The rungs from `number` on that reach nobody at this moment, and the first that reaches somebody.

    The last rung always counts: its pages belong to the whole ER.
    """
    skipped: list[Telling] = []
    while True:
        found = telling.plan(rule, number, department=department, at=now)
        if found.reaches_anybody or number >= rule.last:
            return skipped, found
        skipped.append(found)
        number = rule.after(number, department)


def _tell(alert: Alert, skipped: list[Telling], found: Telling, now: datetime, prefix: str = "") -> None:
    for rung in skipped:
        why = "; ".join(rung.missing) or "nobody there can be reached by its channels"
        log_step(alert, who=f"rung {rung.number + 1}", channel=RULE, outcome=f"{why}: passed on at once")
    telling.carry_out(alert, found, at=now, prefix=prefix)


def _hand_to(alert: Alert, person: User, *, by: str) -> bool:
    """Tell the one who was named by every channel; False when they cannot be reached now."""
    now = timezone.now()
    rule = policies.rule_of(alert)
    words = f"{person}, named by {by}"
    found = telling.plan_for(person, tuple(one for one in Channel if one != Channel.WEBHOOK), words)
    if not found.reaches_anybody:
        log_step(alert, who=words, channel=RULE, outcome="cannot be reached now: passed on at once")
        return False
    ALERT.apply(
        alert,
        "escalate",
        expected={"version": alert.version},
        round=F("round") + 1,
        deadline_at=policy.deadline(now, rule.rung(alert.rung).seconds),
    )
    telling.carry_out(alert, found, at=now)
    announce(Topic.ALERTS, alert.pk, alert.version)
    publish(AlertEscalated(alert_id=alert.pk))
    return True


def _withdraw(alert: Alert) -> None:
    """What waits to be sent for an answered alert is needed by nobody any more."""
    for delivery in alert.deliveries.filter(state=DeliveryState.WAITING):
        with contextlib.suppress(LostRace):  # a worker took it this moment, and looks itself
            DELIVERY.apply(delivery, "withdraw")


def _audit(alert: Alert, user: User | None, request: HttpRequest | None, what: str) -> None:
    audit.record(
        audit.Kind.PATIENT_RECORD,
        action="U",
        user=user,
        request=request,
        study_instance_uid=alert.study.study_instance_uid,
        patient_id=alert.study.patient.patient_id,
        detail={"what": what, "alert": alert.pk, "rung": alert.rung},
    )
