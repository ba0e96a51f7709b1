"""What a policy would have done with the alerts of the last week: whom first, and where nobody was on call."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.utils import timezone

from worklist.alerts import policies
from worklist.alerts.ladders import Ladders, Rule
from worklist.alerts.models import Alert, AlertState
from worklist.rota.models import Duty, Shift

DAYS: Final = 7
MOST_ALERTS: Final = 2000


@dataclass
class _Tally:
    alerts: int = 0
    moved: int = 0
    gaps: Counter[int] | None = None


def of_last_week(ladders: Ladders) -> dict[str, Any]:
    """Counts without patients, in a constant number of queries.

    Returns:
        `{days, alerts, changed, rules: [{name, alerts, first, seconds_to_everybody, uncovered:
        [{position, alerts}]}]}`; `changed` counts alerts whose ladder would differ from today's policy,
        `uncovered` those for which nobody was on call when their rung would have come.
    """
    since = timezone.now() - timedelta(days=DAYS)
    alerts = list(
        Alert.objects.filter(raised_at__gte=since)
        .exclude(state=AlertState.NOT_RUNG)
        .order_by("-raised_at")
        .values_list("finding_code", "department", "study__order__location_class", "raised_at")[:MOST_ALERTS]
    )
    shifts = list(
        Shift.objects.filter(
            duty=Duty.ON_CALL, cancelled_at__isnull=True, user__is_active=True, ends_at__gt=since
        ).values_list("department", "position", "starts_at", "ends_at")
    )
    _, present = policies.active()
    tallies = {rule.name: _Tally(gaps=Counter()) for rule in ladders.rules}
    changed = 0
    for code, department, location, raised_at in alerts:
        place = {"finding_code": code, "department": department, "location": location or ""}
        rule = ladders.rule_for(**place)
        changed += rule.rungs != present.rule_for(**place).rungs
        tally = tallies[rule.name]
        tally.alerts += 1
        assert tally.gaps is not None
        tally.gaps.update(_gaps(rule, department, raised_at, shifts))
    return {
        "days": DAYS,
        "alerts": len(alerts),
        "changed": changed,
        "rules": [_document(rule, tallies[rule.name]) for rule in ladders.rules],
    }


def _document(rule: Rule, tally: _Tally) -> dict[str, Any]:
    return {
        "name": rule.name,
        "alerts": tally.alerts,
        "first": rule.rungs[0].in_words("the patient's department"),
        "seconds_to_everybody": sum(rung.seconds for rung in rule.rungs[:-1]),
        "uncovered": [
            {"position": position, "alerts": count} for position, count in sorted((tally.gaps or {}).items())
        ],
    }


def _gaps(rule: Rule, department: str, raised_at: datetime, shifts: list[tuple[Any, ...]]) -> set[int]:
    """Positions that nobody held when their rung would have been told."""
    missing, at = set(), raised_at
    for rung in rule.rungs:
        held = {
            position
            for place, position, start, end in shifts
            if start <= at < end and (not department or place in ("", department))
        }
        missing |= {position for position in rung.positions() if position > len(held)}
        at += timedelta(seconds=rung.seconds)
    return missing
