"""A study that is damaged on its way is refused or still answered rightly: the bench's own rules, and a few cases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.mutations import (
    ELSEWHERE,
    MUTATIONS,
    OTHER_SIDE,
    PROJECT,
    REFUSED,
    RIGHT,
    WRONG,
    WRONG_BEFORE,
    Answer,
    Study,
    answer_to,
    judge,
    mutated,
    studies,
)
from triage.inference.bundle import LoadedBundle, load_bundle

NEGATIVE, LEFT_BLEED = Study([], False, ""), Study([], True, "left")


@pytest.fixture(scope="module")
def bundle() -> LoadedBundle:
    return load_bundle(Path(PROJECT) / "models" / "ich_demo")


@pytest.mark.parametrize(
    ("study", "whole", "mutated", "worth"),
    [
        (LEFT_BLEED, Answer("", True, "left"), Answer("no head", False, ""), REFUSED),
        (LEFT_BLEED, Answer("", True, "left"), Answer("", True, "left"), RIGHT),
        (LEFT_BLEED, Answer("", True, "left"), Answer("", True, "right"), OTHER_SIDE),
        (LEFT_BLEED, Answer("", True, "left"), Answer("", False, ""), WRONG),
        (LEFT_BLEED, Answer("", False, ""), Answer("", False, ""), WRONG_BEFORE),
        (LEFT_BLEED, Answer("", True, "left", 0.9), Answer("", True, "left", 0.6), RIGHT),
        (LEFT_BLEED, Answer("", True, "left", 0.9), Answer("", True, "left", 0.2), ELSEWHERE),
        (LEFT_BLEED, Answer("", True, "left", 0.1), Answer("", True, "left", 0.2), WRONG_BEFORE),
        (NEGATIVE, Answer("", False, ""), Answer("", True, "left"), WRONG),
        (NEGATIVE, Answer("outside", False, ""), Answer("", True, "left"), WRONG),
        (NEGATIVE, Answer("", False, ""), Answer("", False, ""), RIGHT),
    ],
)
def test_only_a_new_and_unannounced_fault_is_silently_wrong(
    study: Study, whole: Answer, mutated: Answer, worth: str
) -> None:
    assert judge(study, whole, mutated) == worth


@pytest.mark.parametrize(
    "name",
    [
        "slices upside down",
        "intercept 1024 too high",
        "no rescale in the header",
        "positions of slices mixed",
    ],
)
def test_a_damaged_study_is_refused(bundle: LoadedBundle, name: str) -> None:
    (study,) = studies(1, first=80_001, real=False)
    MUTATIONS[name](study.datasets, np.random.default_rng(1))
    assert answer_to(study.datasets, bundle).refusal


def test_the_blood_is_looked_for_where_the_mutation_took_it(bundle: LoadedBundle) -> None:
    (study,) = studies(1, first=80_001, real=False)
    assert study.mask is not None
    uids = [str(dataset.SOPInstanceUID) for dataset in study.datasets]
    for name, expected in (
        ("unchanged", study.mask),
        ("flipped left to right", study.mask[:, :, ::-1]),
        ("slices upside down", study.mask[::-1]),
        ("picture of 8 bits", study.mask),
        ("intercept 40 too high", study.mask),
    ):
        datasets, blood = mutated(study, MUTATIONS[name], lambda: np.random.default_rng(1))
        assert [str(dataset.SOPInstanceUID) for dataset in datasets] == uids
        assert np.array_equal([blood[uid] for uid in uids], expected), name
    whole, blood = mutated(study, MUTATIONS["files in another order"], lambda: np.random.default_rng(1))
    answer = answer_to(whole, bundle, blood)
    assert answer.flags and answer.on_blood is not None and answer.on_blood >= 0.5
    lost = {uid: np.roll(plane, 40, axis=1) for uid, plane in blood.items()}
    elsewhere = answer_to(whole, bundle, lost)
    assert elsewhere.on_blood is not None and elsewhere.on_blood < 0.5
