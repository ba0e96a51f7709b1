"""Quiets: for a while, what a prior shows already and has not grown need not ring. Nothing else is silenced.

A finding that is new, grown, or was never compared always rings, whatever quiet stands: a quiet must not
hide a patient who got worse. What a quiet keeps from ringing stands in the log as not rung, with who asked
for it and why, and counts as communicated to nobody.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from foundation.accounts.models import User
from foundation.audit import services as audit
from triage.models import Comparison, Finding, TriageRun
from worklist.alerts.models import Quiet

LONGEST: Final = timedelta(days=7)
# In an alert's `rule`: nobody was told, and nobody had answered.
MARK: Final = "quiet: "


def add(
    *,
    reason: str,
    expires_at: datetime,
    by: User,
    model_id: int | None = None,
    finding_code: str = "",
    department: str = "",
    institution: str = "",
    request: HttpRequest | None = None,
) -> Quiet:
    """Quiet known findings of one model or one code, until `expires_at`.

    Raises:
        ValidationError: no reason, neither model nor finding, or an end that is past or over a week away.
    """
    now = timezone.now()
    if not reason.strip():
        raise ValidationError("Say why, so that others can judge it.")
    if model_id is None and not finding_code:
        raise ValidationError("Name a model or a finding: nothing may be quiet as a whole.")
    if not now < expires_at <= now + LONGEST:
        raise ValidationError(f"A quiet ends within {LONGEST.days} days.")
    with transaction.atomic():
        made, created = Quiet.objects.get_or_create(
            model_id=model_id,
            finding_code=finding_code,
            department=department,
            institution=institution,
            reason=reason.strip(),
            by=by,
            expires_at=expires_at,
            ended_at=None,
        )
        if created:
            _record("alerts quieted", made, by, request)
    return made


def end(*, quiet_id: int, by: User, request: HttpRequest | None = None) -> Quiet:
    """It rings again from now on. Ending twice is harmless."""
    with transaction.atomic():
        quiet = Quiet.objects.select_for_update().get(pk=quiet_id)
        if quiet.ended_at is None:
            quiet.ended_at, quiet.ended_by = timezone.now(), by
            quiet.save(update_fields=["ended_at", "ended_by"])
            _record("quiet ended", quiet, by, request)
    return quiet


def standing(now: datetime | None = None) -> QuerySet[Quiet]:
    """Quiets in force."""
    return Quiet.objects.filter(ended_at__isnull=True, expires_at__gt=now or timezone.now())


def quiet_for(run: TriageRun, finding: Finding, department: str) -> Quiet | None:
    """The quiet that keeps `finding` from ringing; None for all that is not known from a prior."""
    if finding.comparison != Comparison.KNOWN:
        return None
    institution = run.study.institution_name
    return (
        standing()
        .filter(Q(model__isnull=True) | Q(model=run.model_id))
        .filter(finding_code__in=["", finding.code])
        .filter(department__in=["", department])
        .filter(institution__in=["", institution])
        .order_by("pk")
        .first()
    )


def _record(what: str, quiet: Quiet, by: User, request: HttpRequest | None) -> None:
    audit.record(
        audit.Kind.APPLICATION_ACTIVITY,
        action="E",
        user=by,
        request=request,
        detail={
            "what": what,
            "quiet": quiet.pk,
            "model": quiet.model_id,
            "finding": quiet.finding_code,
            "until": quiet.expires_at.isoformat(),
        },
    )
