"""Versions of the alert policy: which is in force, which one an open alert climbs, who changed it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from foundation.accounts.models import User
from foundation.audit import services as audit
from worklist.alerts import ladders
from worklist.alerts.ladders import SHIPPED, Ladders, Rule, WrongPolicy
from worklist.alerts.models import Alert, AlertPolicy, AlertPolicyState

# What was activated never changes, so each process may keep it for ever.
_parsed: dict[str, Ladders] = {}


def active() -> tuple[str, Ladders]:
    """Version and rules in force now; what the house ships while a site has activated none."""
    row = AlertPolicy.objects.filter(state=AlertPolicyState.ACTIVE).only("pk", "version", "document").first()
    return (row.version, _read(row)) if row else (SHIPPED, shipped())


def shipped() -> Ladders:
    """The policy of a site that made none, with the site's seconds."""
    return ladders.parse(ladders.shipped(settings.ALERT_RUNG_SECONDS), check=False)


def rule_of(alert: Alert) -> Rule:
    """The rule that `alert` climbs: of the version under which it rang, whatever is active by now."""
    version = alert.policy_version
    if version in ("", SHIPPED):
        return shipped().rules[0]
    if version in _parsed:
        return _parsed[version].named(alert.rule)
    row = AlertPolicy.objects.filter(version=version).first()
    # A row that was deleted by hand leaves the alert on the shipped ladder: it must go on.
    return (_read(row) if row else shipped()).named(alert.rule)


def draft(*, version: str, document: Any, by: User, request: HttpRequest | None = None) -> AlertPolicy:
    """Keep a new version; it does nothing until it is activated.

    Raises:
        ValidationError: the version is taken, or the document is no policy; says every fault.
    """
    version = version.strip()
    if not version or version == SHIPPED:
        raise ValidationError(f"Give the version a name; “{SHIPPED}” is the house's own.")
    _parse(document)
    if AlertPolicy.objects.filter(version=version).exists():
        raise ValidationError(f"There is a version {version} already. Choose another name.")
    with transaction.atomic():
        made = AlertPolicy.objects.create(version=version, document=document, created_by=by)
        _record("alert policy drafted", made, by, request)
    return made


def activate(*, policy_id: int, reason: str, by: User, request: HttpRequest | None = None) -> AlertPolicy:
    """From now on alerts ring by this version; those that ring already go on by theirs.

    Activating the active one is harmless. A retired version may be activated again.

    Raises:
        ValidationError: no reason, or the document is no policy any more.
    """
    if not reason.strip():
        raise ValidationError("Say why, so that others can follow it.")
    with transaction.atomic():
        # All rows, so that two who activate at once do it one after the other.
        rows = {row.pk: row for row in AlertPolicy.objects.select_for_update().order_by("pk")}
        chosen = rows.get(policy_id)
        if chosen is None:
            raise AlertPolicy.DoesNotExist
        if chosen.state == AlertPolicyState.ACTIVE:
            return chosen
        _parse(chosen.document)
        AlertPolicy.objects.filter(state=AlertPolicyState.ACTIVE).update(state=AlertPolicyState.RETIRED)
        chosen.state, chosen.reason = AlertPolicyState.ACTIVE, reason.strip()[:300]
        chosen.activated_by, chosen.activated_at = by, timezone.now()
        chosen.save(update_fields=["state", "reason", "activated_by", "activated_at"])
        _record("alert policy activated", chosen, by, request, reason=chosen.reason)
    return chosen


def retire(*, reason: str, by: User, request: HttpRequest | None = None) -> None:
    """Back to what the house ships."""
    if not reason.strip():
        raise ValidationError("Say why, so that others can follow it.")
    with transaction.atomic():
        for row in AlertPolicy.objects.select_for_update().filter(state=AlertPolicyState.ACTIVE):
            row.state = AlertPolicyState.RETIRED
            row.save(update_fields=["state"])
            _record("alert policy retired", row, by, request, reason=reason.strip()[:300])


def _read(row: AlertPolicy) -> Ladders:
    if row.version not in _parsed:
        _parsed[row.version] = ladders.parse(row.document, check=False)
    return _parsed[row.version]


def _parse(document: Any) -> Ladders:
    try:
        return ladders.parse(document)
    except WrongPolicy as error:
        raise ValidationError(error.faults) from None


def _record(what: str, row: AlertPolicy, by: User, request: HttpRequest | None, **detail: Any) -> None:
    audit.record(
        audit.Kind.APPLICATION_ACTIVITY,
        action="E" if "activated" in what else "C",
        user=by,
        request=request,
        detail={"what": what, "version": row.version, **detail},
    )
