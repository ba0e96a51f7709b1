"""The part of a bundle's model card that tells how good it is, written from an evaluation and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from triage.evaluation.report import honesty, percent

BEGIN: Final = "<!-- evaluation: written by manage.py evaluate --card -->"
END: Final = "<!-- evaluation: end -->"
FIGURES: Final = "performance.json"


def update_card(bundle: Path, document: Mapping[str, Any]) -> Path:
    """Write `docs/performance.json` and the marked part of `docs/README.md`; the rest of the card stays.

    The cases stay out of it: a bundle travels, and names of studies should not.

    Returns:
        The card's path.
    """
    docs = bundle / "docs"
    docs.mkdir(exist_ok=True)
    figures = {key: value for key, value in document.items() if key != "cases"}
    figures["findings"] = [
        {key: value for key, value in finding.items() if key not in ("failures", "volumes")}
        for finding in document["findings"]
    ]
    (docs / FIGURES).write_text(json.dumps(figures, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    card = docs / "README.md"
    before = card.read_text(encoding="utf-8") if card.is_file() else f"# {bundle.name}\n"
    card.write_text(with_section(before, section(document)), encoding="utf-8")
    return card


def with_section(card: str, part: str) -> str:
    """A card with its marked part replaced, or added at the end where it has none."""
    begin, end = card.find(BEGIN), card.find(END)
    if begin >= 0 and end > begin:
        return card[:begin] + part + card[end + len(END) :]
    return f"{card.rstrip()}\n\n{part}\n"


def section(document: Mapping[str, Any]) -> str:
    """The marked part, in Markdown."""
    counts, data, model = document["counts"], document["dataset"], document["model"]
    lines = [
        BEGIN,
        "## Measured by the path of production",
        "",
        f"**{honesty(data)}**",
        "",
        f"Set `{data['name']}`, {data['asked']} studies: {counts['analysed']} analysed, "
        f"{counts['not_analysed']} not analysed, {counts['failed']} failed. Version {model['version']}, weights "
        f"`{model['weights_sha256'][:12]}`, {document['made_at'][:10]}. Intervals cover 95 %.",
    ]
    for finding in document["findings"]:
        lines += ["", *_finding(finding, document["prevalence"])]
    return "\n".join([*lines, "", END])


def _finding(finding: Mapping[str, Any], prevalence: float) -> list[str]:
    points = finding["operating_points"]
    lines = [
        f"### {finding['code']['meaning']}: `{finding['name']}`",
        "",
        "| | " + " | ".join(f"{p['name']} threshold {p['threshold']:g}" for p in points) + " |",
        "|---" * (len(points) + 1) + "|",
    ]
    for key, title in (
        ("sensitivity", "sensitivity"),
        ("specificity", "specificity"),
        ("ppv", f"PPV at {100 * prevalence:g} % prevalence"),
        ("npv", f"NPV at {100 * prevalence:g} % prevalence"),
    ):
        lines.append(f"| {title} | " + " | ".join(_cell(p[key]) for p in points) + " |")
    auc, dice = finding["auc"], finding["dice"]
    if auc:
        lines += ["", f"Area under the ROC curve {auc['value']:.3f} ({auc['low']:.3f} to {auc['high']:.3f})."]
    if dice:
        lines += ["", f"Dice of the mask, mean of {dice['of']} lesions: {dice['value']:.2f}."]
    weighted = finding["calibration"]["at_prevalence"]
    if weighted:
        lines += [
            "",
            f"Brier score {weighted['brier']:.3f}, calibration error {weighted['ece']:.3f} at that prevalence.",
        ]
    lines += ["", "| at the rank threshold | cases | sensitivity | specificity |", "|---|---|---|---|"]
    lines += [
        f"| {row['title']}: {row['value']} | {row['cases']} | {_cell(row['sensitivity'])} | "
        f"{_cell(row['specificity'])} |"
        for row in finding["strata"]
    ]
    return lines


def _cell(share: Mapping[str, Any] | None) -> str:
    if share is None or share["value"] is None:
        return "no cases"
    counted = f", {share['hits']} of {share['of']}" if "of" in share else ""
    return percent(share) + counted
