"""A study that is damaged on its way must be refused or still be answered rightly, never be silently wrong.

    python benchmarks/mutations.py [--studies 20] [--model models/ich_demo]

Synthetic studies with and without bleeds, and the real head CT where it is at hand, go through the model
whole and after each mutation: pixels flipped without a word in the header, Hounsfield units lost, slices and
positions mixed. The table counts what the model then says: not analysed, as it should be (present or not,
side, and at least half of what it marks is blood), the other side, marked elsewhere, as wrong as before, or
SILENTLY WRONG. Where the blood is in a mutated study is told by the same mutation of a study whose pixels are the
true mask. Marked elsewhere counts as silently wrong too.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from pacs.synthetic.lesions import LESION_KINDS  # noqa: E402
from pacs.synthetic.studies import make_study  # noqa: E402
from triage.inference.analysis import Analysis, OutsideLimits  # noqa: E402
from triage.inference.bundle import LoadedBundle, load_bundle  # noqa: E402
from triage.inference.engine import analyse  # noqa: E402

SHARED_DATA = PROJECT.parent / "shared" / "data"
REFUSED, RIGHT, OTHER_SIDE = "not analysed", "right", "other side"
ELSEWHERE, WRONG_BEFORE, WRONG = "marked elsewhere", "wrong before too", "SILENTLY WRONG"
ANSWERS = (REFUSED, RIGHT, OTHER_SIDE, ELSEWHERE, WRONG_BEFORE, WRONG)
# Of what is marked, so much must be blood; the model's usual Dice is 0.8.
ON_THE_BLEED = 0.5
Mutation = Callable[[list[Dataset], np.random.Generator], None]


@dataclass(frozen=True)
class Study:
    """Datasets in slice order, and what is in them; `side` as the patient's own left and right.

    `mask` is the blood, bool [slice, row, column]; None where nobody knows.
    """

    datasets: list[Dataset]
    bleeds: bool
    side: str
    mask: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Answer:
    """What the model said: the reason of a refusal, or whether it flags, the side, and of what it marked the share
    that is blood (None where it marked nothing, or nobody knows).
    """

    refusal: str
    flags: bool
    side: str
    on_blood: float | None = None


def _pixels(dataset: Dataset) -> NDArray[Any]:
    return np.array(dataset.pixel_array)


def _put(dataset: Dataset, pixels: NDArray[Any]) -> None:
    dataset.PixelData = np.ascontiguousarray(pixels).tobytes()


def _each(change: Callable[[NDArray[Any]], NDArray[Any]]) -> Mutation:
    def mutate(datasets: list[Dataset], rng: np.random.Generator) -> None:
        for dataset in datasets:
            _put(dataset, change(_pixels(dataset)))

    return mutate


def _set(**values: object) -> Mutation:
    def mutate(datasets: list[Dataset], rng: np.random.Generator) -> None:
        for dataset in datasets:
            for keyword, value in values.items():
                if value is None:
                    delattr(dataset, keyword)
                else:
                    setattr(dataset, keyword, value)

    return mutate


def _intercept(by: float) -> Mutation:
    def mutate(datasets: list[Dataset], rng: np.random.Generator) -> None:
        for dataset in datasets:
            dataset.RescaleIntercept = float(dataset.RescaleIntercept) + by

    return mutate


def _as_picture(datasets: list[Dataset], rng: np.random.Generator) -> None:
    """Brain window, 8 bits, as an export to pictures and back makes it."""
    for dataset in datasets:
        hu = _pixels(dataset) * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
        _put(dataset, np.clip(hu / 80.0 * 255.0, 0, 255).astype("<u2"))
        dataset.PixelRepresentation = 0
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0


def _upside_down(datasets: list[Dataset], rng: np.random.Generator) -> None:
    planes = [_pixels(dataset) for dataset in datasets]
    for dataset, plane in zip(datasets, reversed(planes), strict=True):
        _put(dataset, plane)


def _pixels_mixed(datasets: list[Dataset], rng: np.random.Generator) -> None:
    planes = [_pixels(dataset) for dataset in datasets]
    for dataset, index in zip(datasets, rng.permutation(len(planes)), strict=True):
        _put(dataset, planes[index])


def _positions_mixed(datasets: list[Dataset], rng: np.random.Generator) -> None:
    places = [list(dataset.ImagePositionPatient) for dataset in datasets]
    for dataset, index in zip(datasets, rng.permutation(len(places)), strict=True):
        dataset.ImagePositionPatient = places[index]


def _three_swapped(datasets: list[Dataset], rng: np.random.Generator) -> None:
    chosen = rng.choice(len(datasets), 6, replace=False)
    for a, b in zip(chosen[:3], chosen[3:], strict=True):
        first, second = _pixels(datasets[a]), _pixels(datasets[b])
        _put(datasets[a], second)
        _put(datasets[b], first)


def _numbers_mixed(datasets: list[Dataset], rng: np.random.Generator) -> None:
    for dataset, number in zip(datasets, rng.permutation(len(datasets)) + 1, strict=True):
        dataset.InstanceNumber = int(number)


def _files_mixed(datasets: list[Dataset], rng: np.random.Generator) -> None:
    datasets[:] = [datasets[index] for index in rng.permutation(len(datasets))]


def _stretched(datasets: list[Dataset], rng: np.random.Generator) -> None:
    for dataset in datasets:
        dataset.PixelSpacing = [2.0 * float(v) for v in dataset.PixelSpacing]


MUTATIONS: dict[str, Mutation] = {
    "unchanged": lambda datasets, rng: None,
    "files in another order": _files_mixed,
    "instance numbers mixed": _numbers_mixed,
    "flipped left to right": _each(lambda plane: plane[:, ::-1]),
    "flipped front to back": _each(lambda plane: plane[::-1]),
    "turned by half (both)": _each(lambda plane: plane[::-1, ::-1]),
    "rows and columns exchanged": _each(lambda plane: plane.T),
    "slices upside down": _upside_down,
    "no rescale in the header": _set(RescaleSlope=None, RescaleIntercept=None),
    "intercept 1024 too high": _intercept(1024.0),
    "intercept 1024 too low": _intercept(-1024.0),
    "intercept 40 too high": _intercept(40.0),
    "slope doubled": _set(RescaleSlope=2),
    "picture of 8 bits": _as_picture,
    "pixels of slices mixed": _pixels_mixed,
    "positions of slices mixed": _positions_mixed,
    "three pairs of slices swapped": _three_swapped,
    "pixel spacing doubled": _stretched,
}


def studies(count: int, first: int = 80_000, real: bool = True, matrix: int = 128) -> Iterator[Study]:
    """Synthetic studies, every second one with a bleed of 25 mL or more, and the real head CT."""
    for seed in range(first, first + count):
        kind = LESION_KINDS[seed // 2 % len(LESION_KINDS)] if seed % 2 else None
        made = make_study(seed, kind, 25.0 + seed % 3 * 10.0, matrix=matrix)
        yield Study(made.datasets, kind is not None, str(made.truth["side"] or ""), made.mask)
    if real and (SHARED_DATA / "head_ct_ge").is_dir():
        files = sorted((SHARED_DATA / "head_ct_ge").glob("*.dcm"))
        yield Study([pydicom.dcmread(path) for path in files], False, "")


def mutated(
    study: Study, mutate: Mutation, rng: Callable[[], np.random.Generator]
) -> tuple[list[Dataset], dict[str, NDArray[np.bool_]]]:
    """The study after a mutation, and where its blood is then, by SOP Instance UID.

    Args:
        rng: gives the same numbers each time that it is called.
    """
    datasets = [deepcopy(dataset) for dataset in study.datasets]
    drawn = [deepcopy(dataset) for dataset in study.datasets] if study.mask is not None else []
    for dataset, mask in zip(drawn, study.mask if study.mask is not None else [], strict=True):
        slope, intercept = float(dataset.RescaleSlope), float(dataset.RescaleIntercept)
        # Blood at 80 HU in nothing at 0: a window of the brain keeps them apart.
        stored = np.rint((np.where(mask, 80.0, 0.0) - intercept) / slope)
        _put(dataset, stored.astype(_pixels(dataset).dtype))
    mutate(datasets, rng())
    mutate(drawn, rng())
    planes = {str(dataset.SOPInstanceUID): _pixels(dataset) for dataset in drawn}
    middle = (
        (max(p.max() for p in planes.values()) + min(p.min() for p in planes.values())) / 2.0
        if planes
        else 0.0
    )
    return datasets, {uid: plane > middle for uid, plane in planes.items()}


def answer_to(
    datasets: Sequence[Dataset], bundle: LoadedBundle, blood: Mapping[str, NDArray[np.bool_]] | None = None
) -> Answer:
    """Through files, as a worker does it.

    Args:
        blood: where it is, by SOP Instance UID.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{index:04d}.dcm" for index in range(len(datasets))]
        for dataset, path in zip(datasets, paths, strict=True):
            pydicom.dcmwrite(path, dataset, enforce_file_format=True)
        try:
            analysis = analyse(paths, bundle, "")
        except OutsideLimits as refusal:
            return Answer(str(refusal), False, "")
    target = analysis.targets[0]
    flags = target.probability >= float(bundle.config["rank_threshold"])
    return Answer("", flags, target.side, _share_on(analysis, blood or {}))


