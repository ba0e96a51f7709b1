"""What comes after the final signature: addenda, corrections, amendments. What was signed stays in its version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from foundation import events
from foundation.accounts.models import User
from worklist.reports import conclusions as conclusion_rules
from worklist.reports import editing
from worklist.reports.conclusions import Conclusion
from worklist.reports.drafting import Section
from worklist.reports.models import Report
from worklist.reports.services.rows import Action, bare, checked_texts, clean_text, keep_version, locked, tell
from worklist.reports.services.signing import require_attending
from worklist.reports.states import REPORT

KINDS: Final = {"corrected": ("correct", Action.CORRECTED), "amended": ("amend", Action.AMENDED)}
_TITLES: Final = {
    Action.ADDENDUM: "Addendum",
    Action.CORRECTED: "Correction",
    Action.AMENDED: "Amendment",
}


def add_addendum(
    *,
    report_id: int,
    text: str,
    by: User,
    conclusions: Mapping[str, str] | None = None,
    request: HttpRequest | None = None,
) -> Report:
    """Sign an addition to a final report; what was signed stays word for word.

    A changed conclusion makes it a correction.

    Raises:
        ValidationError: no text.
        IllegalTransition: the report is not final.
        UnknownConclusion: a finding that the report does not ask for.
        PermissionDenied: by a resident.
    """
    require_attending(by, "add to")
    text = clean_text(text).strip()
    if not text:
        raise ValidationError("Write what the addendum says.")
    with transaction.atomic():
        report = locked(report_id, None)
        concluded = conclusion_rules.with_values(report.conclusions, conclusions or {})
        corrects = concluded != report.conclusions
        event, action = ("correct", Action.CORRECTED) if corrects else ("append", Action.ADDENDUM)
        title = "Addendum"
        return _sign_change(report, event, action, report.sections, concluded, title, text, by, request)


def amend(
    *,
    report_id: int,
    version: int,
    kind: str,
    reason: str,
    by: User,
    texts: Mapping[str, str] | None = None,
    conclusions: Mapping[str, str] | None = None,
    request: HttpRequest | None = None,
) -> Report:
    """Sign new words in the place of old ones; the reason stands in the report and goes wherever it goes.

    Args:
        kind: "corrected" takes back an error, "amended" changes what was no error when it was signed.
        texts: new text by section key; addenda stay as they are.

    Raises:
        ValidationError: no reason, another kind, nothing changed, an unknown section, no impression left.
        LostRace: somebody changed the report since `version`.
        IllegalTransition: the report is not final.
        UnknownConclusion: a finding that the report does not ask for.
        PermissionDenied: by a resident.
    """
    require_attending(by, "change")
    if kind not in KINDS:
        raise ValidationError(f"A change is one of {', '.join(KINDS)}.")
    reason = clean_text(reason).strip()
    if not reason:
        raise ValidationError("Say why the signed report is changed; its readers see this.")
    with transaction.atomic():
        report = locked(report_id, version)
        cleaned = checked_texts(report.sections, texts or {})
        added = sorted(key for key in cleaned if key.startswith("addendum-"))
        if added:
            raise ValidationError(f"An addendum stays as it was signed: {', '.join(added)}.")
        sections = editing.with_texts(report.sections, cleaned)
        concluded = conclusion_rules.with_values(report.conclusions, conclusions or {})
        if sections == report.sections and concluded == report.conclusions:
            raise ValidationError("Nothing was changed. To add something, write an addendum.")
        if not any(s["key"] == "impression" and s["text"].strip() for s in sections):
            raise ValidationError("The impression would be empty. Write it.")
        event, action = KINDS[kind]
        return _sign_change(report, event, action, sections, concluded, _TITLES[action], reason, by, request)


def _sign_change(
    report: Report,
    event: str,
    action: Action,
    sections: Sequence[Section],
    concluded: Sequence[Conclusion],
    title: str,
    words: str,
    by: User,
    request: HttpRequest | None,
) -> Report:
    REPORT.target(report.state, event)
    now = timezone.now()
    number = 1 + sum(s["key"].startswith("addendum-") for s in sections)
    added: Section = {
        "key": f"addendum-{number}",
        "title": f"{title} {number}, {by}, {now.day} {now:%b %Y %H:%M} UTC",
        "text": words,
        "suggestions": [],
    }
    changed: list[Any] = [*sections, added]
    REPORT.apply(
        report,
        event,
        expected={"version": report.version},
        sections=changed,
        conclusions=list(concluded),
        edited_version=report.version + 1,
        signed_version=report.version + 1,
        signed_sections=bare(changed),
        updated_by=by,
        updated_at=now,
    )
    keep_version(report, action, overrides=[], by=by)
    tell(report, f"report {action.value}", by=by, request=request)
    events.publish(events.ReportSigned(report_id=report.pk))
    return report
