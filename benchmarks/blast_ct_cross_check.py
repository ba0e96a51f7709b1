"""Two models judge each other's cases: BLAST-CT, trained on patients, on the synthetic bleeds that the quick model was
trained with; and both on cases without a bleed.

    python benchmarks/blast_ct_cross_check.py [--sizes 3 10 30] [--seed 70] [--whole]

Synthetic bleeds are made as `manage.py demo --write` makes them, five kinds in each size. BLAST-CT is asked in the
tiles that touch the bleed (with --whole everywhere in the head): how much of the drawn bleed does it mark, and as
what? A bleed that looks like blood to a model that has seen patients is marked. The quick model sees the whole head.
Cases without a bleed are run whole. A table in Markdown, line by line as it comes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from blast_ct_reference import CLASSES, PROJECT, SHARED_DATA, WEIGHTS, firstread_network, normalised
from numpy.typing import NDArray

from pacs.synthetic.lesions import LESION_KINDS
from pacs.synthetic.studies import make_study
from triage.bundles import fingerprint
from triage.inference.bundle import LoadedBundle, load_bundle
from triage.inference.cavity import analysable
from triage.inference.deepmedic import BrainTiles, DeepMedic
from triage.inference.extract import Extraction, extract
from triage.inference.guard import check_input
from triage.inference.runtimes import use_cores
from triage.inference.training.reference_cases import reference_cases
from triage.inference.volume import SliceStack, to_regular

ONE_MM = (1.0, 1.0, 1.0)
BLOOD = (1, 2, 4)
Mask = NDArray[np.bool_]


def stack_of(datasets: list[Any]) -> SliceStack:
    """Slices of a synthetic study, by the way that every study goes."""
    import tempfile

    from triage.inference.slices import read_stack

    with tempfile.TemporaryDirectory() as folder:
        for number, dataset in enumerate(datasets):
            dataset.save_as(Path(folder) / f"{number:03d}.dcm", enforce_file_format=True)
        return read_stack(sorted(Path(folder).glob("*.dcm")))


def drawn_on_grid(mask: Mask, stack: SliceStack, spacing: tuple[float, float, float]) -> Mask:
    """The drawn bleed on the regular grid."""
    regular = to_regular(replace(stack, pixels=mask.astype(np.float32) * 2048.0 - 1024.0), spacing)
    return regular.array > 0.0


def dice(a: Mask, b: Mask) -> float:
    """Overlap of two masks."""
    return float(2.0 * (a & b).sum() / max(1, a.sum() + b.sum()))


def quick(bundle: LoadedBundle, hu: NDArray[np.float32]) -> Extraction:
    """What the quick model says of a volume on its own grid."""
    return extract(bundle.predict(hu), bundle.spacing_mm, rule_of(bundle.config), volume_hu=hu)


def rule_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """A bundle's configuration with its first finding's calibration where `extract` looks for it."""
    first = config["findings"][0] if "findings" in config else {}
    return {**config, **{key: first[key] for key in ("probability",) if key in first}}


def bleed_line(kind: str, ml: float, seed: int, network: DeepMedic, bundle: LoadedBundle, whole: bool) -> str:
    """One row: what both say of one synthetic bleed."""
    study = make_study(seed, lesion=kind, volume_ml=ml, matrix=256)
    stack = stack_of(study.datasets)
    regular = to_regular(stack, ONE_MM)
    truth = drawn_on_grid(study.mask, stack, ONE_MM)
    where = analysable(regular.array, ONE_MM) if whole else truth
    map_ = BrainTiles(tile=(30, 30, 30)).run(normalised(regular.array), where, network)[0].numpy()
    marked = map_[list(BLOOD)].sum(axis=0) >= 0.5
    share = float((marked & truth).sum() / max(1, truth.sum()))
    classes = [float(map_[n][truth].sum()) for n in BLOOD]
    named = CLASSES[BLOOD[int(np.argmax(classes))]] if share > 0.05 else "-"
    coarse = to_regular(stack, bundle.spacing_mm)
    said = quick(bundle, coarse.array)
    overlap = dice(said.mask, drawn_on_grid(study.mask, stack, bundle.spacing_mm))
    return (
        f"| {kind} | {truth.sum() / 1000:.1f} | {share:.0%} | {dice(marked, truth):.2f} | {named} "
        f"| {said.probability:.2f} | {said.volume_ml:.1f} | {overlap:.2f} |"
    )


def negative_line(name: str, hu: NDArray[np.float32], network: DeepMedic, config: Mapping[str, Any]) -> str:
    """What BLAST-CT says of a whole head without a bleed."""
    if reasons := check_input(hu, ONE_MM, config["input_limits"]):
        return f"not analysed: {reasons[0]}"
    where = analysable(hu, ONE_MM) & (hu > 8.0)  # a skull-stripped head has no cavity to go by
    map_ = BrainTiles(groups=[list(BLOOD)]).run(normalised(hu), where, network)[0, 0].numpy()
    said = extract(np.clip(map_, 0.0, 1.0), ONE_MM, config, volume_hu=hu)
    return f"probability {said.probability:.2f}, {said.volume_ml:.1f} mL marked"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=float, nargs="+", default=[3.0, 10.0, 30.0])
    parser.add_argument("--seed", type=int, default=70)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--weights", type=Path, default=WEIGHTS / "model_1.pt")
    parser.add_argument("--no-negatives", action="store_true")
    options = parser.parse_args()
    use_cores()
    network = firstread_network(options.weights)
    folder = PROJECT / "models" / "ich_demo"
    bundle = load_bundle(folder)
    config = json.loads((PROJECT / "models" / "blast_ct" / "configs" / "firstread.json").read_text())
    print(
        f"ich_demo {bundle.metadata['version']}, weights {fingerprint(folder).weights_sha256[:12]}; seed {options.seed}"
    )
    print(
        "| drawn | mL | BLAST-CT marks | Dice | as | quick model p | mL | Dice |\n|---|---|---|---|---|---|---|---|"
    )
    for size in options.sizes:
        for number, kind in enumerate(LESION_KINDS):
            print(bleed_line(kind, size, options.seed + number, network, bundle, options.whole), flush=True)
    if options.no_negatives:
        return
    print("\n| without a bleed | BLAST-CT | quick model |\n|---|---|---|")
    fine = {case.name: case.volume for case in reference_cases(SHARED_DATA, ONE_MM)}
    for case in reference_cases(SHARED_DATA, bundle.spacing_mm):
        theirs = negative_line(case.name, fine[case.name], network, config)
        reasons = check_input(case.volume, bundle.spacing_mm, bundle.config["input_limits"])
        ours = f"not analysed: {reasons[0]}" if reasons else ""
        if not reasons:
            said = quick(bundle, case.volume)
            ours = f"probability {said.probability:.2f}, {said.volume_ml:.1f} mL marked"
        print(f"| {case.name} | {theirs} | {ours} |", flush=True)


if __name__ == "__main__":
    main()
