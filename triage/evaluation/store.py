"""Where evaluations lie: one folder for each model version and set, below the data folder unless told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from triage.evaluation.dataset import Dataset
from triage.evaluation.gallery import MOST_PICTURES, Picture, picture
from triage.evaluation.report import page
from triage.evaluation.runner import Answer

DOCUMENT: Final = "report.json"
PAGE: Final = "report.html"


def slug(name: str, version: str) -> str:
    """A model version as one word, for folders."""
    return f"{name}-{version}".replace("/", "_")


def folder_for(model_slug: str, dataset: str) -> Path:
    """The usual folder of a model version's evaluation on a set."""
    return Path(settings.DATA_DIR) / "evaluations" / model_slug / dataset


def newest_report(model_slug: str, weights_sha256: str, configs_sha256: str) -> Path | None:
    """The folder of the latest finished evaluation of exactly these files; None where there is none."""
    found: list[tuple[str, Path]] = []
    for path in (Path(settings.DATA_DIR) / "evaluations" / model_slug).glob(f"*/{DOCUMENT}"):
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            hashes = (document["model"]["weights_sha256"], document["model"]["configs_sha256"])
            if hashes == (weights_sha256, configs_sha256) and (path.parent / PAGE).is_file():
                found.append((str(document["made_at"]), path.parent))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # half a file, or not ours: the others still count
    return max(found)[1] if found else None


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