def _share_on(analysis: Analysis, blood: Mapping[str, NDArray[np.bool_]]) -> float | None:
    mask = analysis.targets[0].mask
    if mask is None or not mask.any() or not blood:
        return None
    hit = sum(
        int((plane & blood[source.sop_instance_uid]).sum())
        for plane, source in zip(mask, analysis.sources, strict=True)
    )
    return hit / int(mask.sum())


def judge(study: Study, whole: Answer, mutated: Answer) -> str:
    """One of ANSWERS: what a mutated study's answer is worth beside the truth and the whole study's answer."""
    if mutated.refusal:
        return REFUSED
    if mutated.flags != study.bleeds:
        before = not whole.refusal and whole.flags == mutated.flags
        return WRONG_BEFORE if before else WRONG
    if study.bleeds and _off(mutated):
        return WRONG_BEFORE if _off(whole) else ELSEWHERE
    one_sided = {study.side, mutated.side} == {"left", "right"}
    return OTHER_SIDE if study.bleeds and one_sided else RIGHT


def _off(answer: Answer) -> bool:
    return answer.on_blood is not None and answer.on_blood < ON_THE_BLEED


def run(cases: Sequence[Study], bundle: LoadedBundle, seed: int = 1) -> dict[str, Counter[str]]:
    """Counts of ANSWERS for each mutation."""
    table: dict[str, Counter[str]] = {name: Counter() for name in MUTATIONS}
    for number, study in enumerate(cases):
        whole = Answer("", False, "")
        for name, mutate in MUTATIONS.items():
            datasets, blood = mutated(study, mutate, partial(np.random.default_rng, [seed, number]))
            answer = answer_to(datasets, bundle, blood)
            if name == "unchanged":
                whole = answer
            worth = judge(study, whole, answer)
            table[name][worth] += 1
            if worth in (WRONG, ELSEWHERE, WRONG_BEFORE):
                print(f"study {number + 1}, bleeds {study.bleeds}, {name}: {worth}", file=sys.stderr)
        print(f"study {number + 1} of {len(cases)}", file=sys.stderr)
    return table


def main() -> None:
    """Print the table; exit with 1 when something was silently wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=20)
    parser.add_argument("--model", type=Path, default=PROJECT / "models" / "ich_demo")
    parser.add_argument("--first", type=int, default=80_000, help="seed of the first study")
    parser.add_argument("--real", action=argparse.BooleanOptionalAction, default=True)
    arguments = parser.parse_args()
    cases = list(studies(arguments.studies, arguments.first, arguments.real))
    table = run(cases, load_bundle(arguments.model))
    print(f"{len(cases)} studies, {sum(study.bleeds for study in cases)} with a bleed\n")
    print(f"{'mutation':32}" + "".join(f"{answer:>18}" for answer in ANSWERS))
    for name, counts in table.items():
        print(f"{name:32}" + "".join(f"{counts[answer]:18}" for answer in ANSWERS))
    wrong = sum(counts[WRONG] + counts[ELSEWHERE] for counts in table.values())
    print(f"\nsilently wrong: {wrong} of {sum(map(Counter.total, table.values()))}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
