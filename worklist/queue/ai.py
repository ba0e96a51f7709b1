"""What AI has to say about a study, honestly: late, failed and not applicable never look like negative."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pacs.models import Study
from triage import selectors
from triage.agreement import sentences, with_second_opinions
from triage.comparison_words import against_prior
from triage.models import Finding, ModelState, Outcome, RunState, TriageRun
from worklist.queue.models import AiStatus
from worklist.queue.priority import AiFinding


@dataclass(frozen=True)
class AiState:
    """Status and reason for the list, and the findings that raise the study."""

    status: AiStatus
    reason: str
    findings: tuple[AiFinding, ...]
    second_opinions: tuple[str, ...] = ()


def ai_state_of(study: Study) -> AiState:
    """What the runs that were planned live say of `study`. Shadow runs are measured, not shown."""
    runs = list(
        with_second_opinions(TriageRun.objects.filter(study=study, model_state=ModelState.LIVE))
        .select_related("model")
        .prefetch_related("findings__prior_finding__run__study")
        .defer("input_instance_uids", "model__config")
        .order_by("pk")
    )
    status, reason = selectors.ai_state_of(study)
    return AiState(
        status=AiStatus(status),
        reason=reason,
        findings=_rank_findings(runs),
        second_opinions=tuple(sentences(runs, _spoken(runs))),
    )


def findings_by_study(study_ids: Sequence[int]) -> dict[int, tuple[AiFinding, ...]]:
    """The findings that raise each of several studies, in a constant number of queries."""
    runs = (
        TriageRun.objects.filter(study_id__in=study_ids, model_state=ModelState.LIVE)
        .select_related("model")
        .prefetch_related("findings__prior_finding__run__study")
        .defer("input_instance_uids", "model__config")
        .order_by("pk")
    )
    by_study: dict[int, list[TriageRun]] = {}
    for run in runs:
        by_study.setdefault(run.study_id, []).append(run)
    return {study_id: _rank_findings(of_study) for study_id, of_study in by_study.items()}


def _spoken(runs: Sequence[TriageRun]) -> list[int]:
    return [finding.pk for run in speaking_runs(runs) for finding in run.findings.all()]


def speaking_runs(runs: Sequence[TriageRun]) -> list[TriageRun]:
    """Runs whose findings hold now, of one study's runs.

    A stale positive run keeps its say until a run that replaces it is done, so that late images or a
    failed repeat never push a flagged patient back.
    """
    return [run for run in runs if run.state == RunState.DONE or _not_yet_replaced(run, runs)]


def _not_yet_replaced(run: TriageRun, runs: Sequence[TriageRun]) -> bool:
    if run.state != RunState.STALE or run.outcome != Outcome.POSITIVE:
        return False
    return not any(
        later.state == RunState.DONE and later.model_id == run.model_id and later.pk > run.pk
        for later in runs
    )


def _rank_findings(runs: Sequence[TriageRun]) -> tuple[AiFinding, ...]:
    """Findings at or above their own rank threshold, one per code and model.

    A finding counts as known since the model first said so, whatever it was asked again.
    """
    known: dict[tuple[int, str], datetime] = {}
    for run in runs:
        if run.outcome == Outcome.POSITIVE and run.finished_at is not None:
            for finding in run.findings.all():
                if finding.presence == Finding.Presence.PRESENT:
                    key = (run.model_id, finding.code)
                    known[key] = min(known.get(key, run.finished_at), run.finished_at)
    found: dict[tuple[int, str], AiFinding] = {}
    for run in speaking_runs(runs):
        for finding in run.findings.all():
            key = (run.model_id, finding.code)
            raises = finding.presence == "present" and finding.probability >= finding.ranks_from
            if raises and key in known and finding.probability > _probability(found.get(key)):
                found[key] = AiFinding(
                    meaning=finding.meaning,
                    criticality=finding.matters,
                    probability=finding.probability,
                    known_at=known[key],
                    volume_ml=finding.volume_ml,
                    model=str(run.model),
                    against_prior=against_prior(finding),
                )
    return tuple(found.values())


def _probability(finding: AiFinding | None) -> float:
    return -1.0 if finding is None else finding.probability
