"""What every write of a report does: hold its row, keep text clean, write history and audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone

from foundation.accounts.models import User
from foundation.audit import services as audit
from foundation.transitions import LostRace
from worklist.live.messages import Topic
from worklist.live.services import announce
from worklist.reports.drafting import Section
from worklist.reports.models import SIGNED_REPORT_STATES, Report, ReportEntry, ReportVersion
from worklist.reports.selectors import verdicts_of
from worklist.reports.services.written import signed_fields
from worklist.reports.templates.selectors import content_of

LONGEST_TEXT = 20_000
# A run that finished but is not committed yet is older than it looks: results are read again that far back.
OVERLAP = timedelta(seconds=30)

Action = ReportEntry.Action


def locked(report_id: int, version: int | None) -> Report:
    """The report's row, held to the end of the transaction, if nobody changed it since `version`."""
    rows = Report.objects.select_for_update(of=("self",)).select_related("study__patient", "template")
    report = rows.get(pk=report_id)
    if version is not None and not report.edited_version <= version <= report.version:
        raise LostRace("Somebody changed this report since you loaded it. Look at their text, then go on.")
    return report


def clean_text(text: str) -> str:
    """Text without control characters, which neither DICOM nor the database takes."""
    if len(text) > LONGEST_TEXT:
        raise ValidationError(f"A section holds at most {LONGEST_TEXT} characters.")
    return "".join(c for c in text.replace("\r\n", "\n") if c >= " " or c in "\n\t")


def checked_texts(sections: Sequence[Section], texts: Mapping[str, str]) -> dict[str, str]:
    """Clean text by section key; raises ValidationError for a section that the report does not have."""
    unknown = set(texts) - {section["key"] for section in sections}
    if unknown:
        raise ValidationError(f"This report has no section {', '.join(sorted(unknown))}.")
    return {key: clean_text(text) for key, text in texts.items()}


def bare(sections: Sequence[Section]) -> list[dict[str, str]]:
    """What is signed: text without suggestions."""
    return [{"key": s["key"], "title": s["title"], "text": s["text"]} for s in sections]


def keep_version(report: Report, action: Action, *, overrides: list[dict[str, str]], by: User) -> None:
    """Keep what was just signed for ever, and enter it in the history."""
    assert report.state in SIGNED_REPORT_STATES
    decisions = {str(finding): verdict.value for finding, verdict in verdicts_of(report.pk).items()}
    ReportVersion.objects.create(
        report=report,
        version=report.version,
        action=action.value,
        sections=report.signed_sections,
        overrides=overrides,
        conclusions=report.conclusions,
        template=report.template,
        fields=signed_fields(content_of(report.template), report.fields),
        decisions=decisions,
        at=report.updated_at,
        by=by,
    )
    enter(report, action, by=by)


def enter(report: Report, action: Action, *, by: User) -> None:
    ReportEntry.objects.create(report=report, version=report.version, action=action, at=timezone.now(), by=by)


def tell(
    report: Report, what: str, *, by: User, request: HttpRequest | None, action: str = "U", **detail: Any
) -> None:
    study = report.study
    audit.record(
        audit.Kind.PATIENT_RECORD,
        action=action,
        user=by,
        request=request,
        study_instance_uid=study.study_instance_uid,
        patient_id=study.patient.patient_id,
        detail={"what": what, "report": report.pk, "version": report.version, **detail},
    )
    announce(Topic.REPORTS, report.pk, report.version)
