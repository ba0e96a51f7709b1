"""The API's JSON documents, built by hand because a list of 500 rows must be quick.

worklist/api/shapes.py describes the same documents for OpenAPI; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from foundation.accounts.models import User
from pacs.demographics import iso_date
from pacs.models import Order, Study
from triage.agreement import SecondOpinion, second_opinions
from triage.comparison_words import against_prior
from triage.models import Finding, TriageRun
from triage.selectors import KNOWN_BEFORE, known_since
from worklist.alerts.models import Alert
from worklist.alerts.selectors import next_step
from worklist.api.patients import main_modality, patient_document
from worklist.queue.ai import speaking_runs
from worklist.queue.holding import is_held
from worklist.queue.models import UNREAD_STATES, RankChange, WorklistItem
from worklist.reports.models import Report

NOT_FOR_DIAGNOSIS = "not for diagnostic use"

Ppv = Mapping[int, Mapping[str, Any]]
"""Local positive predictive value by model id."""


@dataclass(frozen=True)
class View:
    """What a document depends on besides its row: who asks, and how good the models are here."""

    user_id: int | None
    ppv: Ppv = field(default_factory=dict)


def person(user: User | None) -> dict[str, Any] | None:
    """`{username, display_name}` or None."""
    if user is None:
        return None
    return {"username": user.username, "display_name": user.display_name or user.username}


def item_document(item: WorklistItem, view: View) -> dict[str, Any]:
    """A row of the worklist; the item comes from worklist.api.rows.items_for_list()."""
    study, order, report = item.study, order_of(item.study), report_of(item.study)
    return {
        "id": str(item.pk),
        "version": item.version,
        "study_instance_uid": study.study_instance_uid,
        "accession_number": study.accession_number or (order.accession_number if order else ""),
        "modality": main_modality(study.modalities) or (order.modality if order else ""),
        "study_description": study.study_description or (order.procedure if order else ""),
        "study_date": iso_date(study.study_date),
        "body_part": study.body_part_examined,
        "patient": patient_document(study),
        "priority_class": item.priority_class,
        "location_class": item.location_class,
        "location": order.location if order else "",
        "reason_for_exam": order.reason_for_exam if order else "",
        "state": item.state,
        "claimed_by": person(item.claimed_by),
        "claim_expires_at": item.claim_expires_at,
        "is_mine": item.claimed_by_id is not None and item.claimed_by_id == view.user_id,
        "arrived_at": item.arrived_at,
        "completed_at": study.completed_at,
        "study_state": study.state,
        "number_of_series": study.number_of_series,
        "number_of_instances": study.number_of_instances,
        "due_at": item.due_at,
        "due_without_ai_at": item.due_without_ai_at,
        "reasons": item.reasons,
        "ai_status": item.ai_status,
        "ai_reason": item.ai_reason,
        "findings": findings_documents(study.live_runs, view),  # type: ignore[attr-defined]
        "prior_count": item.prior_count,  # type: ignore[attr-defined]
        "report_id": str(report.pk) if report else None,
        "report_state": report.state if report else None,
        "first_opened_at": item.first_opened_at,
        "signed_at": item.signed_at,
        "assigned_to": person(item.assigned_to),
        "assigned_at": item.assigned_at,
        "held": held_document(item),
        "raised": raised_document(item),
        "flags": [
            {"kind": one.kind, "note": one.note, "by": person(one.by), "at": one.at}
            for one in item.marks  # type: ignore[attr-defined]
        ],
        "groups": [
            {"id": str(one.pk), "name": one.name}
            for one in item.open_groups  # type: ignore[attr-defined]
        ],
        "shared": item.shared_at is not None,
    }


def held_document(item: WorklistItem) -> dict[str, Any] | None:
    """What the study waits for; None once the hold is over, also before the sweep has ended it."""
    if item.state not in UNREAD_STATES or not is_held(item, timezone.now()):
        return None
    return {
        "reason": item.held_reason,
        "note": item.held_note,
        "by": person(item.held_by),
        "at": item.held_at,
        "until": item.held_until,
    }


def raised_document(item: WorklistItem) -> dict[str, Any] | None:
    """The class that a reader gave the study above its order's."""
    if not item.raised_to:
        return None
    return {
        "to": item.raised_to,
        "by": person(item.raised_by),
        "at": item.raised_at,
        "reason": item.raised_reason,
    }


def findings_documents(runs: Sequence[TriageRun], view: View) -> list[dict[str, Any]]:
    """The findings that hold now, of one study's runs."""
    opinions = second_opinions(runs)
    return [
        finding_document(finding, run, view, opinions.get(finding.pk))
        for run in speaking_runs(runs)
        for finding in run.findings.all()
    ]


def finding_document(
    finding: Finding, run: TriageRun, view: View, opinion: SecondOpinion | None = None
) -> dict[str, Any]:
    """One finding with its model, what it is worth here, and what the reader said of it."""
    decisions = finding.told  # type: ignore[attr-defined]
    return {
        "id": str(finding.pk),
        "code": finding.code,
        "scheme": finding.scheme,
        "meaning": finding.meaning,
        "presence": finding.presence,
        "probability": finding.probability,
        "probability_method": finding.probability_method,
        "volume_ml": finding.volume_ml,
        "largest_diameter_mm": finding.largest_diameter_mm,
        "side": finding.side,
        "subtype": finding.subtype,
        "midline_shift_mm": finding.midline_shift_mm,
        "midline_shift_uncertainty_mm": finding.midline_shift_uncertainty_mm,
        "comparison": comparison_document(finding),
        "slice_from": finding.slice_from,
        "slice_to": finding.slice_to,
        "key_sop_instance_uid": finding.key_sop_instance_uid,
        "key_series_instance_uid": finding.key_series_instance_uid,
        "model": run.model.name,
        "model_version": run.model.version,
        "model_state": run.model_state or run.model.state,
        "seg_sop_instance_uid": run.seg_sop_instance_uid,
        "seg_series_instance_uid": run.seg_series_instance_uid,
        "ppv": view.ppv.get(run.model_id),
        "decision": decisions[0].decision if decisions else None,
        "second_opinion": None
        if opinion is None
        else {
            "agreement": opinion.agreement.value,
            "model": opinion.model,
            "model_version": opinion.version,
            "probability": opinion.probability,
            "text": opinion.text,
        },
    }


