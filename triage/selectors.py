"""Reading triage: what AI was asked about a study, what holds now, and its state in one word."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import QuerySet

from pacs.models import Study, StudyState
from triage.agreement import without_second_opinions
from triage.models import (
    FINAL_RUN_STATES,
    Comparison,
    Finding,
    ModelState,
    Outcome,
    RunState,
    TriagePlan,
    TriageRun,
)

REASON_LENGTH = 500
KNOWN_BEFORE = (Comparison.KNOWN, Comparison.GROWN)
LONGEST_CHAIN = 50


@dataclass(frozen=True)
class RunFacts:
    """What the state of a study depends on, of one run."""

    model: str
    state: str
    reason: str
    provisional: bool = False
    positive: bool = False


def runs_of_study(study: Study) -> QuerySet[TriageRun]:
    """Every run, the latest first, those of shadow models and stale ones among them."""
    return study.triage_runs.select_related("model", "series").prefetch_related("findings").order_by("-pk")


def current_runs(study: Study, *, live_only: bool = True) -> QuerySet[TriageRun]:
    """Runs about the newest input. Readers see those planned while their model was live."""
    runs = runs_of_study(study).exclude(state=RunState.STALE)
    return runs.filter(model_state=ModelState.LIVE) if live_only else runs


def findings_of(study: Study, *, live_only: bool = True) -> QuerySet[Finding]:
    """Findings that hold now, the most probable first; shadow models' are seen by no reader."""
    findings = Finding.objects.filter(run__study=study, run__state=RunState.DONE).exclude(
        # Part of a head without a finding says nothing about the whole.
        run__provisional=True, presence=Finding.Presence.ABSENT,
    )  # fmt: skip
    if live_only:
        findings = findings.filter(run__model_state=ModelState.LIVE)
    return findings.select_related("run__model").order_by("-probability", "pk")


def known_since(finding: Finding) -> str:
    """Study Date (DA) of the first of the scans that a finding is known from, or "" without one."""
    prior = finding.prior_finding
    for _ in range(LONGEST_CHAIN):
        if prior is None or prior.comparison not in KNOWN_BEFORE or prior.prior_finding is None:
            break
        prior = prior.prior_finding
    return prior.run.study.study_date if prior is not None else ""


def ai_state_of(study: Study) -> tuple[str, str]:
    """Status of the contract's `ai_status`, and its reason in words."""
    plan = TriagePlan.objects.filter(study=study).first()
    planned = plan is not None and plan.study_completed_at == study.completed_at
    facts = [
        RunFacts(run.model.name, run.state, run.reason, run.provisional, run.outcome == Outcome.POSITIVE)
        for run in without_second_opinions(current_runs(study))
    ]
    return ai_status(
        receiving=study.state == StudyState.RECEIVING,
        planned=planned,
        plan_reason=plan.reason if plan is not None else "",
        runs=facts,
    )


def ai_status(
    *, receiving: bool, planned: bool, plan_reason: str, runs: Iterable[RunFacts]
) -> tuple[str, str]:
    """The rule: work under way first, then what went wrong, then done. Never "negative" for silence.

    A look at images that may not be all counts while more may come only where it found something.

    Args:
        receiving: images still arrive.
        planned: a plan answers the study's last completion.
        plan_reason: why no model looks at it.
        runs: of live models, about the newest input.
    """
    by_state: dict[str, list[RunFacts]] = {}
    for run in runs:
        if receiving and run.provisional and run.state in FINAL_RUN_STATES and not run.positive:
            continue
        by_state.setdefault(run.state, []).append(run)
    if RunState.RUNNING in by_state:
        return "running", ""
    if RunState.WAITING in by_state:
        return "waiting", "; ".join(run.reason for run in by_state[RunState.WAITING] if run.reason)
    for state in (RunState.FAILED, RunState.NOT_ANALYSED):
        if state in by_state:
            trouble = "; ".join(f"{run.model}: {run.reason}" for run in by_state[state])
            return state.value, trouble[:REASON_LENGTH]
    if RunState.DONE in by_state:
        return "done", ""
    if receiving:
        return "waiting", "images are still arriving"
    if not planned:
        return "waiting", "AI has not looked at the study yet"
    return "not_applicable", plan_reason or "no live model is made for this study"
