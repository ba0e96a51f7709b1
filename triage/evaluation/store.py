"""Write a finished evaluation: figures for programs, a page with pictures of the failures for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from triage.evaluation.dataset import Dataset
from triage.evaluation.gallery import MOST_PICTURES, Picture, picture
from triage.evaluation.report import page
from triage.evaluation.runner import Answer
from triage.evaluation.shelf import DOCUMENT, PAGE


def write(folder: Path, document: Mapping[str, Any], dataset: Dataset, answers: Mapping[str, Answer]) -> None:
    """Write report.json and report.html, the latter with pictures of the failures."""
    text = json.dumps(document, indent=1, allow_nan=False) + "\n"
    html = page(document, pictures(document, dataset, answers, folder))
    for name, content in ((DOCUMENT, text), (PAGE, html)):
        part = folder / f"{name}.part"
        part.write_text(content, encoding="utf-8")
        part.replace(folder / name)


def pictures(
    document: Mapping[str, Any], dataset: Dataset, answers: Mapping[str, Answer], folder: Path
) -> dict[tuple[str, str], Picture]:
    """The first failures of each kind, by finding and study."""
    studies = {study.name: study for study in dataset.studies}
    found: dict[tuple[str, str], Picture] = {}
    for finding in document["findings"]:
        for kind in ("missed", "false flag"):
            for failure in [f for f in finding["failures"] if f["kind"] == kind][:MOST_PICTURES]:
                name = failure["study"]
                shown = picture(answers[name], finding["name"], studies[name], folder)
                if shown is not None:
                    found[(finding["name"], name)] = shown
    return found
