"""The model card: every figure in it comes from docs/evaluation.json."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from triage.inference.training.lookalikes import LOOKALIKES

_REGIONS: Final = (
    "A region's score is logistic on its size, grey value, contrast to the tissue around, form, bone and metal nearby "
    "(`triage.inference.regions`); regions that are hardly a bleed are left out. "
)
#: What the programs of today show in training; write_training keeps it beside the run.
TRAINING_DATA: Final = (
    "Procedural heads of `pacs.synthetic` (no patient behind them).",
    "The average brain of the TotalSegmentator resources (Apache-2.0), skull-stripped and with a "
    "procedural skull; the average elderly head of neurolabusc/Clinical (BSD-2-Clause).",
    "Into both, bleeds of five kinds (epidural, subdural, intraparenchymal, subarachnoid, "
    "intraventricular) of 0.6 to 60 mL, and clots of the shapes in one hand-corrected segmentation "
    "(blast-ct, Apache-2.0). Thin kinds are shown more often.",
    "Varied: slice thickness 0.6 to 8 mm, uneven gaps, gantry tilt, noise and its grain, kernel, motion, "
    "calibration, shading, streaks, rotation, size, coverage; skull, fluid, grey and white matter far "
    "beyond the demo's heads, mottled tissue, a bright or dark rim below the skull, scatter of bone.",
    f"Look-alikes, in scans with and without blood: {', '.join(LOOKALIKES)}; beside them dense falx, "
    "sinuses and arteries, lumps of bone on the inner table, thick dura, leukoaraiosis, calcified plexus, "
    "pineal and basal ganglia, beam hardening.",
    "No scan of a real bleed. The real head CT below was not used for training, and no threshold was "
    "fitted to it. But it was looked at: that only the skull's cavity counts, without the slices near the"
    " vertex and the foramen magnum, and regions from 0.5 mL on, was decided after earlier weights marked"
    " muscle outside its skull, a bone's edge and partial volume under its vertex; training scans got a "
    "tilted gantry, voxels full of bone ceased to be taught as blood, and tissue, bone and noise were "
    "varied more widely after weights that were never shipped had flagged it. Its result below is "
    "therefore no independent test.",
)


def write_results(bundle: Path, results: Mapping[str, Any]) -> None:
    """Write ``docs/evaluation.json`` and, from it, ``docs/README.md`` of the bundle in folder ``bundle``."""
    docs = bundle / "docs"
    docs.mkdir(exist_ok=True)
    text = json.dumps(results, indent=1) + "\n"
    (docs / "evaluation.json").write_text(text, encoding="utf-8")
    (docs / "README.md").write_text(card(results), encoding="utf-8")


def write_training(bundle: Path, run: Mapping[str, Any], *, goes_on: bool = False) -> None:
    """Keep how the weights were trained in ``docs/training.json``, for the card: the run and what it showed.

    With ``goes_on`` the run is added to those before it, whose weights it started from.
    """
    (bundle / "docs").mkdir(exist_ok=True)
    before = (read_training(bundle) or {"runs": []})["runs"] if goes_on else []
    text = json.dumps({"data": list(TRAINING_DATA), "runs": [*before, run]}, indent=1) + "\n"
    (bundle / "docs" / "training.json").write_text(text, encoding="utf-8")


def read_training(bundle: Path) -> dict[str, Any] | None:
    """What ``write_training`` kept, ``runs`` first to last; None where nothing was."""
    path = bundle / "docs" / "training.json"
    if not path.is_file():
        return None
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return told


def pin_weights(bundle: Path) -> str:
    """Write the SHA-256 of ``models/model.pt`` into ``large_files.yml`` and return it."""
    digest = hashlib.sha256((bundle / "models" / "model.pt").read_bytes()).hexdigest()
    (bundle / "large_files.yml").write_text(
        f"large_files:\n  - path: models/model.pt\n    hash_type: sha256\n    hash_val: {digest}\n",
        encoding="utf-8",
    )
    return digest


def card(results: Mapping[str, Any]) -> str:
    """The model card in Markdown for the results of ``evaluate``."""
    rank, alert, test = results["rank"], results["alert"], results["test_set"]
    z, y, x = (f"{mm:g}" for mm in results["spacing_mm"])
    return "\n".join(
        [
            f"# {results['bundle']}, version {results['version']}",
            "",
            "**Not a medical device. Not for use on patients. Demonstration weights, trained on synthetic bleeds "
            "only; no figure below says anything about patients.**",
            "",
            "## Intended use",
            "",
            "To show what Firstread does with the output of a triage model: it marks *possible* intracranial "
            "hemorrhage in a non-contrast head CT of an adult, so that the study moves up the reading list. A low "
            "value means nothing: it is never a negative result, and a human reads every study.",
            "",
            f"Input: one axial head CT series in Hounsfield units, laid on a regular grid of {z} x {y} x {x} mm (z, "
            "y, x; x to the patient's left, y to posterior, z to head). Limits stand in `configs/firstread.json` "
            "and are checked before the network runs; a volume outside them is refused with the reason, not called "
            "negative. Output: a probability map, from which `triage.inference.extract` takes a study probability "
            f"({results['method']}), a mask, a volume and a side. "
            + (_REGIONS if results["regions"] else "")
            + f"A scan without any region gets {results['nothing_found_probability']:.3f}.",
            "",
            "## Training data",
            "",
            *_data(results.get("training")),
            "",
            *_runs((results.get("training") or {}).get("runs", [])),
            "Measure it again with `manage.py train_ich_demo --evaluate`, which writes this page; measure its silence "
            "on variants of the real head CT with `python benchmarks/augmentations.py`.",
            "",
            "## Results",
            "",
            *[line for remark in results.get("remarks", []) for line in (remark, "")],
            f"Test set: {test['scans']} scans of {test['heads']} procedural heads with seeds that training and "
            "calibration never saw, and with other parameters: half of the heads of a form (narrow, broad, or with "
            "large ventricles) that training never saw; slices of 1, 2, 3.5, 4.5, 5.5 and 6.5 mm in three of four "
            "heads (the training program has 0.6, 1.25, 2.5, 3, 4, 5, 6, 7 and 8 mm), an ordinary 5 mm scanner in the "
            "fourth; noise, kernels and tilt of a scanner of its own, whose ranges training nearly covers; more "
            "irregular bleeds; look-alikes a fifth larger. Half of the scans have one bleed. "
            f"{test['refused_by_input_limits']} of them lay outside the input limits (they are counted below by "
            "their probability all the same). Thresholds were chosen on the calibration set, which has training's "
            "parameters and other seeds. Intervals are 95 % Wilson intervals.",
            "",
            f"Area under the ROC curve: {results['area_under_curve']:.3f}. Network time for a head of {z} x {y} x "
            f"{x} mm voxels ({' x '.join(str(n) for n in results['timed_shape'])}) on the machine that ran the "
            f"evaluation: {results['seconds_per_head']:.2f} s.",
            "",
            f"| | rank threshold {rank['threshold']:.2f} | alert threshold {alert['threshold']:.2f} |",
            "|---|---|---|",
            *_rows(
                "**sensitivity from 2 mL**", rank["sensitivity_from_2_ml"], alert["sensitivity_from_2_ml"]
            ),
            *_rows("**specificity**", rank["specificity"], alert["specificity"]),
            *_rows("sensitivity, all sizes", rank["sensitivity"], alert["sensitivity"]),
            *_group("sensitivity from 2 mL, ", "sensitivity_from_2_ml_by_kind", rank, alert),
            *_group("sensitivity, all sizes, ", "sensitivity_by_kind", rank, alert),
            *_group("sensitivity, ", "sensitivity_by_ml", rank, alert),
            *_group("sensitivity, ", "sensitivity_by_base", rank, alert),
            *_group("sensitivity, scanner ", "sensitivity_by_scanner", rank, alert),
            *_group("specificity, ", "specificity_by_base", rank, alert),
            *_group("specificity, scanner ", "specificity_by_scanner", rank, alert),
            *_group("specificity, with ", "specificity_by_lookalike", rank, alert),
            "",
            "Overlap of mask and truth (Dice) of every bleed from 2 mL, missed ones counted as 0; mean with its 95 % "
            "bootstrap interval:",
            "",
            "| | mean | median | mean off bone | bleeds |",
            "|---|---|---|---|---|",
            _dice("all", rank["dice_from_2_ml"], rank["dice_off_bone_from_2_ml"]),
            *[
                _dice(kind, part, rank["dice_off_bone_from_2_ml_by_kind"][kind])
                for kind, part in rank["dice_from_2_ml_by_kind"].items()
            ],
            "",
            "Truth is every voxel that is at least half blood. Beside the skull many of these are partly bone and as "
            "bright, and nobody could outline blood in them: off bone is the same overlap over voxels below 130 HU.",
            "",
            f"Of the flagged bleeds of any size, the median Dice was {_plain(rank['median_dice_of_flagged'])} and "
            f"the median ratio of measured to true volume {_plain(rank['median_volume_ratio_of_flagged'])}.",
            "",
            "### Goals",
            "",
            *_goals(rank, results.get("variants")),
            "",
            "### Real and reference volumes",
            "",
            *_references(results["reference_cases"]),
            "",
            _variants(results.get("variants")),
            "",
            "## What this proves, and what not",
            "",
            "It proves that the chain works: a lesion of known place and volume, put into a synthetic head, is "
            "found, measured and ranked, and inputs that are no head CT are refused. The one real head CT is a "
            "presumed negative without a report; that it is not flagged is one case, not a specificity.",
            "",
            "It proves nothing about patients. Test and training bleeds come from the same program: real bleeds "
            "differ in shape, density and context, and synthetic surgery, metal, contrast and motion only resemble "
            "real ones. Sensitivity on patients is unknown and must be expected to be far lower. Children, tumours "
            "and bleeds older than a few days were never shown to it. A bleed only near the vertex or in the foramen "
            "magnum, or below 0.5 mL, is not reported.",
            "",
        ]
    )


def _data(training: Mapping[str, Any] | None) -> list[str]:
    return [f"- {line}" for line in training["data"]] if training else ["- Not recorded."]


def _runs(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    if not runs:
        return []
    lines = [
        f"{number}. `{run['command']}`: {run['heads']} heads, {run['scans']} scans, {run['minutes']:g} minutes in "
        f"{run['threads']} processes, {run['steps']} steps, highest rate {run['peak_rate']:g}; seed of the network and "
        f"the order {run['seed']}, first seed of heads {run['first_head_seed']}." + _remark(run)
        for number, run in enumerate(runs, start=1)
    ]
    return [
        "Runs that made these weights, each going on from the one before:",
        "",
        *lines,
        "",
        "The time is fixed, not the number of steps, so another machine gives other weights.",
        "",
    ]


def _remark(run: Mapping[str, Any]) -> str:
    return f" {run['remark']}" if run.get("remark") else ""


def _dice(name: str, part: Mapping[str, Any], off_bone: Mapping[str, Any]) -> str:
    if not part["of"]:
        return f"| {name} | no cases | | | 0 |"
    means = [f"{p['mean']:.2f} ({p['low']:.2f} to {p['high']:.2f})" for p in (part, off_bone)]
    return f"| {name} | {means[0]} | {part['median']:.2f} | {means[1]} | {part['of']} |"


def _variants(told: Mapping[str, Any] | None) -> str:
    if told is None:
        return (
            "Variants of the real head CT (`benchmarks/augmentations.py`): not measured with these weights."
        )
    highest = "" if told["highest"] is None else f"; the highest probability was {told['highest']:.3f}"
    return (
        f"Of {told['count']} variants of the real head CT (noise, kernel, thickness, rotation; "
        f"`benchmarks/augmentations.py --seed {told['seed']}`), {told['flagged']} were flagged, {told['refused']} were "
        f"refused and {told['not_flagged']} were not flagged{highest}."
    )


def _goals(rank: Mapping[str, Any], variants: Mapping[str, Any] | None) -> list[str]:
    """What was wanted beside what was measured, at the rank threshold."""
    lines = []
    for name, wanted, value in (
        ("sensitivity from 2 mL", 0.95, rank["sensitivity_from_2_ml"]["value"]),
        ("specificity", 0.95, rank["specificity"]["value"]),
        ("mean Dice from 2 mL", 0.75, rank["dice_from_2_ml"]["mean"]),
    ):
        if value is None:
            lines.append(f"- {name} of {wanted:.2f} or more: not measured")
        else:
            verdict = "reached" if value >= wanted else "**not reached**"
            lines.append(f"- {name} of {wanted:.2f} or more: {verdict} ({value:.3f})")
    silent = "- no flag on 200 variants of the real head CT: "
    if variants is not None and variants["flagged"]:
        lines.append(f"{silent}**not reached** ({variants['flagged']} of {variants['count']})")
    elif variants is not None and variants["count"] >= 200:
        lines.append(f"{silent}reached")
    else:
        lines.append(f"{silent}not measured")
    return lines


def _rows(name: str, rank: Mapping[str, Any], alert: Mapping[str, Any]) -> list[str]:
    return [f"| {name} | {interval(rank)} | {interval(alert)} |"]


def _group(prefix: str, key: str, rank: Mapping[str, Any], alert: Mapping[str, Any]) -> list[str]:
    return [line for name in rank[key] for line in _rows(prefix + name, rank[key][name], alert[key][name])]


def interval(part: Mapping[str, Any]) -> str:
    """A share in percent with its interval and its cases, as cards say it."""
    if not part["of"]:
        return "no cases"
    return (
        f"{100 * part['value']:.1f} % ({100 * part['low']:.1f} to {100 * part['high']:.1f}; "
        f"{part['hits']} of {part['of']})"
    )


def _plain(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2f}"


def _references(answers: list[Mapping[str, Any]]) -> list[str]:
    if not answers:
        return ["The reference data was absent: not measured."]
    lines = ["| volume | expected | result | why |", "|---|---|---|---|"]
    for a in answers:
        why = (
            "; ".join(a["reasons"])
            if a["reasons"]
            else f"probability {a['probability']:.3f}, " + (f"{a['suspicious_ml']:.2f} mL suspicious")
        )
        lines.append(f"| {a['name']} | {a['expected']} | {a['result']} | {why} |")
    return lines
