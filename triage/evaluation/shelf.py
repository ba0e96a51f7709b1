"""Where evaluations lie: one folder for each model version and set, below the data folder unless told.

Light to import: the web server only looks for reports, it never makes one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from django.conf import settings

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
