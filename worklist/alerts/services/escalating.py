"""Tell the next one, until somebody answers."""

from __future__ import annotations

from datetime import datetime

import structlog
from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.utils import timezone

from foundation.accounts.models import User
from foundation.events import AlertEscalated, publish
from foundation.transitions import LostRace
from worklist.alerts import policies, policy, telling
from worklist.alerts.ladders import SHORTEST_SECONDS, Channel, Rule
from worklist.alerts.models import OPEN_ALERT_STATES, Alert, Delivery, DeliveryState
from worklist.alerts.states import ALERT
from worklist.alerts.telling import PAGE, RULE, Telling, log_step
from worklist.live.messages import Topic
from worklist.live.services import announce

log = structlog.get_logger(__name__)


def escalate_due() -> int:
    """Send every unanswered alert whose deadline passed to its next rung; returns how many."""
    now = timezone.now()
    _mend_deadlines(now)
    due = Alert.objects.filter(state__in=OPEN_ALERT_STATES, deadline_at__lte=now)
    return sum(_escalate(alert) for alert in due.order_by("deadline_at"))


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
                go_on(alert)
        except LostRace:
            continue  # answered or escalated meanwhile
        log.warning("alert_passed_on", alert_id=alert.pk, rung=alert.rung)
        passed += 1
    return passed


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
            go_on(alert)
    except LostRace:
        return False  # answered, or escalated by another process
    log.warning("alert_escalated", alert_id=alert.pk, rung=alert.rung)
    return True


def go_on(alert: Alert) -> None:
    """To the next rung, or the last one again; raises LostRace when somebody was faster."""
    now = timezone.now()
    rule = policies.rule_of(alert)
    repeated = alert.rung >= rule.last
    following = rule.after(alert.rung, alert.department)
    skipped, telling_now = first_that_reaches(rule, following, alert.department, now)
    ALERT.apply(
        alert,
        "escalate",
        expected={"version": alert.version},
        rung=telling_now.number,
        round=F("round") + 1,
        deadline_at=policy.deadline(now, rule.rung(telling_now.number).seconds),
    )
    tell(alert, skipped, telling_now, now, prefix="nobody has answered; " if repeated else "")
    announce(Topic.ALERTS, alert.pk, alert.version)
    publish(AlertEscalated(alert_id=alert.pk))


def hand_to(alert: Alert, person: User, *, by: str) -> bool:
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


def first_that_reaches(
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


def tell(alert: Alert, skipped: list[Telling], found: Telling, now: datetime, prefix: str = "") -> None:
    """Carry out a round; rungs that reach nobody stand in the log."""
    for rung in skipped:
        why = "; ".join(rung.missing) or "nobody there can be reached by its channels"
        log_step(alert, who=f"rung {rung.number + 1}", channel=RULE, outcome=f"{why}: passed on at once")
    telling.carry_out(alert, found, at=now, prefix=prefix)
