"""Reading reports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import F, QuerySet

from foundation.accounts.models import Role, User
from pacs.demographics import age_text
from pacs.models import Study
from pacs.selectors import studies_visible_to
from worklist.reports.checks import Check, Draft, Facts, Side, open_checks
from worklist.reports.editing import Verdict
from worklist.reports.facts import AiFacts
from worklist.reports.identity import PatientFact, years
from worklist.reports.models import (
    SIGNED_REPORT_STATES,
    WRITABLE_REPORT_STATES,
    FindingDecision,
    Report,
    ReportEntry,
    ReportState,
    ReportVersion,
)
from worklist.reports.templates.fields import missing, values
from worklist.reports.templates.selectors import content_of
from worklist.reports.wording import FindingFact, volume

READS_SIGNED = (Role.ER_STAFF, Role.QA_REVIEWER, Role.SERVICE)


def reports_visible_to(user: User) -> QuerySet[Report]:
    """Reports of studies `user` may see: drafts for radiologists only, signed ones for who uses them."""
    visible = Report.objects.filter(study__in=studies_visible_to(user))
    if user.has_role(Role.RADIOLOGIST):
        return visible
    if user.has_role(*READS_SIGNED):
        return visible.filter(state__in=SIGNED_REPORT_STATES)
    return Report.objects.none()


def signed_reports(study_ids: Iterable[int]) -> dict[int, Report]:
    """The signed report of each of these studies that has one, by study."""
    found = Report.objects.filter(study_id__in=list(study_ids), state__in=SIGNED_REPORT_STATES)
    return {report.study_id: report for report in found}


def conclusion_of(report: Report, code: str) -> str:
    """What a signed report concludes of a finding: present, absent, indeterminate, or "" when it does not say."""
    return next((str(one["value"]) for one in report.conclusions if one["code"] == code), "")


def waiting_for_cosignature(user: User) -> QuerySet[Report]:
    """Preliminary reports of studies `user` may see, oldest signature first."""
    return (
        Report.objects.filter(study__in=studies_visible_to(user), state=ReportState.PRELIMINARY)
        .select_related("study__patient", "signed_by")
        .defer("study__attributes")
        .order_by("signed_at", "pk")
    )


def signed_over(user: User) -> QuerySet[ReportVersion]:
    """Signatures that overrode a check, of studies `user` may see, the latest first."""
    return (
        ReportVersion.objects.filter(report__study__in=studies_visible_to(user))
        .exclude(overrides=[])
        .select_related("report__study__patient", "by")
        .defer("report__study__attributes", "sections")
        .order_by("-at", "-pk")
    )


def latest_versions(reports: QuerySet[Report]) -> QuerySet[ReportVersion]:
    """The signed version that holds of each of these reports, latest signature first."""
    return (
        ReportVersion.objects.filter(report__in=reports, version=F("report__signed_version"))
        .select_related("report__study__patient", "report__study__order", "report__signed_by", "by")
        .order_by("-at", "-pk")
    )


def verdicts_of(report_id: int) -> dict[int, Verdict]:
    """Decisions by finding id."""
    rows = FindingDecision.objects.filter(report_id=report_id).values_list("finding_id", "decision")
    return {finding: Verdict(decision) for finding, decision in rows}


def draft_of(report: Report, ai: AiFacts, verdicts: dict[int, Verdict] | None = None) -> Draft:
    """A report and what AI says of its study, as plain values for the checks."""
    return Draft(
        sections=report.sections,
        findings=ai.findings,
        verdicts=verdicts_of(report.pk) if verdicts is None else verdicts,
        conclusions=report.conclusions,
        waiting_models=ai.waiting,
        critical_codes=ai.critical_codes,
        patient=patient_fact(report.study),
        **_fields(report),
    )


def _fields(report: Report) -> dict[str, Any]:
    """What the template asks and has no answer, and the sides that fields tell."""
    content = content_of(report.template)
    if content is None:
        return {}
    said = values(report.fields)
    return {
        "missing": [one.label for one in missing(content, report.fields, report.conclusions)],
        "sides": [
            Side(one.label, str(said[one.key]), one.names)
            for _, one in content.fields()
            if one.names and said.get(one.key) in ("left", "right")
        ],
    }


def patient_fact(study: Study) -> PatientFact:
    """Whom the study is of."""
    patient = study.patient
    return PatientFact(
        patient_id=patient.patient_id,
        name=patient.patient_name,
        sex=patient.patient_sex,
        age_years=years(age_text(study.patient_age, patient.patient_birth_date, study.study_date)),
    )


def checks_of(report: Report, ai: AiFacts, facts: Facts, verdicts: dict[int, Verdict]) -> list[Check]:
    """What stands open before signing; of a signed report, results that came since."""
    found = []
    if report.state in WRITABLE_REPORT_STATES:
        found += open_checks(draft_of(report, ai, verdicts), facts)
    if report.state in SIGNED_REPORT_STATES:
        entries = sorted(report.entries.all(), key=lambda entry: (entry.at, entry.pk))
        found += late_checks(entries, ai.findings)
    return found


def late_checks(entries: Sequence[ReportEntry], findings: Sequence[FindingFact]) -> list[Check]:
    """A note while a possible finding came after the last signature."""
    signatures = [entry.at for entry in entries if entry.run_id is None]
    since = max(signatures) if signatures else None
    late = {
        finding.id: finding
        for entry in entries
        if entry.run_id is not None and (since is None or entry.at > since)
        for finding in findings
        if finding.present and not finding.stale and finding.run_id == entry.run_id
    }
    if not late:
        return []
    said = ", ".join(
        f"possible {f.meaning.lower()}{', ' + volume(f.volume_ml) if f.volume_ml is not None else ''} "
        f"({f.model} {f.model_version})"
        for f in late.values()
    )
    text = f"AI finished after this report was signed: {said}. Look again and write an addendum if it is so."
    return [Check(ReportEntry.Action.LATE_RESULT.value, text, False, True)]