def comparison_document(finding: Finding) -> dict[str, Any] | None:
    """What the newest analysed prior says of a finding that is there; None without one."""
    if not finding.comparison:
        return None
    prior = finding.prior_finding.run.study if finding.prior_finding else None
    return {
        "state": finding.comparison,
        "prior_study_instance_uid": prior.study_instance_uid if prior else "",
        "prior_study_date": iso_date(prior.study_date) if prior else None,
        "known_since": iso_date(known_since(finding)) if finding.comparison in KNOWN_BEFORE else None,
        "growth_ml": finding.growth_ml,
        "text": against_prior(finding),
    }


def rank_change_document(change: RankChange) -> dict[str, Any]:
    """One step in the history of a rank."""
    return {"at": change.at, "due_at": change.due_at, "reasons": change.reasons, "cause": change.cause}


def prior_document(study: Study) -> dict[str, Any]:
    """A prior with its impression, once that is signed."""
    report = report_of(study)
    return {
        "study_instance_uid": study.study_instance_uid,
        "study_date": iso_date(study.study_date),
        "modality": main_modality(study.modalities),
        "study_description": study.study_description,
        "report_state": report.state if report else None,
        "impression": impression_of(report) if report and report.signed_at else "",
    }


def run_document(run: TriageRun, view: View) -> dict[str, Any]:
    """One run of one model."""
    return {
        "id": str(run.pk),
        "study_instance_uid": run.study.study_instance_uid,
        "series_instance_uid": run.series.series_instance_uid if run.series else "",
        "state": run.state,
        "model": run.model.name,
        "model_version": run.model.version,
        "model_state": run.model_state or run.model.state,
        "weights_sha256": run.weights_sha256,
        "input_instance_count": len(run.input_instance_uids),
        "attempts": run.attempts,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "outcome": run.outcome,
        "outcome_reason": run.reason,
        "documents_filed": bool(run.sr_sop_instance_uid),
        "documents_reason": run.documents_reason,
        "findings": [finding_document(finding, run, view) for finding in run.findings.all()],
    }


def alert_document(alert: Alert, view: View) -> dict[str, Any]:
    """An alert: what, how urgent, who was told, what comes next, who answered."""
    study, order, finding = alert.study, order_of(alert.study), alert.finding
    following = next_step(alert)
    return {
        "id": str(alert.pk),
        "study_instance_uid": study.study_instance_uid,
        "patient": patient_document(study),
        "accession_number": study.accession_number or (order.accession_number if order else ""),
        "location": order.location if order else "",
        "department": alert.department,
        "finding": finding_document(finding, finding.run, view),
        "state": alert.state,
        "raised_at": alert.raised_at,
        "deadline_at": alert.deadline_at if following else None,
        "rung": alert.rung,
        "round": alert.round,
        "told": [
            {"at": step.at, "who": step.who, "channel": step.channel, "outcome": step.outcome}
            for step in sorted(alert.steps.all(), key=lambda step: step.pk)
        ],
        "next_step": {"at": following[0], "who": following[1]} if following else None,
        "acknowledged_by": person(alert.acknowledged_by),
        "acknowledged_name": alert.acknowledged_name,
        "acknowledged_at": alert.acknowledged_at,
        "read_back": alert.read_back,
        "being_treated_at": alert.being_treated_at,
        "being_treated_by": alert.being_treated_by,
        "deliveries": [
            {
                "channel": one.channel,
                "who": one.label,
                "round": one.round,
                "state": one.state,
                "attempts": one.attempts,
                "error": one.error,
                "created_at": one.created_at,
                "sent_at": one.sent_at,
            }
            for one in sorted(alert.deliveries.all(), key=lambda one: one.pk)
            if one.channel != "page"
        ],
        "preview_url": preview_url(study, finding),
        "caption": NOT_FOR_DIAGNOSIS,
    }


def preview_url(study: Study, finding: Finding | None = None) -> str:
    """A grey, unannotated picture: the finding's key slice, or the middle one; of CT in a brain window.

    Other modalities are shown by the window that their images bring.
    """
    base = f"/dicom-web/studies/{study.study_instance_uid}"
    if finding is not None and finding.key_sop_instance_uid and finding.key_series_instance_uid:
        series, instance = finding.key_series_instance_uid, finding.key_sop_instance_uid
        window = "?window=40,80" if main_modality(study.modalities) == "CT" else ""
        return f"{base}/series/{series}/instances/{instance}/rendered{window}"
    return f"{base}/thumbnail"


def impression_of(report: Report) -> str:
    """The impression as last signed."""
    return "\n".join(s["text"] for s in report.signed_sections if s["key"] == "impression")


def order_of(study: Study) -> Order | None:
    """The study's order, loaded with it."""
    return getattr(study, "order", None)


def report_of(study: Study) -> Report | None:
    """The study's report, loaded with it."""
    return getattr(study, "report", None)


def model_ids(runs: Iterable[TriageRun]) -> set[int]:
    """Models of these runs, to ask for their local value once."""
    return {run.model_id for run in runs}
