"""Ask the model about each study by the path that production takes, one answer a line, so that it can go on.

Series are chosen by the routing rules and the limits, the chosen one goes through the engine. What is not
analysed and what fails is written down as such. Answers know nothing of the labels: those are joined when
the report is made, so a corrected label needs no new run.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import structlog

from triage.bundles import BundleRefused
from triage.evaluation.dataset import Dataset, LabelledStudy
from triage.evaluation.headers import StudyFiles, StudyUnreadable, read_study
from triage.evaluation.masks import SliceMask, save
from triage.evaluation.subjects import Ask, Subject
from triage.inference.analysis import Analysis, OutsideLimits
from triage.inference.host.failures import InputUnreadable, ModelFailed
from triage.routing import decide

log = structlog.get_logger(__name__)

ANSWERS: Final = "answers.jsonl"
MASKS: Final = "masks"


class State(StrEnum):
    """How it went with a study. Only `analysed` says anything about the finding."""

    ANALYSED = "analysed"
    NOT_ANALYSED = "not_analysed"
    FAILED = "failed"


@dataclass(frozen=True)
class TargetAnswer:
    """What the model said of one finding.

    Attributes:
        mask: file of its mask below the folder of the run, or "".
        key: SOP Instance UID and frame of the slice that shows it best, or None.
    """

    name: str
    probability: float
    volume_ml: float | None = None
    side: str = ""
    subtype: str = ""
    mask: str = ""
    key: tuple[str, int] | None = None


@dataclass(frozen=True)
class Answer:
    """What became of one study.

    Attributes:
        key: of the study's files and the model's hashes; another key asks anew.
        series: UID of the series chosen, or "".
        files: of that series, below the study's folder.
        traits: for the strata: scanner, slice_thickness_mm, age_years, sex.
        seconds: from headers to answer.
    """

    study: str
    key: str
    state: State
    reason: str = ""
    series: str = ""
    files: tuple[str, ...] = ()
    targets: tuple[TargetAnswer, ...] = ()
    traits: Mapping[str, Any] = field(default_factory=dict)
    synthetic: bool = False
    seconds: float = 0.0
    runtime: str = ""


@dataclass(frozen=True)
class Progress:
    """After each study: how many are done of how many, and seconds to go by the pace so far."""

    done: int
    of: int
    answer: Answer
    seconds_left: float


def run(
    subject: Subject, dataset: Dataset, ask: Ask, folder: Path, *, limit: int | None = None
) -> Iterator[Progress]:
    """Ask about every study that has no answer yet; answers are added to `folder`/answers.jsonl one by one.

    Raises:
        BundleRefused: the model cannot be used at all; nothing is written about that study.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = read_answers(folder)
    studies = dataset.studies[:limit] if limit else dataset.studies
    spent, asked = 0.0, 0
    with (folder / ANSWERS).open("a", encoding="utf-8") as file:
        for done, study in enumerate(studies, start=1):
            began, before = time.monotonic(), known.get(study.name)
            answer = _answer(subject, study, ask, folder, before)
            if answer is not before:
                spent, asked = spent + time.monotonic() - began, asked + 1
                file.write(json.dumps(asdict(answer)) + "\n")
                file.flush()
            left = sum(_wants(known.get(other.name)) for other in studies[done:])
            yield Progress(done, len(studies), answer, left * spent / max(asked, 1))


def _wants(before: Answer | None) -> bool:
    """Whether a study seems to want asking; only its files tell for sure."""
    return before is None or before.state == State.FAILED


def read_answers(folder: Path) -> dict[str, Answer]:
    """Answers by study, the last one for each; a line that was cut off by a crash is passed over."""
    path = folder / ANSWERS
    answers: dict[str, Answer] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            answer = _parsed(json.loads(line))
        except (ValueError, KeyError, TypeError):
            log.warning("answer_unreadable", file=path.name)
            continue
        answers[answer.study] = answer
    return answers


def _parsed(values: dict[str, Any]) -> Answer:
    targets = tuple(
        TargetAnswer(**{**t, "key": (str(t["key"][0]), int(t["key"][1])) if t["key"] else None})
        for t in values["targets"]
    )
    return Answer(
        **{**values, "state": State(values["state"]), "targets": targets, "files": tuple(values["files"])}
    )


def _answer(subject: Subject, study: LabelledStudy, ask: Ask, folder: Path, before: Answer | None) -> Answer:
    began = time.monotonic()
    try:
        files = read_study(study.folder)
    except StudyUnreadable as error:
        return Answer(study.name, "", State.FAILED, str(error))
    key = f"{files.digest[:32]}-{subject.pinned.weights_sha256[:16]}-{subject.pinned.configs_sha256[:16]}"
    if before is not None and before.key == key and before.state != State.FAILED:
        return before
    decision = decide(files.series, subject.rules, subject.config.get("input_limits", {}))
    chosen = decision.chosen.series_id if decision.chosen else 0
    shared: dict[str, Any] = {
        "study": study.name,
        "key": key,
        "traits": _traits(files, chosen),
        "synthetic": files.synthetic,
    }
    if not decision.analyse:
        return Answer(state=State.NOT_ANALYSED, reason=decision.reason, **shared)
    shared["series"] = files.series[chosen].series_instance_uid
    shared["files"] = tuple(p.relative_to(study.folder).as_posix() for p in files.files[chosen])
    try:
        analysis = ask(files.files[chosen])
    except OutsideLimits as error:
        return Answer(state=State.NOT_ANALYSED, reason=str(error), **shared)
    except BundleRefused:
        raise
    except (ModelFailed, InputUnreadable) as error:
        return Answer(state=State.FAILED, reason=str(error), **shared)
    except Exception as error:  # noqa: BLE001  (one study must not end the evaluation; it is counted)
        log.error("evaluation_failed", study=study.name, error=type(error).__name__)
        return Answer(state=State.FAILED, reason=f"unexpected {type(error).__name__}", **shared)
    return Answer(
        state=State.ANALYSED,
        targets=_targets(analysis, study, folder),
        seconds=round(time.monotonic() - began, 3),
        runtime=analysis.runtime,
        **shared,
    )


def _targets(analysis: Analysis, study: LabelledStudy, folder: Path) -> tuple[TargetAnswer, ...]:
    places = tuple((source.sop_instance_uid, source.frame) for source in analysis.sources)
    best: dict[str, TargetAnswer] = {}
    for target in analysis.targets:
        if target.name in best and best[target.name].probability >= target.probability:
            continue  # a detector's lesser boxes
        drawn = ""
        if target.mask is not None and target.mask.any():
            drawn = f"{MASKS}/{study.name}/{_slug(target.name)}.npz"
            save(folder / drawn, SliceMask(target.mask, places))
        key = analysis.key_of(target)
        best[target.name] = TargetAnswer(
            name=target.name,
            probability=float(target.probability),
            volume_ml=target.volume_ml,
            side=target.side,
            subtype=target.subtype,
            mask=drawn,
            key=places[key] if key is not None else None,
        )
    return tuple(best.values())


def _traits(files: StudyFiles, chosen: int) -> dict[str, Any]:
    facts = files.series[chosen]
    return {
        "scanner": files.scanner[chosen],
        "slice_thickness_mm": facts.slice_thickness_mm,
        "age_years": facts.age_years,
        "sex": files.sex,
    }


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in name)
