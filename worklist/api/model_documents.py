"""The registry as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Count, Max, Q

from foundation.accounts.models import Role, User
from pacs.demographics import iso_date
from pacs.models import Study
from triage import registry
from triage.bundles import TargetFinding, targets
from triage.disagreement import Answer, Pair
from triage.models import ACTIVE_RUN_STATES, ModelDecision, ModelState, ModelVersion, Outcome, RunState
from triage.models import TriageRun as Run
from triage.states import MODEL
from worklist.api.documents import person
from worklist.api.patients import patient_document
from worklist.reports.models import Report
from worklist.reports.selectors import conclusion_of


def model_document(model: ModelVersion, runs: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the list; `runs` from `run_counts`, rules prefetched."""
    return {
        "id": str(model.pk),
        "name": model.name,
        "version": model.version,
        "kind": model.kind,
        "dimensions": str(model.config.get("dimensions", 3)),
        "format": str(model.config.get("format", "monai")),
        "state": model.state,
        "state_changed_at": model.state_changed_at or model.registered_at,
        "registered_at": model.registered_at,
        "intended_use": model.intended_use,
        "targets": [_target(target) for target in _targets(model)],
        "looks_at": [in_words(rule.conditions) for rule in model.rules.all() if rule.active],
        "runs": runs,
        "approved_by": [person(decision.by) for decision in _approvals(model)],
    }


def model_detail(model: ModelVersion, runs: Mapping[str, Any], caller: User) -> dict[str, Any]:
    """Everything about a model, and what the caller may decide now."""
    decides = caller.has_role(Role.PACS_ADMINISTRATOR)
    approvers = {decision.by_id for decision in _approvals(model)}
    shadow = model.state == ModelState.SHADOW
    return {
        **model_document(model, runs),
        "weights_sha256": model.weights_sha256,
        "configs_sha256": model.configs_sha256,
        "came_from": model.source,
        "registered_by": person(model.registered_by),
        "input_limits": model.config.get("input_limits", {}),
        "rules": [
            {"name": rule.name, "active": rule.active, "conditions": rule.conditions}
            for rule in model.rules.all()
        ],
        "second_opinion_to": str(model.config.get("second_opinion_to", "")),
        "decisions": [_decision(decision) for decision in model.decisions.select_related("by")],
        "moves": sorted({str(to) for (state, _), to in MODEL.table.items() if state == model.state}),
        "may_approve": decides and shadow and caller.pk not in approvers,
        "may_go_live": decides and shadow and bool(approvers - {caller.pk}),
    }


def run_counts(models: Sequence[ModelVersion]) -> dict[int, dict[str, Any]]:
    """What became of each model's runs, by model id; stale ones do not count."""
    counted: dict[int, dict[str, Any]] = {
        row["model_id"]: dict(row)
        for row in Run.objects.filter(model__in=models)
        .exclude(state=RunState.STALE)
        .order_by()
        .values("model_id")
        .annotate(
            waiting=Count("pk", filter=Q(state__in=ACTIVE_RUN_STATES)),
            positive=Count("pk", filter=Q(state=RunState.DONE, outcome=Outcome.POSITIVE)),
            negative=Count("pk", filter=Q(state=RunState.DONE, outcome=Outcome.NEGATIVE)),
            not_analysed=Count("pk", filter=Q(state=RunState.NOT_ANALYSED)),
            failed=Count("pk", filter=Q(state=RunState.FAILED)),
            last_finished_at=Max("finished_at", filter=Q(state=RunState.DONE)),
            last_id=Max("pk", filter=Q(state=RunState.DONE)),
        )
    }
    newest = {row["last_id"] for row in counted.values() if row["last_id"]}
    runtimes = dict(Run.objects.filter(pk__in=newest).values_list("model_id", "runtime"))
    none = {"waiting": 0, "positive": 0, "negative": 0, "not_analysed": 0, "failed": 0}
    answer = {}
    for model in models:
        row = {**none, "last_finished_at": None, **counted.get(model.pk, {})}
        answer[model.pk] = {
            **{key: value for key, value in row.items() if key not in ("model_id", "last_id")},
            "last_runtime": runtimes.get(model.pk, ""),
        }
    return answer


def in_words(conditions: Mapping[str, Any]) -> str:
    """What a rule looks at, shortly: "CT: HEAD, BRAIN or not named"."""
    named = conditions.get("modality", "any modality")
    modality = named if isinstance(named, str) else _either([str(one) for one in named])
    parts = [str(part) or "not named" for part in conditions.get("body_part_any", [])]
    return f"{modality}: {_either(parts)}" if parts else modality


def _either(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def compared_model(model: ModelVersion) -> dict[str, Any]:
    """One side of a comparison."""
    return {"id": str(model.pk), "name": model.name, "version": model.version, "state": model.state}


def case_document(pair: Pair, study: Study, report: Report | None) -> dict[str, Any]:
    """A study on which two models disagree, and what its signed report concluded of the finding."""
    return {
        "study_instance_uid": study.study_instance_uid,
        "accession_number": study.accession_number,
        "study_date": iso_date(study.study_date),
        "study_description": study.study_description,
        "patient": patient_document(study),
        "code": pair.code,
        "a": _answer(pair.a),
        "b": _answer(pair.b),
        "report": report
        and {
            "conclusion": conclusion_of(report, pair.code) or "not_stated",
            "state": report.state,
            "signed_at": report.signed_at,
        },
    }


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "run_id": str(answer.run_id),
        "presence": "present" if answer.present else "absent",
        "probability": answer.probability,
        "volume_ml": answer.volume_ml,
    }


def _targets(model: ModelVersion) -> tuple[TargetFinding, ...]:
    return targets(model.config) if model.config else ()


def _target(target: TargetFinding) -> dict[str, Any]:
    return {
        "name": target.name,
        "code": target.code,
        "scheme": target.scheme,
        "meaning": target.meaning,
        "subtype": target.subtype,
        "criticality": target.criticality,
        "rank_threshold": target.rank_threshold,
        "alert_threshold": target.alert_threshold,
        "probability_method": str(target.probability.get("method", "")),
    }


def _approvals(model: ModelVersion) -> list[ModelDecision]:
    return registry.approvals(model) if model.state == ModelState.SHADOW else []


def _decision(decision: ModelDecision) -> dict[str, Any]:
    return {
        "id": str(decision.pk),
        "at": decision.at,
        "by": person(decision.by),
        "action": decision.action,
        "from_state": decision.from_state,
        "to_state": decision.to_state,
        "reason": decision.reason,
    }
