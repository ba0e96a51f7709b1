"""What a run found, against the same patient's newest earlier study that a model answered for the same finding.

Two stages of one question: was it there before, and has it grown? Nothing found then makes what is here now new;
otherwise the two scans are laid on each other (triage/inference/comparison). Where that does not work the finding
is "not compared", and everything treats it as new. A classifier says neither where nor how much: what it said of the
prior too is known by presence alone, never grown, and rings all the same (ADR 0017).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import structlog

from pacs import storage
from pacs.models import Instance
from pacs.selectors import instance_paths, priors_of
from triage.findings import Said
from triage.inference.comparison.process import compare
from triage.inference.comparison.request import Answer, Pair, Request
from triage.inference.volume import FrameSource
from triage.models import Comparison, Finding, ModelKind, ModelState, RunState, TriageRun

log = structlog.get_logger(__name__)

PRIORS_LOOKED_AT = 20
"""Earlier studies among which an answer for the same finding is looked for, the newest first."""


def compared(
    run: TriageRun, said: Sequence[Said], sources: Sequence[FrameSource], files: Sequence[Path]
) -> list[Said]:
    """The same findings with what an earlier study says of each that is present.

    Args:
        run: of the findings, whose rows are not saved yet.
        said: what the run says.
        sources: the frame behind each slice of the masks.
        files: of the series that was read.
    """
    answered = list(said)
    earlier = {index: earlier_finding(run, one.finding) for index, one in enumerate(said) if one.present}
    waiting: dict[int, dict[int, Finding]] = {}
    for index, prior in earlier.items():
        if prior is None:
            continue
        said[index].finding.prior_finding = prior
        if prior.presence == Finding.Presence.ABSENT:
            answered[index] = _told(said[index], Answer(Comparison.NEW))
        elif run.model.kind == ModelKind.CLASSIFICATION:
            answered[index] = _told(said[index], Answer(Comparison.KNOWN))
        else:
            waiting.setdefault(prior.run_id, {})[index] = prior
    for group in waiting.values():
        answers = _laid_on_each_other(said, group, sources, files)
        for index, answer in answers.items():
            answered[index] = _told(said[index], answer)
    return answered


def earlier_finding(run: TriageRun, finding: Finding) -> Finding | None:
    """The newest earlier answer for the same finding, present or absent; None without one.

    Readers' models are compared with what readers could see only. Of the newest study that answers, the same
    model's word counts before another's, and its latest before its first.
    """
    studies = list(priors_of(run.study).values_list("pk", flat=True)[:PRIORS_LOOKED_AT])
    found = Finding.objects.filter(
        run__study_id__in=studies, run__state=RunState.DONE, code=finding.code, scheme=finding.scheme
    )
    if run.model_state == ModelState.LIVE:
        found = found.filter(run__model_state=ModelState.LIVE)
    candidates = [
        prior for prior in found.select_related("run__model", "run__series") if _same(prior, finding, run)
    ]
    place = {pk: number for number, pk in enumerate(studies)}

    def rank(prior: Finding) -> tuple[int, bool, int, bool, float]:
        other_model = prior.run.model.name != run.model.name
        absent = prior.presence == Finding.Presence.ABSENT
        return place[prior.run.study_id], other_model, -prior.run_id, absent, -(prior.volume_ml or 0.0)

    return min(candidates, key=rank, default=None)


def _same(prior: Finding, finding: Finding, run: TriageRun) -> bool:
    """One model may look for several things under one code; between models the code and subtype must do."""
    if prior.run.model.name == run.model.name:
        return not prior.name or prior.name == finding.name
    return prior.presence == Finding.Presence.PRESENT and prior.subtype == finding.subtype


def _laid_on_each_other(
    said: Sequence[Said], group: dict[int, Finding], sources: Sequence[FrameSource], files: Sequence[Path]
) -> dict[int, Answer]:
    """Answers by index, for findings whose counterparts are of one earlier run."""
    answers: dict[int, Answer] = {}
    pairs: dict[int, Pair] = {}
    earlier_run = next(iter(group.values())).run
    seg = Instance.objects.filter(sop_instance_uid=earlier_run.seg_sop_instance_uid).first()
    prior_files = _files_of(earlier_run)
    for index, prior in group.items():
        one = said[index]
        if one.mask is None or one.finding.volume_ml is None:
            answers[index] = _not("the finding has no outline")
        elif seg is None or prior.segment_number is None or prior.volume_ml is None:
            answers[index] = _not("the earlier finding has no outline in the archive")
        elif not prior_files:
            answers[index] = _not("images of the earlier study are not in the archive any more")
        else:
            pairs[index] = Pair(
                mask=one.mask,
                now_ml=one.finding.volume_ml,
                seg=storage.path_of(seg),
                segment=prior.segment_number,
                before_ml=prior.volume_ml,
            )
    if pairs:
        request = Request(
            current=files,
            prior=prior_files,
            sources=[(source.sop_instance_uid, source.frame) for source in sources],
            pairs=list(pairs.values()),
        )
        answers |= dict(zip(pairs, compare(request), strict=True))
    return answers


def _files_of(run: TriageRun) -> list[Path]:
    """Files of what an earlier run read; empty when one is missing."""
    if run.series is None:
        return []
    wanted = set(run.input_instance_uids)
    paths = [path for instance, path in instance_paths(run.series) if instance.sop_instance_uid in wanted]
    return paths if len(paths) == len(wanted) else []


def _not(reason: str) -> Answer:
    return Answer(Comparison.NOT_COMPARED, None, reason)


def _told(one: Said, answer: Answer) -> Said:
    finding = one.finding
    finding.comparison, finding.growth_ml = str(answer.state), answer.growth_ml
    if answer.reason:
        log.info("finding_not_compared", reason=answer.reason)
    return replace(
        one, statement=replace(one.statement, comparison=finding.comparison, growth_ml=finding.growth_ml)
    )
