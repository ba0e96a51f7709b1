"""Signing: preliminary, final, and the attending's signature under a preliminary report."""

from __future__ import annotations

from collections.abc import Sequence

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from foundation import events
from foundation.accounts.models import Role, User
from worklist.reports.checks import Check, Facts, Override, open_checks, unsettled, used_overrides
from worklist.reports.facts import ai_facts
from worklist.reports.models import Report, ReportState
from worklist.reports.selectors import draft_of
from worklist.reports.services.rows import Action, bare, keep_version, locked, tell
from worklist.reports.states import REPORT


class ChecksOpen(Exception):
    """The report cannot be signed yet; `checks` says why, settled or not."""

    def __init__(self, checks: Sequence[Check]) -> None:
        super().__init__("Some checks are open.")
        self.checks = list(checks)


def signs_finally(user: User) -> bool:
    """Whether a signature of `user` makes a report final: an attending's does, a resident's never."""
    return user.has_role(Role.RADIOLOGIST) and not user.has_role(Role.RESIDENT)


def sign(
    *,
    report_id: int,
    version: int,
    overrides: Sequence[Override],
    facts: Facts,
    by: User,
    preliminary: bool = False,
    request: HttpRequest | None = None,
) -> Report:
    """Sign the text as it stood at `version`; it is kept as signed for ever.

    A resident's signature is always preliminary, an attending's when they ask for it (a wet read). The
    attending's final signature under a preliminary report is the co-signature. The caller has made sure
    that `by` is a radiologist, and of a draft that they hold the study.

    Raises:
        ChecksOpen: a blocking check is neither settled nor overridden with a reason.
        LostRace: a person changed the report since `version`.
        IllegalTransition: it is final already.
    """
    preliminary = preliminary or not signs_finally(by)
    event = "sign preliminary" if preliminary else "sign"
    with transaction.atomic():
        report = locked(report_id, version)
        REPORT.target(report.state, event)
        action = _action(report.state, preliminary)
        checks = open_checks(draft_of(report, ai_facts(report.study_id)), facts)
        if unsettled(checks, overrides):
            raise ChecksOpen(checks)
        now = timezone.now()
        said = {check.code: check.text for check in checks}
        kept = [
            {"code": o.code, "text": said[o.code], "reason": o.reason.strip()}
            for o in used_overrides(checks, overrides)
        ]
        REPORT.apply(
            report,
            event,
            expected={"version": report.version},
            edited_version=report.version + 1,
            signed_by=by,
            signed_at=now,
            signed_version=report.version + 1,
            signed_sections=bare(report.sections),
            updated_by=by,
            updated_at=now,
        )
        keep_version(report, action, overrides=kept, by=by)
        codes = [override["code"] for override in kept]
        tell(report, f"report {action.value}", by=by, request=request, overrides=codes)
        events.publish(events.ReportSigned(report_id=report.pk))
    return report


def require_attending(user: User, what: str) -> None:
    """Raises PermissionDenied for a resident."""
    if not signs_finally(user):
        raise PermissionDenied(f"Residents do not {what} a final report. Ask an attending radiologist.")


def _action(state: str, preliminary: bool) -> Action:
    if preliminary:
        return Action.PRELIMINARY
    return Action.COSIGNED if state == ReportState.PRELIMINARY else Action.SIGNED
