"""What is known from a prior and was answered then: the reason for not ringing twice."""

from __future__ import annotations

from typing import Final

from pacs.demographics import day_in_words
from triage.inference.comparison.rule import grew
from triage.models import Finding
from triage.selectors import known_since
from worklist.alerts.models import Alert, AlertState

LONGEST_CHAIN: Final = 50


def answered_earlier(finding: Finding) -> Alert | None:
    """The acknowledged alert about what `finding` is known from; None when nobody answered for it.

    Scans in between that were not rung, because they were known too, lead on to the one that was. An alert
    that still rings, or was about another target under the same code, answers nothing.
    """
    prior = finding.prior_finding
    for _ in range(LONGEST_CHAIN):
        if prior is None:
            return None
        alert = (
            Alert.objects.filter(study_id=prior.run.study_id, finding_code=finding.code)
            .select_related("finding__prior_finding__run")
            .first()
        )
        if alert is None or alert.finding.name != prior.name:
            return None
        if alert.state == AlertState.ACKNOWLEDGED:
            return alert
        if alert.state != AlertState.NOT_RUNG:
            return None
        prior = alert.finding.prior_finding
    return None


def grown_since(answered: Alert, finding: Finding) -> bool:
    """Has it grown since somebody answered for it? True when a volume is unknown."""
    before, now = answered.finding.volume_ml, finding.volume_ml
    return before is None or now is None or grew(before, now)


def in_words(finding: Finding, answered: Alert) -> str:
    """For the delivery log."""
    since = day_in_words(known_since(finding))
    return f"not rung: known{f' since {since}' if since else ''}, not grown; {answered.acknowledged_name} answered"
