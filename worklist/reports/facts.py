"""Reads what drafting and checking need from archive and triage, as plain values.

Only live models speak to readers. Shadow models are measured: what they look for is asked of the reader
without an obligation to answer, and what they found is not shown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from pacs.models import Instance, Order, Series, Study
from pacs.selectors import metadata_of, priors_of
from triage.comparison_words import against_prior
from triage.models import Finding, ModelState, Outcome, RunState, TriageRun
from triage.targets import targets
from worklist.reports.conclusions import Target
from worklist.reports.drafting import PriorFact, StudyFact
from worklist.reports.models import SIGNED_REPORT_STATES, Report
from worklist.reports.wording import FindingFact

# A result is here or will be: the reader's answer is worth having whichever comes first.
ASKING_RUN_STATES = (RunState.WAITING, RunState.RUNNING, RunState.DONE)
SLICE_THICKNESS, CONTRAST_AGENT = "00180050", "00180010"


@dataclass(frozen=True)
class AiFacts:
    """What AI says of a study.

    Attributes:
        findings: of live models, also those that newer runs replaced (`stale`).
        targets: what live and shadow models look for.
        waiting: names of live models without a result yet.
        critical_codes: codes of findings that are critical by their live model.
        models: (name, version) of live models with a result.
    """

    findings: tuple[FindingFact, ...]
    targets: tuple[Target, ...]
    waiting: tuple[str, ...]
    critical_codes: frozenset[str]
    models: tuple[tuple[str, str], ...]


def ai_facts(study_id: int) -> AiFacts:
    """What live and shadow models say, or will say, of the study."""
    return ai_facts_of([study_id])[study_id]


def ai_facts_of(study_ids: Sequence[int]) -> dict[int, AiFacts]:
    """The same for many studies in two queries."""
    runs = (
        TriageRun.objects.filter(study_id__in=study_ids, model_state__in=[ModelState.LIVE, ModelState.SHADOW])
        .select_related("model")
        .prefetch_related("findings__prior_finding__run__study")
        .defer("input_instance_uids", "timings", "model__intended_use")
        .order_by("pk")
    )
    by_study: dict[int, list[TriageRun]] = {study_id: [] for study_id in study_ids}
    for run in runs:
        by_study[run.study_id].append(run)
    return {study_id: _ai_facts(found) for study_id, found in by_study.items()}


def study_fact(study: Study) -> StudyFact:
    """What archive and order know of the study; the series with most images speaks for it."""
    order: Order | None = getattr(study, "order", None)
    series = study.series.filter(derived=False).order_by("-number_of_instances", "pk").first()
    image = series.instances.order_by("pk").first() if series else None
    content = metadata_of(image) if image else {}
    return StudyFact(
        modality=series.modality if series else "",
        body_part=(series.body_part_examined if series else "") or study.body_part_examined,
        slice_count=_slice_count(series) if series else None,
        slice_thickness_mm=_positive(_value(content, SLICE_THICKNESS)),
        contrast_agent=str(_value(content, CONTRAST_AGENT) or ""),
        description=" ".join(
            text for text in (study.study_description, order.procedure if order else "") if text
        ),
        reason_for_exam=order.reason_for_exam if order else "",
    )


def prior_facts(study: Study) -> list[PriorFact]:
    """Signed priors of the same patient."""
    signed = Report.objects.filter(
        study__in=priors_of(study), state__in=SIGNED_REPORT_STATES, signed_at__isnull=False
    ).select_related("study")
    facts = []
    for report in signed:
        assert report.signed_at is not None
        prior = report.study
        facts.append(
            PriorFact(
                modality=prior.modalities.split("\\")[0],
                body_part=prior.body_part_examined,
                made_on=_date(prior.study_date),
                signed_on=report.signed_at.date(),
            )
        )
    return facts


def finding_fact(finding: Finding, run: TriageRun, *, stands: bool) -> FindingFact:
    """One finding as plain values."""
    return FindingFact(
        id=finding.pk,
        code=finding.code,
        scheme=finding.scheme,
        meaning=finding.meaning,
        present=finding.presence == Finding.Presence.PRESENT,
        probability=finding.probability,
        model=run.model.name,
        model_version=run.model.version,
        volume_ml=finding.volume_ml,
        largest_diameter_mm=finding.largest_diameter_mm,
        side=finding.side,
        slice_from=finding.slice_from,
        slice_to=finding.slice_to,
        subtype=finding.subtype,
        midline_shift_mm=finding.midline_shift_mm,
        midline_shift_uncertainty_mm=finding.midline_shift_uncertainty_mm,
        against_prior=against_prior(finding),
        stale=not stands,
        run_id=run.pk,
    )


def _ai_facts(runs: Sequence[TriageRun]) -> AiFacts:
    live = [run for run in runs if run.model_state == ModelState.LIVE]
    asking = [run for run in runs if run.state in ASKING_RUN_STATES]
    return AiFacts(
        findings=tuple(
            finding_fact(finding, run, stands=_stands(run, live))
            for run in live
            if run.state in (RunState.DONE, RunState.STALE)
            for finding in run.findings.all()
        ),
        targets=tuple(target for run in asking for target in _targets(run)),
        waiting=tuple(
            dict.fromkeys(str(r.model) for r in live if r.state in (RunState.WAITING, RunState.RUNNING))
        ),
        critical_codes=frozenset(code for run in live for code in _critical_codes(run)),
        models=tuple(
            dict.fromkeys((r.model.name, r.model.version) for r in live if r.state == RunState.DONE)
        ),
    )


def _targets(run: TriageRun) -> list[Target]:
    """What the run's model looks for; of a model that was registered without its configuration, the one."""
    required = run.model_state == ModelState.LIVE
    if not run.model.config:
        model = run.model
        return [Target(model.finding_code, model.finding_scheme, model.finding_meaning, required)]
    return [Target(t.code, t.scheme, t.meaning, required) for t in targets(run.model.config)]


def _critical_codes(run: TriageRun) -> set[str]:
    """By what the findings said at the time, or by the model where there is none."""
    findings = run.findings.all()
    if findings:
        return {finding.code for finding in findings if finding.matters == "critical"}
    return {run.model.finding_code} if run.model.criticality == "critical" else set()


def _stands(run: TriageRun, live: Sequence[TriageRun]) -> bool:
    """A stale positive result stands until a run that replaces it is done."""
    if run.state == RunState.DONE:
        return True
    return run.outcome == Outcome.POSITIVE and not any(
        later.state == RunState.DONE and later.model_id == run.model_id and later.pk > run.pk
        for later in live
    )


def _slice_count(series: Series) -> int | None:
    frames = Instance.objects.filter(series=series).values_list("number_of_frames", flat=True)
    return sum(frames) or None


def _value(content: dict[str, Any], tag: str) -> Any:
    values = content.get(tag, {}).get("Value") or [None]
    return values[0]


def _positive(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 < number < 1000 else None


def _date(value: str) -> date | None:
    match = re.fullmatch(r"(\d{4})(\d{2})(\d{2})", value.strip())
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None
