"""What two models say together: the quick one, and the slower one that gives a second opinion behind it.

A bundle says whose answer it confirms by `second_opinion_to` in its firstread.json. Its runs wait behind the quick
ones (triage/urgency.py). What both say is told in words beside the quick model's finding, and nothing else follows:
no rank falls, no finding goes, and agreement in finding nothing proves nothing. Shadow models give no opinion that
a reader sees.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.db.models import QuerySet
from django.db.models.fields.json import KeyTextTransform

from triage.models import Finding, ModelState, RunState, TriageRun

SECOND_OPINION_TO = "second_opinion_to"


class Agreement(StrEnum):
    """How a second opinion stands to what the quick model said."""

    AGREE_POSITIVE = "agree_positive"
    AGREE_NEGATIVE = "agree_negative"
    DISAGREE = "disagree"
    PENDING = "pending"
    NOT_ANALYSED = "not_analysed"


@dataclass(frozen=True)
class SecondOpinion:
    """A second opinion on one finding, for readers.

    Attributes:
        model, version: whose opinion.
        probability: of its own finding of the same kind; None while it has none.
        text: the whole in words.
    """

    agreement: Agreement
    model: str
    version: str
    probability: float | None
    text: str


def judge(*, first_present: bool, state: str, second_present: bool | None) -> Agreement:
    """The rule.

    Args:
        first_present: the quick model found it.
        state: of the second model's run, one of RunState.
        second_present: whether that found it; None where it said nothing of this kind of finding.
    """
    if state in (RunState.WAITING, RunState.RUNNING, RunState.STALE):
        return Agreement.PENDING
    if state != RunState.DONE or second_present is None:
        return Agreement.NOT_ANALYSED
    if first_present != second_present:
        return Agreement.DISAGREE
    return Agreement.AGREE_POSITIVE if first_present else Agreement.AGREE_NEGATIVE


def in_words(agreement: Agreement, *, first_present: bool, model: str, shown: str, reason: str) -> str:
    """One sentence for readers.

    Args:
        model: of the second opinion, with its version.
        shown: its probability, as readers see it, or "".
        reason: why it was not analysed.
    """
    if agreement == Agreement.PENDING:
        return f"second opinion of {model} is still to come"
    if agreement == Agreement.NOT_ANALYSED:
        return f"no second opinion of {model}: {reason or 'it did not answer'}"
    if agreement == Agreement.AGREE_POSITIVE:
        return f"{model} finds it too ({shown}): two models agree, which makes it more certain"
    if agreement == Agreement.AGREE_NEGATIVE:
        return f"{model} finds nothing either; that is no proof that nothing is there"
    if first_present:
        return f"models disagree: {model} does not find it ({shown}); the place on the list stays"
    return f"models disagree: {model} finds it ({shown}), the quick model does not"


def with_second_opinions(runs: QuerySet[TriageRun]) -> QuerySet[TriageRun]:
    """Runs that know whom their model gives a second opinion to, without loading its configuration."""
    return runs.annotate(confirms=KeyTextTransform(SECOND_OPINION_TO, "model__config"))


def confirmed_by(run: TriageRun) -> str:
    """Name of the quick model that a run's model confirms, or ""."""
    found = run.confirms if hasattr(run, "confirms") else run.model.config.get(SECOND_OPINION_TO)
    return str(found or "")


def second_opinions(runs: Sequence[TriageRun]) -> dict[int, SecondOpinion]:
    """By id of a quick model's finding, what the newest run of a live second model says of it.

    Args:
        runs: all runs of one study with their findings loaded; those planned as shadow say nothing.
    """
    live = [run for run in runs if run.model_state == ModelState.LIVE]
    newest: dict[str, TriageRun] = {}
    for run in sorted(live, key=lambda run: (run.state != RunState.STALE, run.pk)):
        if name := confirmed_by(run):
            newest[name] = run
    found: dict[int, SecondOpinion] = {}
    for run in live:
        second = newest.get(run.model.name)
        if second is not None and second.model_id != run.model_id:
            found |= {finding.pk: _opinion(finding, second) for finding in run.findings.all()}
    return found


def without_second_opinions(runs: Iterable[TriageRun]) -> list[TriageRun]:
    """Runs that a study's AI state depends on: a second opinion's own troubles are told beside what it confirms."""
    known = list(runs)
    names = {run.model.name for run in known}
    return [run for run in known if confirmed_by(run) not in names - {run.model.name}]


def sentences(runs: Sequence[TriageRun], shown: Iterable[int]) -> list[str]:
    """The opinions on these findings, each once, as reasons on the list."""
    opinions: Mapping[int, SecondOpinion] = second_opinions(runs)
    return list(dict.fromkeys(opinions[pk].text for pk in shown if pk in opinions))


def _opinion(finding: Finding, second: TriageRun) -> SecondOpinion:
    present = finding.presence == Finding.Presence.PRESENT
    same = [f for f in second.findings.all() if (f.scheme, f.code) == (finding.scheme, finding.code)]
    seen = [f.presence == Finding.Presence.PRESENT for f in same]
    state = second.state
    if state == RunState.DONE and second.provisional and not any(seen):
        state = RunState.WAITING  # it saw a part of the head
    agreement = judge(first_present=present, state=state, second_present=any(seen) if same else None)
    told = state == RunState.DONE and bool(same)
    probability = max(f.probability for f in same) if told else None
    return SecondOpinion(
        agreement=agreement,
        model=second.model.name,
        version=second.model.version,
        probability=probability,
        text=in_words(
            agreement,
            first_present=present,
            model=str(second.model),
            shown=_shown(probability),
            reason=second.reason,
        ),
    )


def _shown(probability: float | None) -> str:
    if probability is None:
        return ""
    if probability > 0.99:
        return "> 0.99"
    return "< 0.01" if probability < 0.01 else f"{probability:.2f}"
