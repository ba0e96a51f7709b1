"""From labels and answers to the one document that report and model card are written from."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from triage.evaluation import metrics
from triage.evaluation.dataset import Dataset, LabelledStudy, Truth
from triage.evaluation.intervals import Proportion, wilson
from triage.evaluation.masks import MaskUnreadable, load
from triage.evaluation.runner import Answer, State, TargetAnswer
from triage.evaluation.strata import AXES, Judged, parted
from triage.evaluation.subjects import Subject
from triage.targets import TargetFinding

FORMAT: Final = "firstread-evaluation-1"


def document(
    subject: Subject,
    dataset: Dataset,
    answers: Mapping[str, Answer],
    folder: Path,
    *,
    prevalence: float,
    software: str,
    made_at: datetime | None = None,
) -> dict[str, Any]:
    """Everything that the evaluation says, as JSON (schema: triage/evaluation/report.schema.json).

    Args:
        answers: by study; studies without one were not asked and count nowhere but in `asked`.
        folder: of the run, where the model's masks lie.
        prevalence: at which predictive values are told.
    """
    asked = [study for study in dataset.studies if study.name in answers]
    done = [answers[study.name] for study in asked]
    seconds = [answer.seconds for answer in done if answer.state == State.ANALYSED]
    return {
        "format": FORMAT,
        "made_at": (made_at or datetime.now(UTC)).isoformat(timespec="seconds"),
        "software": software,
        "model": {
            "name": subject.name,
            "version": subject.version,
            "weights_sha256": subject.pinned.weights_sha256,
            "configs_sha256": subject.pinned.configs_sha256,
            "intended_use": subject.intended_use,
            "registered": subject.registered,
            "runtime": ", ".join(sorted({a.runtime for a in done if a.runtime})),
        },
        "dataset": {
            "name": dataset.name,
            "labels_sha256": dataset.labels_sha256,
            "studies": len(dataset.studies),
            "asked": len(asked),
            "synthetic": sum(answer.synthetic for answer in done),
        },
        "prevalence": prevalence,
        "counts": {str(state): sum(a.state == state for a in done) for state in State},
        "not_answered": _reasons(done),
        "seconds_a_study": {
            "median": round(statistics.median(seconds), 3) if seconds else None,
            "p95": round(float(np.quantile(seconds, 0.95)), 3) if seconds else None,
        },
        "findings": [
            _finding(target, judged(target, asked, answers, folder), prevalence) for target in subject.targets
        ],
        "cases": [_case(study, answers[study.name]) for study in asked],
    }


def judged(
    target: TargetFinding,
    studies: Sequence[LabelledStudy],
    answers: Mapping[str, Answer],
    folder: Path,
) -> list[Judged]:
    """One entry for each study with a label for the target."""
    found = []
    for study in studies:
        truth, answer = study.truths.get(target.name), answers[study.name]
        if truth is None:
            continue
        said = next((t for t in answer.targets if t.name == target.name), None)
        flagged = said is not None and said.probability >= target.rank_threshold
        found.append(
            Judged(
                study=study.name,
                present=truth.present,
                probability=said.probability if said else None,
                subtype=truth.subtype,
                true_ml=truth.volume_ml,
                found_ml=(said.volume_ml or 0.0) if said and flagged else None,
                dice=_dice(truth, said, folder) if truth.present and said else None,
                traits=answer.traits,
            )
        )
    return found


def _dice(truth: Truth, said: TargetAnswer, folder: Path) -> float | None:
    """None where there is no true mask; 0 where the model marked nothing."""
    if truth.mask is None:
        return None
    true = load(truth.mask)
    if not said.mask:
        return 0.0
    ours = load(folder / said.mask)
    if ours.mask.shape[1:] != true.mask.shape[1:]:
        raise MaskUnreadable(f"{truth.mask.name}: slices of {true.mask.shape[1:]}, not {ours.mask.shape[1:]}")
    places = tuple(dict.fromkeys((*true.places, *ours.places)))
    return metrics.dice(true.on(places), ours.on(places))


def _finding(target: TargetFinding, cases: list[Judged], prevalence: float) -> dict[str, Any]:
    answered = [c for c in cases if c.probability is not None]
    positives = [c.probability for c in answered if c.present and c.probability is not None]
    negatives = [c.probability for c in answered if not c.present and c.probability is not None]
    curve = metrics.area_under_curve(positives, negatives)
    found_ones = [c for c in answered if c.present]
    return {
        "name": target.name,
        "code": {"value": target.code, "scheme": target.scheme, "meaning": target.meaning},
        "labelled": len(cases),
        "positives": sum(c.present for c in cases),
        "answered": {"positives": len(positives), "negatives": len(negatives)},
        "operating_points": [
            _operating_point(name, threshold, cases, prevalence)
            for name, threshold in (("rank", target.rank_threshold), ("alert", target.alert_threshold))
        ],
        "auc": {**asdict(curve.area), "method": curve.method} if curve else None,
        "roc": [
            [None if np.isinf(p.threshold) else p.threshold, p.false_positive_rate, p.sensitivity]
            for p in metrics.roc(positives, negatives)
        ],
        "calibration": _calibration(answered, prevalence),
        "dice": _dice_summary(found_ones),
        "volumes": [
            {"study": c.study, "true_ml": c.true_ml, "found_ml": c.found_ml}
            for c in found_ones
            if c.true_ml is not None and c.found_ml is not None
        ],
        "strata": _strata(cases, target.rank_threshold),
        "failures": _failures(cases, target.rank_threshold),
    }


def _operating_point(name: str, threshold: float, cases: list[Judged], prevalence: float) -> dict[str, Any]:
    tp, fn, tn, fp = _table(cases, threshold)
    ppv, npv = metrics.predictive_values(tp, fn, tn, fp, prevalence)
    positives = sum(c.present for c in cases)
    return {
        "name": name,
        "threshold": threshold,
        "table": {"tp": tp, "fn": fn, "tn": tn, "fp": fp},
        "sensitivity": _counted(tp, tp + fn),
        "specificity": _counted(tn, tn + fp),
        "ppv": asdict(ppv) if ppv else None,
        "npv": asdict(npv) if npv else None,
        # Whoever asks how many bleeds were found of all that came, answered or not.
        "found_of_all": _counted(tp, positives),
    }


def _table(cases: Sequence[Judged], threshold: float) -> tuple[int, int, int, int]:
    answered = [(c.present, c.probability >= threshold) for c in cases if c.probability is not None]
    return (
        sum(present and flagged for present, flagged in answered),
        sum(present and not flagged for present, flagged in answered),
        sum(not present and not flagged for present, flagged in answered),
        sum(not present and flagged for present, flagged in answered),
    )


def _counted(hits: int, of: int) -> dict[str, Any]:
    share = wilson(hits, of)
    return {
        **(asdict(share) if share else {"value": None, "low": None, "high": None}),
        "hits": hits,
        "of": of,
    }


def _calibration(answered: list[Judged], prevalence: float) -> dict[str, Any]:
    p = [c.probability for c in answered if c.probability is not None]
    y = [c.present for c in answered]
    as_is, weighted = metrics.calibration(p, y), metrics.calibration(p, y, prevalence)
    return {
        "bins": [asdict(b) for b in metrics.reliability(p, y)],
        "as_is": asdict(as_is) if as_is else None,
        "at_prevalence": asdict(weighted) if weighted else None,
    }


def _dice_summary(cases: list[Judged]) -> dict[str, Any] | None:
    values = [c.dice for c in cases if c.dice is not None]
    mean: Proportion | None = metrics.mean_interval(values)
    if mean is None:
        return None
    return {**asdict(mean), "median": float(np.median(values)), "of": len(values)}


def _strata(cases: list[Judged], threshold: float) -> list[dict[str, Any]]:
    rows = []
    for axis in AXES:
        for value, part in parted(axis, cases):
            tp, fn, tn, fp = _table(part, threshold)
            rows.append(
                {
                    "axis": axis.name,
                    "title": axis.title,
                    "value": value,
                    "cases": len(part),
                    "not_answered": sum(c.probability is None for c in part),
                    "sensitivity": _counted(tp, tp + fn),
                    "specificity": _counted(tn, tn + fp),
                    "dice": _dice_summary([c for c in part if c.present]),
                }
            )
    return rows


def _failures(cases: list[Judged], threshold: float) -> list[dict[str, Any]]:
    """Misses first, the largest lesion first; then false flags, the surest first."""
    missed = [c for c in cases if c.probability is not None and c.present and c.probability < threshold]
    false = [c for c in cases if c.probability is not None and not c.present and c.probability >= threshold]
    missed.sort(key=lambda c: (-(c.true_ml or 0.0), c.study))
    false.sort(key=lambda c: (-(c.probability or 0.0), c.study))
    return [
        {
            "study": c.study,
            "kind": kind,
            "probability": c.probability,
            "subtype": c.subtype,
            "true_ml": c.true_ml,
            "found_ml": c.found_ml,
        }
        for kind, group in (("missed", missed), ("false flag", false))
        for c in group
    ]


def _reasons(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    counted = Counter((str(a.state), a.reason) for a in answers if a.state != State.ANALYSED)
    return [{"state": state, "reason": reason, "studies": n} for (state, reason), n in counted.most_common()]


def _case(study: LabelledStudy, answer: Answer) -> dict[str, Any]:
    return {
        "study": study.name,
        "state": str(answer.state),
        "reason": answer.reason,
        "truth": {
            name: {"present": t.present, "subtype": t.subtype, "volume_ml": t.volume_ml}
            for name, t in study.truths.items()
        },
        "said": {
            t.name: {"probability": t.probability, "volume_ml": t.volume_ml, "side": t.side}
            for t in answer.targets
        },
        "traits": dict(answer.traits),
        "seconds": answer.seconds,
    }
