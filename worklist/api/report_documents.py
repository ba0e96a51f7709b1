"""Reports and reviews as JSON documents; worklist/api/report_shapes.py describes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from django.db.models import Prefetch, QuerySet

from foundation.accounts.models import User
from triage.models import ModelVersion
from worklist import flows
from worklist.api import blinding
from worklist.api.documents import impression_of, person
from worklist.api.patients import main_modality, patient_document
from worklist.api.template_documents import template_documents
from worklist.quality.models import Review
from worklist.quality.statistics import Proportion, Table
from worklist.reports.checks import Check
from worklist.reports.editing import Verdict
from worklist.reports.facts import ai_facts_of
from worklist.reports.models import WRITABLE_REPORT_STATES, Report, ReportEntry, ReportVersion
from worklist.reports.selectors import checks_of, reports_visible_to


def reports_for(user: User) -> QuerySet[Report]:
    """Reports `user` may see with what their documents show, the latest change first."""
    entries = ReportEntry.objects.select_related("by").order_by("at", "pk")
    return (
        reports_visible_to(user)
        .select_related("study__patient", "updated_by", "signed_by", "template")
        .defer("study__attributes")
        .prefetch_related("decisions", Prefetch("entries", queryset=entries))
        .order_by("-updated_at", "-pk")
    )


def report_documents(reports: Sequence[Report], user: User) -> list[dict[str, Any]]:
    """Documents of reports that come from reports_for(); a constant number of queries.

    Checks, suggestions and unsigned words are for those who sign: everybody else sees what was signed.
    """
    ids = [report.study_id for report in reports]
    ai, facts = ai_facts_of(ids), flows.signing_facts(ids, by=user)
    signs = user.has_role("radiologist")
    made = []
    for report in reports:
        verdicts = {d.finding_id: Verdict(d.decision) for d in report.decisions.all()}
        writable = report.state in WRITABLE_REPORT_STATES and signs
        sections = report.sections if writable else report.signed_sections
        found = checks_of(report, ai[report.study_id], facts[report.study_id], verdicts) if signs else []
        made.append(
            {
                "id": str(report.pk),
                "study_instance_uid": report.study.study_instance_uid,
                "state": report.state,
                "version": report.version,
                "sections": [_section(section, writable) for section in sections],
                "conclusions": report.conclusions,
                **template_documents(report, ai[report.study_id].findings if writable else None),
                "created_at": report.created_at,
                "updated_at": report.updated_at,
                "updated_by": person(report.updated_by),
                "signed_by": person(report.signed_by),
                "signed_at": report.signed_at,
                "checks": check_documents(found),
                "decisions": {str(finding): verdict.value for finding, verdict in verdicts.items()},
                "history": [
                    {"version": e.version, "at": e.at, "by": person(e.by), "action": e.action}
                    for e in report.entries.all()
                ],
                "ai_models": [
                    {"name": name, "version": version} for name, version in ai[report.study_id].models
                ],
            }
        )
    return [
        blinding.report(document, bool(facts[report.study_id].ai_hidden))
        for report, document in zip(reports, made, strict=True)
    ]


def waiting_document(report: Report) -> dict[str, Any]:
    """A preliminary report on the list of co-signatures."""
    study = report.study
    return {
        "id": str(report.pk),
        "study_instance_uid": study.study_instance_uid,
        "patient": patient_document(study),
        "accession_number": study.accession_number,
        "modality": main_modality(study.modalities),
        "study_description": study.study_description,
        "impression": impression_of(report),
        "signed_by": person(report.signed_by),
        "signed_at": report.signed_at,
        "changed_since": report.edited_version > report.signed_version,
    }


def signed_over_document(version: ReportVersion) -> dict[str, Any]:
    """A signature with the checks it overrode."""
    study = version.report.study
    return {
        "report_id": str(version.report_id),
        "version": version.version,
        "study_instance_uid": study.study_instance_uid,
        "patient": patient_document(study),
        "study_description": study.study_description,
        "by": person(version.by),
        "at": version.at,
        "state": version.action,
        "overrides": [
            {"code": o["code"], "text": o.get("text", ""), "reason": o["reason"]} for o in version.overrides
        ],
    }


def check_documents(checks: Iterable[Check]) -> list[dict[str, Any]]:
    """`[{code, text, blocking, overridable}]`."""
    return [asdict(check) for check in checks]


def review_document(review: Review) -> dict[str, Any]:
    """A review from worklist.quality.selectors.current_reviews()."""
    study, model = review.study, review.run.model
    return {
        "id": str(review.pk),
        "study_instance_uid": study.study_instance_uid,
        "report_id": str(review.report_id),
        "patient": patient_document(study),
        "study_description": study.study_description,
        "model": model.name,
        "model_version": model.version,
        "ai_result": review.ai_result,
        "ai_probability": review.ai_probability,
        "reader_result": review.reader_result,
        "concordance": review.concordance,
        "sampled": review.sampled,
        "state": review.state,
        "created_at": review.created_at,
        "impression": review.impression,
        "signed_by": person(review.signed_by)
        or {"username": "", "display_name": review.signed_by_name or "Unknown"},
        "signed_at": review.signed_at,
        "reviewer": person(review.reviewer),
        "reviewed_at": review.reviewed_at,
        "verdict": review.verdict,
        "comment": review.comment,
    }


def summary_document(model: ModelVersion, table: Table) -> dict[str, Any]:
    """One model's two by two table."""
    return {
        "model": model.name,
        "version": model.version,
        "state": model.state,
        "n": table.n,
        "tp": table.tp,
        "fp": table.fp,
        "tn": table.tn,
        "fn": table.fn,
        "sensitivity": _share(table.sensitivity),
        "specificity": _share(table.specificity),
        "ppv": _share(table.ppv),
        "npv": _share(table.npv),
        "small_sample": table.small_sample,
    }


def _section(section: dict[str, Any], writable: bool) -> dict[str, Any]:
    shown = ("id", "text", "finding_id", "state", "inserted")
    suggestions = section["suggestions"] if writable else []
    return {
        "key": section["key"],
        "title": section["title"],
        "text": section["text"],
        "suggestions": [{name: one[name] for name in shown} for one in suggestions],
    }


def _share(share: Proportion | None) -> dict[str, float] | None:
    return None if share is None else asdict(share)
