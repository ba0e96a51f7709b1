"""The model card: every figure in it comes from docs/evaluation.json."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_results(bundle: Path, results: Mapping[str, Any]) -> None:
    """Write ``docs/evaluation.json`` and, from it, ``docs/README.md`` of the bundle in folder ``bundle``."""
    docs = bundle / "docs"
    docs.mkdir(exist_ok=True)
    text = json.dumps(results, indent=1) + "\n"
    (docs / "evaluation.json").write_text(text, encoding="utf-8")
    (docs / "README.md").write_text(card(results), encoding="utf-8")


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
            "Input: one axial head CT series in Hounsfield units, laid on a regular grid of 4 x 2 x 2 mm (z, y, x; "
            "x to the patient's left, y to posterior, z to head). Limits stand in `configs/firstread.json` and are "
            "checked before the network runs; a volume outside them is refused with the reason, not called "
            "negative. Output: a probability map, from which `triage.inference.extract` takes a study probability "
            "(logistic on log volume and peak), a mask, a volume and a side.",
            "",
            "## Training data",
            "",
            "- Procedural heads of `pacs.synthetic` (no patient behind them).",
            "- The average brain of the TotalSegmentator resources (Apache-2.0), skull-stripped and with a "
            "procedural skull; the average elderly head of neurolabusc/Clinical (BSD-2-Clause).",
            "- Into both, bleeds of five kinds (epidural, subdural, intraparenchymal, subarachnoid, "
            "intraventricular) of 0.6 to 60 mL, and clots of the shapes in one hand-corrected segmentation "
            "(blast-ct, Apache-2.0).",
            "- Varied: slice thickness 0.6 to 7 mm, uneven spacing, noise, kernel, calibration, shading, streaks, "
            "rotation, size, coverage. As look-alikes: dense falx and sinuses, calcification, old infarcts, "
            "leukoaraiosis, beam hardening.",
            "- No scan of a real bleed. The real head CT below was not used for training, and no threshold was "
            "fitted to it. But it was looked at: that only the skull's cavity counts, without the slices near the "
            "vertex and the foramen magnum, and regions from 0.5 mL on, was decided after earlier weights marked "
            "muscle outside its skull, a bone's edge and partial volume under its vertex; training scans got a tilted "
            "gantry, and voxels shared with bone ceased to be taught as blood, after such a look, too. Its result "
            "below is therefore no independent test.",
            "- The weights came from three runs of 30 minutes or less, each going on from the one before; one run of "
            "the command gives others.",
            "",
            "Train it again with `manage.py train_ich_demo`; measure it again with "
            "`manage.py train_ich_demo --evaluate`, which writes this page.",
            "",
            "## Results",
            "",
            *[line for remark in results.get("remarks", []) for line in (remark, "")],
            f"Test set: {test['scans']} scans of {test['heads']} procedural heads with seeds that training and "
            "calibration never saw, half of the heads of a form (narrow, broad, or with large ventricles) that "
            "training never saw, half of the scans with one bleed. "
            f"{test['refused_by_input_limits']} of them lay outside the input limits (they are counted below by "
            "their probability all the same). Thresholds were chosen on the calibration set. Intervals are 95 % "
            "Wilson intervals.",
            "",
            f"Area under the ROC curve: {results['area_under_curve']:.3f}. Network time for a head of 40 x 120 x "
            f"120 voxels on the machine that ran the evaluation: {results['seconds_per_head']:.2f} s.",
            "",
            f"| | rank threshold {rank['threshold']:.2f} | alert threshold {alert['threshold']:.2f} |",
            "|---|---|---|",
            *_rows("sensitivity", rank["sensitivity"], alert["sensitivity"]),
            *_rows("specificity", rank["specificity"], alert["specificity"]),
            *_group("sensitivity, ", "sensitivity_by_kind", rank, alert),
            *_group("sensitivity, ", "sensitivity_by_ml", rank, alert),
            *_group("sensitivity, ", "sensitivity_by_base", rank, alert),
            *_group("specificity, ", "specificity_by_base", rank, alert),
            *_group("specificity, scanner ", "specificity_by_scanner", rank, alert),
            "",
            f"Of the flagged bleeds, the median Dice of the mask was {_plain(rank['median_dice_of_flagged'])} and "
            f"the median ratio of measured to true volume {_plain(rank['median_volume_ratio_of_flagged'])}.",
            "",
            "### Real and reference volumes",
            "",
            *_references(results["reference_cases"]),
            "",
            "## What this proves, and what not",
            "",
            "It proves that the chain works: a lesion of known place and volume, put into a synthetic head, is "
            "found, measured and ranked, and inputs that are no head CT are refused. The one real head CT is a "
            "presumed negative without a report; that it is not flagged is one case, not a specificity.",
            "",
            "It proves nothing about patients. Test and training bleeds come from the same program: real bleeds "
            "differ in shape, density and context, real heads have surgery, devices, tumours, motion, metal. "
            "Sensitivity on patients is unknown and must be expected to be far lower. Children, contrast, "
            "post-operative heads and bleeds older than a few days were never shown to it. A bleed only near the "
            "vertex or in the foramen magnum, or below 0.5 mL, is not reported.",
            "",
        ]
    )


def _rows(name: str, rank: Mapping[str, Any], alert: Mapping[str, Any]) -> list[str]:
    return [f"| {name} | {_interval(rank)} | {_interval(alert)} |"]


def _group(prefix: str, key: str, rank: Mapping[str, Any], alert: Mapping[str, Any]) -> list[str]:
    return [line for name in rank[key] for line in _rows(prefix + name, rank[key][name], alert[key][name])]


def _interval(part: Mapping[str, Any]) -> str:
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
