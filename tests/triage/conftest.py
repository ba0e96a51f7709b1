"""A small archive for each test, and the demonstration bundle where a test wants it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("FIRSTREAD_TORCH_THREADS", "1")


@pytest.fixture(autouse=True)
def archive(tmp_path: Path, settings: object) -> Path:
    """An empty archive folder."""
    folder = tmp_path / "archive"
    settings.ARCHIVE_DIR = folder  # type: ignore[attr-defined]
    settings.MINIMUM_FREE_DISK_MB = 1  # type: ignore[attr-defined]
    return folder
