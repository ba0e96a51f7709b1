"""From a complete study to its runs: one per model and exact input, or the reason why there is none."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from foundation.events import TriagePlanned, TriageRunFinished, publish
from foundation.transitions import LostRace
from pacs.models import Study, StudyState
from triage.facts import facts_of, input_of
from triage.models import ModelState, ModelVersion, RunState, TriagePlan, TriageRun
from triage.routing import Considered, Decision, SeriesFacts, decide
from triage.states import RUN

log = structlog.get_logger(__name__)

PLANNED_STATES = (ModelState.SHADOW, ModelState.LIVE)
REASON_LENGTH = 500
NEWER_INPUT = "more images arrived; another run answers for them"


@dataclass(frozen=True)
class _Input:
    """What a run is asked about: its hash and the instances in it."""

    digest: str
    uids: list[str]


def plan_runs(*, study_id: int) -> list[TriageRun]:
    """Make the runs that a complete study needs; returns the new ones.

    Safe to repeat and to run twice at once: a run is unique by study, model and input hash. Runs about
    older input become stale. Nothing happens while the study still receives.
    """
    with transaction.atomic():
        study = Study.objects.select_for_update(of=("self",)).select_related("patient").get(pk=study_id)
        if study.state != StudyState.COMPLETE or study.completed_at is None:
            return []
        facts = facts_of(study)
        models = models_to_plan()
        made: list[TriageRun] = []
        considered: list[dict[str, Any]] = []
        reasons: list[str] = []
        for model in models:
            decision = decide(facts, rules_of(model), model.config.get("input_limits", {}))
            considered.append(_record(model, decision))
            if decision.chosen is None:
                reasons.append(f"{model.name}: {decision.reason}")
                outdate_others(study, model, keep="")
            else:
                run, created = run_for(study, model, decision, decision.chosen)
                made += [run] if created else []
                outdate_others(study, model, keep=run.input_hash)
        # Early answers about all that is here now are answers like any other.
        TriageRun.objects.filter(study=study, provisional=True).exclude(state=RunState.STALE).update(
            provisional=False
        )
        TriagePlan.objects.update_or_create(
            study=study,
            defaults={
                "study_completed_at": study.completed_at,
                "planned_at": timezone.now(),
                "reason": _why_none(models, reasons)[:REASON_LENGTH],
                "considered": considered,
            },
        )
        publish(TriagePlanned(study_id=study.pk))
    log.info("triage_planned", study_id=study_id, runs=len(made), models=len(models))
    return made


def models_to_plan() -> list[ModelVersion]:
    """Models that look at new studies, in a fixed order."""
    return list(ModelVersion.objects.filter(state__in=PLANNED_STATES).order_by("name", "version", "pk"))


def unplanned_studies() -> QuerySet[Study]:
    """Complete studies whose last completion no plan answers, the oldest completion first."""
    return (
        Study.objects.filter(state=StudyState.COMPLETE, completed_at__isnull=False)
        .exclude(triage_plan__study_completed_at=F("completed_at"))
        .order_by("completed_at")
    )


def rules_of(model: ModelVersion) -> list[dict[str, Any]]:
    """Conditions of a model's active rules."""
    return list(model.rules.filter(active=True).order_by("pk").values_list("conditions", flat=True))


def run_for(
    study: Study,
    model: ModelVersion,
    decision: Decision,
    chosen: SeriesFacts,
    *,
    provisional: bool = False,
) -> tuple[TriageRun, bool]:
    """The run of a model on its chosen series: an existing one, or a new one."""
    asked = _input(chosen, "" if decision.analyse else decision.reason)
    now = timezone.now()
    waiting = {"state": RunState.WAITING, "queued_at": None}
    refused = {
        "state": RunState.NOT_ANALYSED,
        "reason": decision.reason[:REASON_LENGTH],
        "finished_at": now,
    }
    run, created = TriageRun.objects.get_or_create(
        study=study,
        model=model,
        input_hash=asked.digest,
        defaults={
            "series_id": chosen.series_id,
            "input_instance_uids": asked.uids,
            "model_state": model.state,
            "provisional": provisional,
            **(waiting if decision.analyse else refused),
        },
    )
    if not created and run.state == RunState.STALE:
        _bring_back(run)
    if created and not decision.analyse:
        publish(TriageRunFinished(run_id=run.pk))
    return run, created


def _input(chosen: SeriesFacts, refusal: str) -> _Input:
    """What a run on a series is asked about.

    A refusal is an answer to these instances and this reason; a later rule may ask them anew.
    """
    instances = input_of(chosen.series_id)
    lines = [f"{uid} {sha256}" for uid, sha256 in instances]
    if refusal:
        lines.insert(0, f"not analysed: {refusal}")
    return _Input(hashlib.sha256("\n".join(lines).encode()).hexdigest(), [uid for uid, _ in instances])


def _bring_back(run: TriageRun) -> None:
    try:
        if run.outcome:
            RUN.apply(run, "reinstate", reason="")
        else:
            RUN.apply(run, "revive", reason="", attempts=0, queued_at=None, finished_at=None)
    except LostRace:
        log.info("run_changed_while_planning", run_id=run.pk)


def outdate_others(study: Study, model: ModelVersion, keep: str) -> None:
    """Every other run of this model on this study is about input that is not the newest."""
    others = TriageRun.objects.filter(study=study, model=model).exclude(state=RunState.STALE)
    for run in others.exclude(input_hash=keep):
        try:
            RUN.apply(
                run,
                "outdate",
                reason=NEWER_INPUT,
                lease_token="",
                lease_until=None,
                finished_at=run.finished_at or timezone.now(),
            )
        except LostRace:
            # Its worker finished this instant: the next look at the study finds it done.
            run.refresh_from_db()
            RUN.apply(run, "outdate", reason=NEWER_INPUT)
        publish(TriageRunFinished(run_id=run.pk))


def _record(model: ModelVersion, decision: Decision) -> dict[str, Any]:
    return {
        "model": model.name,
        "version": model.version,
        "model_state": model.state,
        "chosen": decision.chosen.series_instance_uid if decision.chosen else "",
        "analyse": decision.analyse,
        "reason": decision.reason,
        "series": [_series_record(item, decision) for item in decision.considered],
    }


def _series_record(item: Considered, decision: Decision) -> dict[str, Any]:
    facts = item.facts
    return {
        "series_instance_uid": facts.series_instance_uid,
        "series_number": facts.series_number,
        "series_description": facts.series_description,
        "modality": facts.modality,
        "slices": facts.slices,
        "chosen": decision.analyse and facts == decision.chosen,
        "verdict": item.verdict.value,
        "reason": item.reason,
        "score": round(item.score, 2),
        "parts": [{"about": p.about, "points": p.points, "text": p.text} for p in item.parts],
    }


def _why_none(models: list[ModelVersion], reasons: list[str]) -> str:
    if not models:
        return "no model is in use"
    return "; ".join(reasons) if len(reasons) == len(models) else ""
