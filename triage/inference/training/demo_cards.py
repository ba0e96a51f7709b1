"""Model cards of the two classifiers that ship beside the demonstration, from what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from triage.inference.training.card import interval

NOTHING: Final = (
    "**Not a medical device. Not for use on patients. Demonstration weights, trained on SYNTHETIC images only; no "
    "figure below says anything about patients.**"
)
_ABOUT: Final = {
    "cxr_demo": {
        "title": "SYNTHETIC chest radiograph classifier",
        "use": "Shows how a 2D classifier goes through Firstread: a frontal chest radiograph (DX or CR, PA or AP) "
        "gets one finding, pleural effusion, with a probability and no mask. The network's first output, "
        "pneumothorax, was trained beside it and is not used: on the same held-out studies as below it told them "
        "from others hardly better than chance (area under the ROC 0.672, 30 of 120 studies).",
        "data": "Procedural radiographs of `pacs.synthetic.chest`: ribs, clavicles, shoulder blades, spine, heart, "
        "diaphragm, vessels, scatter and noise, with skin folds, leads, tubes, pacemakers, consolidations, bands and "
        "nodules as distractions. Test studies have seeds, noise, scatter, proportions and lesion sizes that training "
        "never saw; a third of them is stored as MONOCHROME1.",
        "limits": "The effusions are large, drawn with one pen, and stand upright. A probability on a real radiograph "
        "means nothing. Lateral views, children and "
        "images without a pixel spacing are refused. A lesion on one of two frontal series is seen only if "
        "that series is chosen.",
    },
    "ich_subtype_demo": {
        "title": "Kind of intracranial hemorrhage",
        "use": "Shows how a 3D multi-label classifier goes through Firstread: a non-contrast head CT gets five "
        "findings, one for each kind of hemorrhage. It is meant to run as a shadow beside `ich_demo` "
        "(docs/adr/0015): its answers are measured against the signed report, and no reader sees them. "
        "Epidural and intraventricular hemorrhage carry the code of intracranial hemorrhage and their kind as subtype, "
        "because public sources disagree on their own codes.",
        "data": "Procedural heads of `pacs.synthetic`, four scans of each with none, one or two kinds of bleed of 2 "
        "to 60 mL. Test studies are whole DICOM series of other heads, 5.5 mm slices where training saw 5 mm, with "
        "one kind at most.",
        "limits": "It names a kind even where there is no hemorrhage if one asks it to: its figures hold only beside "
        "a model that says whether there is one. Real bleeds are mixed, layered and treated; these are not.",
    },
}


def demo_card(results: Mapping[str, Any]) -> str:
    """The card in Markdown for the results of `demos.finish`."""
    about = _ABOUT[str(results["bundle"])]
    training = results.get("training") or {}
    lines = [
        f"# {about['title']} (`{results['bundle']}`, version {results['version']})",
        "",
        NOTHING,
        "",
        "## What it is for",
        "",
        about["use"],
        "",
        "## What it was trained on",
        "",
        about["data"],
        "",
        f"Command: `{results['command']}`. "
        + (
            f"{training['epochs']} passes, {training['steps']} steps, {training['seconds']:.0f} s of wall time "
            "on one thread of a busy machine."
            if training
            else "How these weights were trained was not recorded."
        ),
        "",
        "## What was measured",
        "",
        f"{results['studies']} held-out studies, written as DICOM and read by the engine as a worker reads them; "
        f"{results['calibration_studies']} others set the probabilities and the thresholds. Intervals are "
        "Wilson's, 95 %.",
        "",
        "| finding | area under ROC | threshold | sensitivity | specificity |",
        "|---|---|---|---|---|",
    ]
    for name, both in results["findings"].items():
        for use in ("rank", "alert"):
            part = both[use]
            lines.append(
                f"| {name} | {_plain(part['auc'])} | {use} from {part['threshold']:g} | "
                f"{interval(part['sensitivity'])} | {interval(part['specificity'])} |"
            )
    lines += [
        "",
        f"- Negative studies without any flag: {interval(results['negative_studies_without_any_flag'])}",
        "- Positive studies whose true finding has the highest probability: "
        + (
            interval(results["positive_studies_with_the_right_kind_first"])
            if len(results["findings"]) > 1
            else "there is one finding only"
        ),
        f"- Refused as outside the model's limits: {len(results['refused'])}",
        "",
        "## What it proves, and what not",
        "",
        f"That the chain works. {about['limits']}",
        "",
    ]
    return "\n".join(lines)


def write_card(path: Path, results: Mapping[str, Any]) -> None:
    """Write docs/README.md of the bundle."""
    (path / "docs" / "README.md").write_text(demo_card(results), encoding="utf-8")


def _plain(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.3f}"
