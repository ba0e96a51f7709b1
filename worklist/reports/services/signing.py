"""Signing: the signature, addenda and corrections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from foundation import events
from foundation.accounts.models import User
from worklist.reports import conclusions as conclusion_rules
from worklist.reports.checks import Check, Facts, Override, open_checks, unsettled, used_overrides
from worklist.reports.drafting import Section
from worklist.reports.facts import ai_facts
from worklist.reports.models import SIGNED_REPORT_STATES, Report, ReportVersion
from worklist.reports.selectors import draft_of, verdicts_of
from worklist.reports.services.rows import Action, clean_text, enter, locked, tell
from worklist.reports.states import REPORT


class ChecksOpen(Exception):
    """The report cannot be signed yet; `checks` says why, settled or not."""

    def __init__(self, checks: Sequence[Check]) -> None:
        super().__init__("Some checks are open.")
        self.checks = list(checks)


def sign(
    *,
    report_id: int,
    version: int,
    overrides: Sequence[Override],
    facts: Facts,
    by: User,
    request: HttpRequest | None = None,
) -> Report:
    """Sign the draft as it stood at `version`; the text is kept as signed for ever.

    The caller has made sure that `by` is a radiologist who holds the study.

    Raises:
        ChecksOpen: a blocking check is neither settled nor overridden with a reason.
        LostRace: a person changed the report since `version`.
        IllegalTransition: it is signed already.
    """
    with transaction.atomic():
        report = locked(report_id, version)
        REPORT.target(report.state, "sign")
        checks = open_checks(draft_of(report, ai_facts(report.study_id)), facts)
        if unsettled(checks, overrides):
            raise ChecksOpen(checks)
        now = timezone.now()
        kept = [{"code": o.code, "reason": o.reason.strip()} for o in used_overrides(checks, overrides)]
        REPORT.apply(
            report,
            "sign",
            expected={"version": report.version},
            edited_version=report.version + 1,
            signed_by=by,
            signed_at=now,
            updated_by=by,
            updated_at=now,
        )
        _keep_version(report, Action.SIGNED, sections=_bare(report.sections), overrides=kept, by=by)
        codes = [override["code"] for override in kept]
        tell(report, "report signed", by=by, request=request, overrides=codes)
        events.publish(events.ReportSigned(report_id=report.pk))
    return report


def add_addendum(
    *,
    report_id: int,
    text: str,
    by: User,
    conclusions: Mapping[str, str] | None = None,
    request: HttpRequest | None = None,
) -> Report:
    """Sign an addition to a signed report; what was signed stays word for word.

    A changed conclusion makes it a correction.

    Raises:
        ValidationError: no text.
        IllegalTransition: the report is not signed.
        UnknownConclusion: a finding that the report does not ask for.
    """
    text = clean_text(text).strip()
    if not text:
        raise ValidationError("Write what the addendum says.")
    with transaction.atomic():
        report = locked(report_id, None)
        concluded = conclusion_rules.with_values(report.conclusions, conclusions or {})
        corrects = concluded != report.conclusions
        event = "correct" if corrects else "append"
        REPORT.target(report.state, event)
        now = timezone.now()
        number = 1 + sum(s["key"].startswith("addendum-") for s in report.sections)
        added: Section = {
            "key": f"addendum-{number}",
            "title": f"Addendum {number}, {by}, {now.day} {now:%b %Y %H:%M} UTC",
            "text": text,
            "suggestions": [],
        }
        REPORT.apply(
            report,
            event,
            expected={"version": report.version},
            sections=[*report.sections, added],
            conclusions=concluded,
            edited_version=report.version + 1,
            updated_by=by,
            updated_at=now,
        )
        action = Action.CORRECTED if corrects else Action.ADDENDUM
        _keep_version(report, action, sections=_bare(report.sections), overrides=[], by=by)
        tell(report, f"report {action.value}", by=by, request=request)
        events.publish(events.ReportSigned(report_id=report.pk))
    return report


def _bare(sections: Sequence[Section]) -> list[dict[str, str]]:
    """What is signed: text without suggestions."""
    return [{"key": s["key"], "title": s["title"], "text": s["text"]} for s in sections]


def _keep_version(
    report: Report, action: Action, *, sections: list[Any], overrides: list[Any], by: User
) -> None:
    assert report.state in SIGNED_REPORT_STATES
    decisions = {str(finding): verdict.value for finding, verdict in verdicts_of(report.pk).items()}
    ReportVersion.objects.create(
        report=report,
        version=report.version,
        action=action.value,
        sections=sections,
        overrides=overrides,
        conclusions=report.conclusions,
        decisions=decisions,
        at=report.updated_at,
        by=by,
    )
    enter(report, action, by=by)
