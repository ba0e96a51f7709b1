"""Where two models differ: studies that both analysed, by the findings that both look for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import QuerySet

from pacs.models import Study
from triage.bundles import targets
from triage.models import Finding, ModelVersion, RunState, TriageRun


@dataclass(frozen=True)
class Answer:
    """What one model says of one finding in one study.

    Attributes:
        run_id: the newest done run, which said it.
        present: at or above the rank threshold of its time.
        probability: 0 to 1; of several findings with this code the highest.
        volume_ml: of that finding, or None.
    """

    run_id: int
    present: bool
    probability: float
    volume_ml: float | None


@dataclass(frozen=True)
class Pair:
    """Both answers about one finding in one study."""

    study_id: int
    code: str
    a: Answer
    b: Answer

    @property
    def differ(self) -> bool:
        """One says possible, the other found nothing."""
        return self.a.present != self.b.present


@dataclass(frozen=True)
class Counts:
    """A two by two table of one finding, over studies that both analysed."""

    code: str
    meaning: str
    both: int
    only_a: int
    only_b: int
    neither: int


def shared_findings(a: ModelVersion, b: ModelVersion) -> dict[str, str]:
    """Code -> meaning of what both models look for, in the order of the first."""
    others = {code for code, _ in _looked_for(b)}
    return {code: meaning for code, meaning in _looked_for(a) if code in others}


def pairs(
    a: ModelVersion, b: ModelVersion, codes: Iterable[str], studies: QuerySet[Study]
) -> tuple[list[Pair], int, int]:
    """Both answers by study and finding, and how many studies only a and only b analysed.

    Of each model the newest done run of a study counts, shadow runs among them: for the eyes of QA and
    administrators only.
    """
    wanted = set(codes)
    first, second = _newest_runs(a, studies), _newest_runs(b, studies)
    both = first.keys() & second.keys()
    said = _answers({runs[study_id] for runs in (first, second) for study_id in both}, wanted)
    found = [
        Pair(study_id, code, said[first[study_id], code], said[second[study_id], code])
        for study_id in both
        for code in wanted
        if (first[study_id], code) in said and (second[study_id], code) in said
    ]
    found.sort(key=lambda pair: (-abs(pair.a.probability - pair.b.probability), pair.study_id, pair.code))
    return found, len(first.keys() - both), len(second.keys() - both)


def counted(found: Iterable[Pair], meanings: dict[str, str]) -> list[Counts]:
    """A table for each finding, in the order of `meanings`."""
    cells = dict.fromkeys(
        ((code, a, b) for code in meanings for a in (True, False) for b in (True, False)), 0
    )
    for pair in found:
        cells[pair.code, pair.a.present, pair.b.present] += 1
    return [
        Counts(
            code=code,
            meaning=meaning,
            both=cells[code, True, True],
            only_a=cells[code, True, False],
            only_b=cells[code, False, True],
            neither=cells[code, False, False],
        )
        for code, meaning in meanings.items()
    ]


def _looked_for(model: ModelVersion) -> list[tuple[str, str]]:
    if not model.config:
        return [(model.finding_code, model.finding_meaning)]
    return [(target.code, target.meaning) for target in targets(model.config)]


def _newest_runs(model: ModelVersion, studies: QuerySet[Study]) -> dict[int, int]:
    done = TriageRun.objects.filter(model=model, state=RunState.DONE, study__in=studies)
    return dict(done.order_by("pk").values_list("study_id", "pk"))


def _answers(run_ids: set[int], codes: set[str]) -> dict[tuple[int, str], Answer]:
    said: dict[tuple[int, str], Answer] = {}
    ordered = sorted(run_ids)
    for start in range(0, len(ordered), 500):
        rows = Finding.objects.filter(run_id__in=ordered[start : start + 500], code__in=codes)
        for run_id, code, presence, probability, volume_ml in rows.values_list(
            "run_id", "code", "presence", "probability", "volume_ml"
        ):
            answer = Answer(run_id, presence == Finding.Presence.PRESENT, probability, volume_ml)
            known = said.get((run_id, code))
            if known is None or (answer.present, answer.probability) > (known.present, known.probability):
                said[run_id, code] = answer
    return said
